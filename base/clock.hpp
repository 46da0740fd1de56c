// Time, passed in. Nothing but clock.cpp asks the operating system, so that expiry, traces and
// leases can be tested without waiting.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace interlock::base {

using Duration = std::chrono::microseconds;
/// Wall-clock time, UTC, microseconds: what PostgreSQL stores.
using Time = std::chrono::sys_time<std::chrono::microseconds>;
/// Time that never steps back; for durations and deadlines.
using Ticks = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {
public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;
    virtual Ticks ticks() const = 0;
    /// Blocks for `duration`; a test clock advances instead.
    virtual void sleep_for(Duration duration) = 0;
};

class SystemClock final : public Clock {
public:
    Time now() const override;
    Ticks ticks() const override;
    void sleep_for(Duration duration) override;
};

/// RFC 3339 with microseconds and `Z`: 2026-11-21T03:00:00.000000Z. Sorts as text.
std::string format_time(Time time);
/// Reads RFC 3339 (`Z` or offset, optional fraction up to 6 digits kept).
Result<Time> parse_time(std::string_view text);
/// Microseconds since 1970-01-01 UTC.
long long microseconds_since_epoch(Time time);

} // namespace interlock::base
