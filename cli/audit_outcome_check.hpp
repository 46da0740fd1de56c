// Who signed an outcome, and who says that the key is an executor's.
#pragma once

#include "base/json.hpp"
#include "cli/audit_plan_check.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

struct OutcomeSignature {
    bool holds = false;
    std::string key; // verifier key of who signed it; "" = nobody did
    Vouched vouched = Vouched::nobody;
};
/// `known`: executors' verifier keys; `given`: by the reader, so that only they count. A signature
/// by a key that was not given does not hold, and the key is named all the same.
OutcomeSignature
check_outcome_signature(base::Json outcome, const std::vector<std::string>& known, bool given);

} // namespace interlock::cli
