// Budgets across servers: what this server's supervisor counts of each identity is added to the
// shared store every second, in one transaction, and what all servers have
// counted comes back. An identity that is new here begins with what it has spent elsewhere, so that
// neither another server nor a restart gives it a new budget. While the store cannot be asked, what
// is counted here counts alone.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "server/supervisor.hpp"
#include "telemetry/identity.hpp"

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

namespace interlock::server {

struct SpendingWatchParts {
    db::Store& reading; // asked before an identity's first call: it must not wait behind a writer
    db::Store& writing;
    Supervisor& supervisor;
    base::Clock& clock;
    std::chrono::milliseconds interval{1'000}; // how late others' calls may count
};

/// Told of who is over budget by what all servers have counted.
using OverBudget = std::function<void(const telemetry::Identity&, const Breach&)>;

/// Thread-safe.
class SpendingWatch {
public:
    explicit SpendingWatch(SpendingWatchParts parts);
    ~SpendingWatch();
    void start(OverBudget over_budget);
    /// Adds up a last time. Idempotent.
    void stop();

    /// Before a call: what this identity has spent elsewhere, if it is new here.
    void introduce(const telemetry::Identity& identity);
    /// One round, as the thread makes it.
    base::Status settle();

private:
    void note(const base::Status& status);

    SpendingWatchParts parts_;
    OverBudget over_budget_;
    std::mutex settling_; // one round at a time; also guards failing_
    bool failing_ = false;
    std::jthread thread_; // last: it ends first
};

} // namespace interlock::server
