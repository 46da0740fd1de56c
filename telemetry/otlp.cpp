#include "base/json.hpp"
#include "telemetry/span.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

// OTLP/JSON is the protobuf JSON mapping with two exceptions: trace and span ids are hex, and
// enums are numbers. 64-bit integers are decimal strings.

namespace {

using base::Json;

constexpr int status_error = 2;

std::string unix_nanoseconds(base::Time time) {
    return std::to_string(base::microseconds_since_epoch(time)) + "000";
}

/// JSON has no name for these; the mapping writes them as strings.
Json double_value(double value) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value > 0 ? "Infinity" : "-Infinity";
    return value;
}

Json attribute(const std::string& key, const AttributeValue& value) {
    struct Render {
        Json operator()(const std::string& text) const { return {{"stringValue", text}}; }
        Json operator()(std::int64_t number) const {
            return {{"intValue", std::to_string(number)}};
        }
        Json operator()(double number) const { return {{"doubleValue", double_value(number)}}; }
        Json operator()(bool flag) const { return {{"boolValue", flag}}; }
    };
    return {{"key", key}, {"value", std::visit(Render{}, value)}};
}

Json render(const FinishedSpan& span) {
    Json attributes = Json::array();
    for (const auto& [key, value] : span.attributes)
        attributes.push_back(attribute(key, value));
    Json out{
        {"traceId", span.context.trace_id},
        {"spanId", span.context.span_id},
        {"flags", span.context.sampled ? 1 : 0},
        {"name", span.name},
        {"kind", static_cast<int>(span.kind)},
        {"startTimeUnixNano", unix_nanoseconds(span.start)},
        {"endTimeUnixNano", unix_nanoseconds(span.end)},
        {"attributes", std::move(attributes)},
        {"status", Json::object()},
    };
    if (!span.parent_span_id.empty())
        out["parentSpanId"] = span.parent_span_id;
    if (span.dropped_attributes > 0)
        out["droppedAttributesCount"] = span.dropped_attributes;
    if (span.error)
        out["status"] = {{"code", status_error}, {"message", span.status_message}};
    return out;
}

} // namespace

std::string otlp_json(const std::vector<FinishedSpan>& spans, const std::string& service_name) {
    Json rendered = Json::array();
    for (const auto& span : spans)
        rendered.push_back(render(span));
    Json scope_spans{
        {"scope", {{"name", "interlock"}, {"version", INTERLOCK_VERSION}}},
        {"spans", std::move(rendered)},
    };
    Json resource{
        {"attributes",
         Json::array(
             {attribute("service.name", service_name),
              attribute("service.version", std::string(INTERLOCK_VERSION))}
         )},
    };
    return base::render_json({
        {"resourceSpans",
         Json::array(
             {{{"resource", std::move(resource)},
               {"scopeSpans", Json::array({std::move(scope_spans)})}}}
         )},
    });
}

} // namespace interlock::telemetry
