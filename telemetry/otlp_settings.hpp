// Where spans go besides the local file, as the environment variables of OpenTelemetry say it.
// Values may hold secrets: nothing here repeats one in an error or a warning.
#pragma once

#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "telemetry/otlp.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::telemetry {

/// The value of a variable; absent and empty are the same.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

struct OtlpSettings {
    bool disabled = false; // no spans at all, not even the local file
    std::string url;       // of the traces endpoint; "" = no collector
    base::HttpHeaders headers;
    bool gzip = false;
    std::string authorities;                                        // PEM file
    std::chrono::milliseconds timeout = base::limits::otlp_timeout; // of one try
    std::chrono::milliseconds export_max = base::limits::otlp_export_max;
    std::chrono::milliseconds schedule_delay = base::limits::otlp_schedule_delay;
    std::size_t queue_max = base::limits::otlp_queue_max; // spans
    std::size_t batch_max = base::limits::otlp_batch_max; // spans
    Resource resource;
    std::vector<std::string> warnings; // variables that were ignored, and why
};

/// What cannot be meant otherwise is an Error: an endpoint that is no URL, a protocol or
/// compression that is not spoken, headers that are no headers, a certificate file that cannot be
/// read. A number that is none is ignored with a warning, as the specification asks.
base::Result<OtlpSettings>
read_otlp_settings(const Environment& environment, std::string_view program);

} // namespace interlock::telemetry
