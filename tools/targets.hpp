// The targets this server may look at, and the pool of reader connections to each. A dead target
// never blocks another; a busy one answers target_busy past its bounded queue.
#pragma once

#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"
#include "base/result.hpp"
#include "telemetry/metrics.hpp"

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::tools {

/// Which part of the pool a call may use: triage has a connection kept for it.
enum class Lane { ordinary, triage };

/// What the pool knows of the server behind a loan, beside the connection's own facts.
struct Standing {
    bool suits = true;                  // false: the target's rule takes no such server (any more)
    std::optional<std::string> changed; // which server took which role lately; one sentence
    std::optional<std::string> no_primary; // why a standby answers what is the primary's
    db::Pooler pooler = db::Pooler::none;
    bool pooler_known = true; // false: session mode is only what it looks like so far
    std::string server;       // which one answered, in a target of several
};

/// A connection on loan; goes back when destroyed (or is closed if it is broken or not clean).
class BorrowedConnection {
public:
    virtual ~BorrowedConnection() = default;
    virtual db::ReaderConnection& connection() = 0;
    /// To read with: requested when the borrower's own is, or when the target is switched off.
    virtual std::stop_token stop() const = 0;
    /// Why the target was switched off since it was borrowed.
    virtual std::optional<base::Error> switched_off() const = 0;
    /// To be asked after a read: roles are re-read with each.
    virtual Standing standing() const = 0;
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
    base::Result<std::unique_ptr<BorrowedConnection>> borrow(
        const std::string& name,
        Lane lane,
        std::stop_token stop,
        db::Looks looks = db::Looks::at_server
    );
    const db::TargetAddress* address(const std::string& name) const;
    /// Switches off the targets that are named, each for its reason, and all others on. What runs
    /// on one that is switched off is stopped; it is lent to nobody (suspended).
    void switch_off(const std::map<std::string, std::string>& reasons);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace interlock::tools
