// Reads the approvers of a deployment: the allowed_signers file, revoked keys, and which subjects
// are one person.
#pragma once

#include "approval/decision.hpp"
#include "base/result.hpp"

#include <string>

namespace interlock::cli {

/// `people` is a YAML file as approval/people.hpp reads it; "" = none.
base::Result<approval::ApproverKeys> read_approver_keys(
    const std::string& allowed_signers, const std::string& revoked_keys, const std::string& people
);

} // namespace interlock::cli
