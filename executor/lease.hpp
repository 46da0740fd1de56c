// The authority to act on one plan, kept alive. Renewal that fails, for whatever reason, is
// authority lost for good: whoever holds this stops before the next thing it would do, and the
// successor, under a higher fence, finds out what happened.
#pragma once

#include "approval/queue.hpp"
#include "base/clock.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace interlock::executor {

struct LeaseOptions {
    std::chrono::milliseconds lifetime = base::limits::lease_lifetime;
    /// A thread of its own renews while a long statement runs. Off only where a test's clock and
    /// store are not to be shared between threads.
    bool background = true;
};

class Lease {
public:
    Lease(
        approval::Queue& queue,
        approval::Claim claim,
        base::Clock& clock,
        const LeaseOptions& options
    );
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Call before anything that acts. Renews when a third of the lifetime has passed; an Error
    /// means the authority is gone.
    base::Status hold();
    const approval::Claim& claim() const { return original_; }

private:
    base::Status lose(base::Error error);
    void run(const std::stop_token& stop);

    approval::Queue& queue_;
    base::Clock& clock_;
    std::chrono::milliseconds lifetime_;
    const approval::Claim original_; // fence and names never change; safe to read without the lock
    std::mutex mutex_;
    approval::Claim claim_;
    base::Ticks renewed_;
    std::optional<base::Error> lost_;
    std::condition_variable_any wake_;
    std::jthread thread_; // last: ends before what it uses
};

} // namespace interlock::executor
