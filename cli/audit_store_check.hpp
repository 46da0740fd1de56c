// A live store held against the checkpoints that were kept of its log, and its plans against what
// the log tells of them: whoever can write the store can write its rows, and not a signed root that
// stands elsewhere.
#pragma once

#include "base/db/store.hpp"
#include "base/result.hpp"
#include "cli/audit_plan_check.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/kept_checkpoints.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace interlock::cli {

/// What the reader brings along instead of taking it from the machine.
struct StoreTrust {
    std::vector<std::string> verifier_keys; // each must have signed one of the checkpoints
    std::vector<std::string> executor_keys; // that may sign outcomes; none = as kept
    std::string allowed_signers;            // file of approvers' keys; "" = as recorded in the log
};

struct HeldCheckpoint {
    std::string program;
    std::string key;
    std::uint64_t size = 0;
    bool agrees = false;
    bool key_was_given = false;
};

/// Of how many plans the outcome is signed by this key, and who says that it is an executor's.
struct OutcomeKey {
    Vouched vouched = Vouched::nobody;
    std::uint64_t plans = 0;
};

struct StoreReport {
    telemetry::AuditVerification log; // its problems are among those below
    std::vector<HeldCheckpoint> checkpoints;
    std::uint64_t plans = 0;
    std::map<std::string, OutcomeKey> outcome_keys; // by verifier key
    std::vector<std::string> problems;
    std::vector<std::string> not_known;
    std::vector<std::string> erased; // what cannot be known since it was erased on the record
};
base::Result<StoreReport>
check_store(db::Store& store, const telemetry::KeptCheckpoints& kept, const StoreTrust& trust);

/// That such a file can be read; "" is none.
base::Status check_signers_file(const std::string& path);

} // namespace interlock::cli
