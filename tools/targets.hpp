// The targets this server may look at, and the pool of reader connections to each. A dead target
// never blocks another; a busy one answers target_busy past its bounded queue.
#pragma once

#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"
#include "base/result.hpp"
#include "telemetry/metrics.hpp"

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::tools {

/// Which part of the pool a call may use: triage has a connection kept for it.
enum class Lane { ordinary, triage };

/// A connection on loan; goes back when destroyed (or is closed if it is broken or not clean).
class BorrowedConnection {
public:
    virtual ~BorrowedConnection() = default;
    virtual db::ReaderConnection& connection() = 0;
};

struct TargetStatus {
    std::string name;
    bool reachable = false;
    std::string problem; // when not reachable
    db::ServerFacts facts;
};

class Targets {
public:
    Targets(
        std::vector<db::TargetAddress> addresses, base::Clock& clock, telemetry::Metrics& metrics
    );
    ~Targets();
    std::vector<std::string> names() const;
    /// `name` empty: the only target if there is exactly one, else invalid_arguments listing them.
    base::Result<std::string> resolve(const std::string& name) const;
    /// target_busy, target_unreachable (with back-off), cancelled.
    base::Result<std::unique_ptr<BorrowedConnection>>
    borrow(const std::string& name, Lane lane, std::stop_token stop);
    const db::TargetAddress* address(const std::string& name) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace interlock::tools
