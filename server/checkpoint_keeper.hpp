// Keeps this program's signed view of the audit log outside the store, and demands that the log
// continues it: one that was cut or replaced by an older copy is signed no more, and no call is
// recorded in it.
#pragma once

#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/state_directory.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/log_memory.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace interlock::server {

/// Thread-safe.
class CheckpointKeeper {
public:
    /// Reads or makes the program's key, and writes its public half beside the checkpoint.
    static base::Result<std::unique_ptr<CheckpointKeeper>>
    open(const base::StateDirectory& state, base::Random& random);
    /// Holds what is new in the log against what was seen last, and at first the whole of it
    /// against what any program signed in this directory. corrupt is remembered: from then on
    /// nothing is signed or recorded by this process.
    base::Status follow(db::Store& store);
    /// The same, and signs size and root as they stand then; replaces the last checkpoint.
    base::Status keep(db::Store& store);
    /// Why the log is not what it was; nullopt while nothing is known against it.
    std::optional<base::Error> broken() const;
    /// The same, and while the log could not be compared even once, why not.
    std::optional<base::Error> unsound() const;

private:
    CheckpointKeeper(std::string directory, base::SigningKey key);
    base::Status follow_locked(db::Store& store);

    const std::string directory_; // of every program's checkpoints
    std::mutex looking_;          // of who reads the log; held while it does
    telemetry::LogMemory memory_;
    bool began_ = false; // the log was held against the checkpoints of all programs
    mutable std::mutex mutex_;
    std::optional<base::Error> broken_;
    std::optional<base::Error> not_compared_; // of the last look, until one worked
    std::atomic<bool> is_broken_{false};      // asked before every call
};

/// The same writer as long as `keeper` knows nothing against the log; then it takes no leaf. The
/// keeper outlives it.
std::unique_ptr<telemetry::AuditWriter>
recording_in_a_sound_log(std::unique_ptr<telemetry::AuditWriter> writer, CheckpointKeeper& keeper);

} // namespace interlock::server
