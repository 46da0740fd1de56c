// contract + typed parameters + target -> a plan's exact content. No model, no free text in SQL.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/plan.hpp"

#include <string>

namespace interlock::runbooks {

struct Proposal {
    std::string cause;      // the diagnosed cause id the plan answers
    std::string parameters; // JSON object text, as the agent gave it
};

/// invalid_arguments lists every bad parameter at once; refused when the decision table has no row
/// for the cause. The policy fields of the plan are left empty: policy.hpp fills them.
base::Result<Plan>
make_plan(const Contract& contract, const Proposal& proposal, const TargetFingerprint& target);

/// What the plan would touch, one sentence each, from the plan alone.
std::vector<std::string> blast_radius(const Plan& plan);

} // namespace interlock::runbooks
