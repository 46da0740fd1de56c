// What is stopped now, on this server: one thread reads the brakes of the shared store every
// limits::brakes_interval, over a connection of its own that never waits behind a writer. What was
// read stays in force while the store cannot be read. Suspensions of this server's own supervisor
// hold here at once and are written by a second thread, again and again until the store takes them.
#pragma once

#include "approval/brakes.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace interlock::server {

/// A set of brakes to look things up in; a nullptr means that it is not stopped. Immutable.
class BrakesInForce {
public:
    explicit BrakesInForce(std::vector<approval::Brake> brakes = {}) : brakes_(std::move(brakes)) {}
    const approval::Brake* all() const;
    const approval::Brake* tool(std::string_view name) const;
    const approval::Brake* target(std::string_view name) const;
    const approval::Brake* identity(const telemetry::Identity& identity) const;
    std::set<std::string> names(approval::BrakeKind kind) const;
    const std::vector<approval::Brake>& list() const { return brakes_; }

private:
    const approval::Brake* find(approval::BrakeKind kind, std::string_view name) const;

    std::vector<approval::Brake> brakes_;
};

struct BrakesWatchParts {
    db::Store& reading; // nobody else writes through it
    db::Store& writing;
    base::Random& random;
    telemetry::Metrics& metrics;
    std::chrono::milliseconds interval = base::limits::brakes_interval;
};

/// Told of every change, in order, never twice at once: what was in force and what is.
using BrakesChanged = std::function<void(const BrakesInForce&, const BrakesInForce&)>;

/// Thread-safe.
class BrakesWatch {
public:
    explicit BrakesWatch(BrakesWatchParts parts);
    ~BrakesWatch();
    /// Reads once, tells what is in force, and then keeps looking. An Error: the first read failed.
    base::Status start(BrakesChanged changed);
    /// Looks no more; what is in force can still be asked. Idempotent.
    void stop();

    std::shared_ptr<const BrakesInForce> current() const;
    /// In force here when this returns, on disk soon. `brake` is the supervisor's.
    void suspend(approval::Brake brake, std::string transcript);
    /// "" while the store can be read; else why not.
    std::string unready() const;
    /// Suspensions that are not on disk yet.
    std::size_t unwritten() const;
    /// One look, as the thread does it.
    base::Status look();

private:
    struct Pending {
        approval::Brake brake;
        std::string transcript;
    };
    void watch(const std::stop_token& ended);
    void write(const std::stop_token& ended);
    bool write_one();
    void count(const BrakesInForce& brakes);
    void put_in_force(std::vector<approval::Brake> stored);

    BrakesWatchParts parts_;
    BrakesChanged changed_;
    std::mutex telling_;       // held while a change is put in force and told
    mutable std::mutex mutex_; // guards what follows; never held while somebody is told
    std::condition_variable_any more_;
    std::shared_ptr<const BrakesInForce> current_;
    std::vector<approval::Brake> stored_; // as last read
    std::vector<Pending> pending_;
    std::string problem_;
    bool write_fails_ = false; // the writer's own
    std::jthread watcher_;     // last: they end first
    std::jthread writer_;
};

} // namespace interlock::server
