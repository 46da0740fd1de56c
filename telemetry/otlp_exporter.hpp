// Sends spans to a collector, OTLP/HTTP with JSON, on a thread of its own: in batches, from a
// bounded queue, again with growing pauses where the protocol allows it. What cannot be sent is
// dropped and counted by reason; nobody ever waits for it, but a stop, and that not long.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/otlp_settings.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace interlock::telemetry {

/// Shortened in tests.
struct ExporterTimes {
    std::chrono::milliseconds retry_first = base::limits::otlp_retry_first;
    std::chrono::milliseconds retry_longest = base::limits::otlp_retry_longest;
    std::chrono::milliseconds hold_longest = base::limits::otlp_hold_longest;
    std::chrono::milliseconds flush_max = base::limits::span_flush_max;
};

class OtlpExporter {
public:
    /// `settings.url` is not empty. `metrics` may be null; all others outlive the exporter.
    static std::unique_ptr<OtlpExporter> start(
        OtlpSettings settings,
        base::Clock& clock,
        base::Random& random,
        Metrics* metrics,
        ExporterTimes times = {}
    );
    /// Sends what is queued, for flush_max at most.
    virtual ~OtlpExporter() = default;
    /// Takes `count` spans as append_span wrote them, or drops them; never waits.
    virtual void offer(std::string spans, std::size_t count) = 0;
    virtual std::uint64_t dropped() const = 0;
};

/// Seconds or an HTTP date (RFC 9110, 10.2.3); nullopt: neither.
std::optional<std::chrono::milliseconds> read_retry_after(std::string_view text, base::Time now);

} // namespace interlock::telemetry
