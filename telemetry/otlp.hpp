// OTLP/JSON: the text of spans as collectors read it. Written straight into a string, because every
// call pays for it.
#pragma once

#include "telemetry/span.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::telemetry {

/// What produced the spans: attributes of the OTLP resource, the first of a key counting.
using Resource = std::vector<std::pair<std::string, std::string>>;
/// Service name and version, and this library.
Resource make_resource(std::string_view service_name);

/// Appends one Span object, after a comma unless it is the first.
void append_span(std::string& spans, const FinishedSpan& span);
/// One ExportTraceServiceRequest around what append_span wrote.
std::string otlp_request(const Resource& resource, std::string_view spans);

} // namespace interlock::telemetry
