// The desk's memory of the audit log, kept outside the store. What people decide about stands on
// that log: a store that was cut, rewritten or restored from an older copy shows them nothing.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/state_directory.hpp"
#include "telemetry/log_memory.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace interlock::desk {

/// Thread-safe.
class LogWatch {
public:
    /// Reads or makes the desk's key.
    static base::Result<std::unique_ptr<LogWatch>>
    open(const base::StateDirectory& state, base::Clock& clock, base::Random& random);

    /// That the log as it stands continues what was seen last, at first also what any program
    /// signed in this directory, and signs that, once a minute at most. corrupt: it does not, and
    /// stays so until a person has started the desk again; any other error: it could not be read
    /// now.
    base::Status check(db::Store& store);

private:
    LogWatch(std::string directory, base::SigningKey key, base::Clock& clock);

    base::Clock& clock_;
    const std::string directory_; // of every program's checkpoints
    std::mutex mutex_;
    telemetry::LogMemory memory_;
    bool began_ = false; // the log was held against the checkpoints of all programs
    std::optional<base::Error> broken_;
    std::optional<base::Ticks> kept_; // when it was signed last
    std::uint64_t kept_size_ = 0;
};

} // namespace interlock::desk
