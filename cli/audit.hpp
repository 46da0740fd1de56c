// `interlock audit`: proves that the log is whole, and shows what it says.
#pragma once

#include "cli/output.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

struct AuditOptions {
    std::string state_directory;
    /// Signed checkpoints to hold the log against, each with the verifier key at the same place in
    /// `verifier_keys`. No checkpoints: those the programs of this machine keep in their state, and
    /// each of `verifier_keys` must have signed one of them.
    std::vector<std::string> checkpoints;
    std::vector<std::string> verifier_keys;
    std::string bundle; // verify: this file instead of the store
    /// verify: whose outcomes count, and a file of more such keys; none = as kept, the bundle's
    /// word
    std::vector<std::string> executor_keys;
    std::string executor_keys_file;
    std::string allowed_signers; // verify: whose keys may approve; "" = as recorded
    std::string plan_id;         // show: only this plan's records
    bool json = false;
};

Exit verify_audit_log(const AuditOptions& options);
Exit show_audit_log(const AuditOptions& options);

} // namespace interlock::cli
