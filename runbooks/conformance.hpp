// Is a plan what its runbook makes, and nothing else? The plan is made again from the contract and
// the values bound in it; every effect must come out the same. So a plan from which a check was
// left out, or into which a statement was put, is noticed without anybody reading it.
#pragma once

#include "base/result.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/plan.hpp"

namespace interlock::runbooks {

/// `changed` when no cause of the contract makes this plan. Only the attempt, which the queue
/// counts, may be any.
base::Status check_conformance(const Plan& plan, const Contract& contract);

} // namespace interlock::runbooks
