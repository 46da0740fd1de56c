// The executor's memory of the audit log, kept outside the store. A store that was cut, rewritten
// or restored from an older copy does not continue the last checkpoint; then nothing is started.
#pragma once

#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/result.hpp"
#include "telemetry/log_memory.hpp"

#include <string>

namespace interlock::executor {

/// The name that signs, in the note and in the verifier key.
inline constexpr const char* checkpoint_name = "interlock-executor";

class LogGuard {
public:
    LogGuard(db::Store& store, std::string note_path, base::SigningKey key);
    /// The stored log is whole and continues the last note; the first time, also those of the other
    /// programs beside it. corrupt: it does not, and only a person
    /// can say what happened. Any other error: it could not be read now. The first time every
    /// record is read, later those that are new and those of `plan_digest`.
    base::Status check(const std::string& plan_digest = {});
    /// Signs the log's present head into the note, once what is new verifies too.
    base::Status remember();

private:
    db::Store& store_;
    const std::string directory_; // of every program's checkpoints
    telemetry::LogMemory memory_;
    bool verified_ = false; // the whole log, by this program
};

} // namespace interlock::executor
