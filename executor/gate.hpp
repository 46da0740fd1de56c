// What must be true of a plan before anything is claimed or connected: the executor's own look at
// bytes, signatures and policy. It believes nothing that the queue merely says.
#pragma once

#include "approval/approved_plan.hpp"
#include "runbooks/contract.hpp"

#include <functional>
#include <map>
#include <string>

namespace interlock::executor {

using Library = std::map<std::string, runbooks::Contract>;

/// The plan's contract and policy are those compiled in here, and the policy still admits the plan.
/// refused: with every reason; an old approval is void then.
base::Status check_policy(const runbooks::Plan& plan, const Library& library);

} // namespace interlock::executor
