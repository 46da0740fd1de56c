#include "telemetry/otlp.hpp"

#include "base/json_string.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace interlock::telemetry {

// OTLP/JSON is the protobuf JSON mapping with two exceptions: trace and span ids are hex, and
// enums are numbers. 64-bit integers are decimal strings.

namespace {

constexpr int status_error = 2;
// Of the `flags` field: bit 0 is the trace flag "sampled"; bit 8 says that bit 9, whether a parent
// or a link is remote, is known. It is told of links only: whether a parent is, nobody recorded.
constexpr int flag_sampled = 0x001;
constexpr int flags_remote_known_and_remote = 0x300;

template <class Number>
void append_number(std::string& out, Number number) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

/// As it is, with no look at it: for our own literals and hexadecimal digits. `name` ends with the
/// quote that opens the value.
void append_field(std::string& out, std::string_view name, std::string_view text) {
    out.append(name).append(text).push_back('"');
}

void append_time(std::string& out, std::string_view name, base::Time time) {
    out.append(name);
    append_number(out, base::microseconds_since_epoch(time));
    out.append("000\""); // nanoseconds
}

/// A JSON number has no name for these; the mapping writes them as strings.
void append_double(std::string& out, double value) {
    if (std::isnan(value)) {
        out.append("\"NaN\"");
    } else if (std::isinf(value)) {
        out.append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        append_number(out, value);
    }
}

/// Behind an attribute's key, whose quote is still open.
struct AppendValue {
    std::string& out;
    void operator()(const std::string& text) const {
        out.append("\",\"value\":{\"stringValue\":");
        base::append_json_string(out, text);
    }
    void operator()(std::int64_t number) const {
        out.append("\",\"value\":{\"intValue\":\"");
        append_number(out, number);
        out.push_back('"');
    }
    void operator()(double number) const {
        out.append("\",\"value\":{\"doubleValue\":");
        append_double(out, number);
    }
    void operator()(bool flag) const {
        out.append("\",\"value\":{\"boolValue\":").append(flag ? "true" : "false");
    }
};

void append_attributes(std::string& out, const std::vector<Attribute>& attributes) {
    out.append(",\"attributes\":[");
    for (std::size_t i = 0; i < attributes.size(); ++i) {
        out.append(i == 0 ? "{\"key\":\"" : ",{\"key\":\"").append(attributes[i].key);
        std::visit(AppendValue{out}, attributes[i].value);
        out.append("}}");
    }
    out.push_back(']');
}

void append_links(std::string& out, const std::vector<TraceContext>& links) {
    if (links.empty()) {
        return;
    }
    out.append(",\"links\":[");
    for (std::size_t i = 0; i < links.size(); ++i) {
        append_field(
            out, i == 0 ? "{\"traceId\":\"" : ",{\"traceId\":\"", links[i].trace_id.view()
        );
        append_field(out, ",\"spanId\":\"", links[i].span_id.view());
        out.append(",\"flags\":");
        append_number(out, flags_remote_known_and_remote | (links[i].sampled ? flag_sampled : 0));
        out.append(1, '}');
    }
    out.append(1, ']');
}

} // namespace

Resource make_resource(std::string_view service_name) {
    return {
        {"service.name", std::string(service_name)},
        {"service.version", INTERLOCK_VERSION},
        {"telemetry.sdk.name", "interlock"},
        {"telemetry.sdk.language", "cpp"},
        {"telemetry.sdk.version", INTERLOCK_VERSION}};
}

void append_span(std::string& spans, const FinishedSpan& span) {
    append_field(
        spans, spans.empty() ? "{\"traceId\":\"" : ",{\"traceId\":\"", span.context.trace_id.view()
    );
    append_field(spans, ",\"spanId\":\"", span.context.span_id.view());
    if (!span.parent_span_id.empty()) {
        append_field(spans, ",\"parentSpanId\":\"", span.parent_span_id.view());
    }
    spans.append(span.context.sampled ? ",\"flags\":1" : ",\"flags\":0").append(",\"name\":");
    base::append_json_string(spans, span.name);
    spans.append(",\"kind\":");
    append_number(spans, static_cast<int>(span.kind));
    append_time(spans, ",\"startTimeUnixNano\":\"", span.start);
    append_time(spans, ",\"endTimeUnixNano\":\"", span.end);
    append_attributes(spans, span.attributes);
    if (span.dropped_attributes > 0) {
        spans.append(",\"droppedAttributesCount\":");
        append_number(spans, span.dropped_attributes);
    }
    append_links(spans, span.links);
    spans.append(",\"status\":{");
    if (span.error) {
        spans.append("\"code\":");
        append_number(spans, status_error);
        spans.append(",\"message\":");
        base::append_json_string(spans, span.status_message);
    }
    spans.append("}}");
}

std::string otlp_request(const Resource& resource, std::string_view spans) {
    constexpr std::size_t around = 1'024; // the resource, most of the time
    std::string out;
    out.reserve(spans.size() + around);
    out.append("{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    for (std::size_t i = 0; i < resource.size(); ++i) {
        out.append(i == 0 ? "{\"key\":" : ",{\"key\":");
        base::append_json_string(out, resource[i].first);
        out.append(",\"value\":{\"stringValue\":");
        base::append_json_string(out, resource[i].second);
        out.append("}}");
    }
    out.append("]},\"scopeSpans\":[{\"scope\":{\"name\":\"interlock\",\"version\":\"")
        .append(INTERLOCK_VERSION "\"},\"spans\":[")
        .append(spans)
        .append("]}]}]}");
    return out;
}

} // namespace interlock::telemetry
