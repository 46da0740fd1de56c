// Who may call now, and what becomes of calls that may no longer go on: kill switches and
// suspensions are asked when a call begins, and a call under way (a task too) is stopped when one
// comes into force that concerns it. Every call is told to the supervisor, and whoever it reports
// is suspended.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "server/brakes_watch.hpp"
#include "server/protocol.hpp"
#include "server/spending_watch.hpp"
#include "server/supervisor.hpp"
#include "telemetry/metrics.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace interlock::server {

/// Why a call may not be made, or not go on.
struct Barred {
    bool no_such_tool = false; // a killed tool is as good as none
    base::Error error;         // suspended or budget_exhausted
};

/// What a call came to, for the supervisor.
struct CallResult {
    std::string outcome;
    std::string seen; // fingerprint; "" = nothing that could be compared
    bool waits = false;
    bool judged = true;
    std::size_t bytes = 0;
    base::Duration database{};
};

struct CallGuardParts {
    BrakesWatch& brakes;
    Supervisor& supervisor;
    telemetry::Metrics& metrics;
    base::Clock& clock;
    SpendingWatch* spending = nullptr; // null: budgets are this server's alone
};

/// Thread-safe.
class CallGuard {
public:
    explicit CallGuard(CallGuardParts parts);

    /// A call while it is served: known to the guard, so that it can be stopped.
    class Passage {
    public:
        Passage(CallGuard& guard, const Job& job, std::string call_id, std::function<void()> stop);
        Passage(const Passage&) = delete;
        Passage& operator=(const Passage&) = delete;
        ~Passage();
        /// Why it must not begin; counts it when it may. Once.
        std::optional<Barred> begin();
        /// Why it may not go on.
        std::optional<Barred> barred() const;
        /// It has ended; what was never begun is not told.
        void end(const CallResult& result);

    private:
        friend class CallGuard;
        CallGuard& guard_;
        const Job& job_;
        const std::string call_id_;
        const std::function<void()> stop_;
        bool counted_ = false;
    };

    /// What is in force, told to everything under way; also lets go of counters of identities that
    /// a person has decided about.
    void apply(const BrakesInForce& before, const BrakesInForce& now);
    /// Whether this caller may do anything at all.
    std::optional<Barred> barred(const telemetry::Identity& identity) const;
    /// Whether a call of somebody stopped is still written to the audit log: who is stopped and
    /// goes on calling must not fill the disk that everybody's calls need. Counts it.
    bool records_barred();
    bool judges() const { return parts_.supervisor.watches(); }
    /// From now on it is stopped, and people find out why.
    void suspend(const telemetry::Identity& identity, const Breach& breach);

private:
    static std::optional<Barred> why(const BrakesInForce& brakes, const Job& job);
    static std::optional<Barred>
    why(const BrakesInForce& brakes, const telemetry::Identity& identity);

    CallGuardParts parts_;
    std::mutex mutex_;
    base::Ticks minute_{};
    std::size_t barred_in_minute_ = 0;
    std::map<const Passage*, const Job*> under_way_;
};

} // namespace interlock::server
