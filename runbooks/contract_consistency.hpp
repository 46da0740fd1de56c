// What must hold between the parts of a contract: every trigger has one decision, every decision
// and template names parameters that exist, every parameter gets a value and is used.
#pragma once

#include "base/result.hpp"
#include "runbooks/contract.hpp"

namespace interlock::runbooks {

/// invalid_input with the first thing that does not fit.
base::Status check_consistency(const Contract& contract);

} // namespace interlock::runbooks
