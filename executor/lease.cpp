#include "executor/lease.hpp"

#include "base/log.hpp"

namespace interlock::executor {

using base::Errc;
using base::Error;
using base::Status;

Lease::Lease(
    approval::Queue& queue, approval::Claim claim, base::Clock& clock, const LeaseOptions& options
)
    : queue_(queue),
      clock_(clock),
      lifetime_(options.lifetime),
      original_(claim),
      claim_(std::move(claim)),
      renewed_(clock.ticks()) {
    if (options.background) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
}

Lease::~Lease() {
    if (thread_.joinable()) {
        thread_.request_stop();
        wake_.notify_all();
    }
}

Status Lease::hold() {
    const std::lock_guard guard(mutex_);
    if (lost_) {
        return *lost_;
    }
    // Taken before the renewal: the store counts from a moment that is not earlier.
    const auto now = clock_.ticks();
    const auto age = now - renewed_;
    if (age >= lifetime_) {
        return lose(
            {Errc::expired,
             "The lease ran out before it could be renewed.",
             "Another executor takes the plan over; look at the machine's load and clock."}
        );
    }
    if (age < lifetime_ / 3) {
        return base::done;
    }
    if (auto renewed = queue_.renew(claim_); !renewed.ok()) {
        return lose(renewed.error());
    }
    renewed_ = now;
    return base::done;
}

Status Lease::lose(Error error) {
    base::log_error(
        "lease.lost",
        {{"plan", claim_.plan_id},
         {"fence", std::to_string(claim_.fence)},
         {"why", base::to_text(error)}}
    );
    lost_ = std::move(error);
    return *lost_;
}

void Lease::run(const std::stop_token& stop) {
    const auto pause = lifetime_ / 6; // so that a renewal is never later than half the lifetime
    std::mutex sleep;
    std::unique_lock lock(sleep);
    while (!stop.stop_requested()) {
        (void)wake_.wait_for(lock, stop, pause, [] { return false; });
        if (stop.stop_requested() || !hold().ok()) {
            return;
        }
    }
}

} // namespace interlock::executor
