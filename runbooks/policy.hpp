// The gate before any person sees a plan: facts of every statement (libpg_query) against rules,
// default deny. Its digest goes into the plan, so that a changed policy voids old approvals.
#pragma once

#include "base/result.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/plan.hpp"

#include <string>
#include <vector>

namespace interlock::runbooks {

struct Verdict {
    bool allowed = false;             // may go to people; never straight to execution
    std::vector<std::string> reasons; // every reason of a denial
    Requirement needs;                // at least what the contract asks
};

/// Digest of the rules in force (compiled in plus the contract's own allow-lists).
std::string policy_digest(const Contract& contract);
Verdict judge(const Plan& plan, const Contract& contract);
/// judge(), then the plan with policy_digest, policy_verdict and needs filled in; `refused` with
/// every reason otherwise.
base::Result<Plan> admit(Plan plan, const Contract& contract);

} // namespace interlock::runbooks
