#include "base/json.hpp"
#include "telemetry/otlp.hpp"

#include <limits>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

FinishedSpan some_span() {
    FinishedSpan span;
    span.context = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
    span.name = "tools/call diagnose";
    span.kind = SpanKind::server;
    span.start = base::Time{std::chrono::microseconds{1'795'230'000'000'001}};
    span.end = base::Time{std::chrono::microseconds{1'795'230'000'250'000}};
    return span;
}

std::string text_of(const std::vector<FinishedSpan>& spans) {
    std::string rendered;
    for (const auto& span : spans)
        append_span(rendered, span);
    return otlp_request(make_resource("interlock-server"), rendered);
}

base::Json render(const std::vector<FinishedSpan>& spans) {
    auto parsed = base::parse_json(text_of(spans));
    REQUIRE(parsed);
    return std::move(parsed).value();
}

const base::Json& first_span(const base::Json& request) {
    return request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
}

TEST_CASE("a request names its service and its instrumentation", "[telemetry]") {
    const auto request = render({some_span()});
    REQUIRE(request["resourceSpans"].size() == 1);
    const auto& resource = request["resourceSpans"][0];
    CHECK(
        resource["resource"]["attributes"][0] ==
        base::Json{{"key", "service.name"}, {"value", {{"stringValue", "interlock-server"}}}}
    );
    CHECK(resource["scopeSpans"][0]["scope"]["name"] == "interlock");
}

TEST_CASE("ids are hex, times decimal strings of nanoseconds, enums numbers", "[telemetry]") {
    auto span = some_span();
    span.parent_span_id = "1111111111111111";
    const auto request = render({span});
    const auto& rendered = first_span(request);
    CHECK(rendered["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(rendered["spanId"] == "00f067aa0ba902b7");
    CHECK(rendered["parentSpanId"] == "1111111111111111");
    CHECK(rendered["name"] == "tools/call diagnose");
    CHECK(rendered["kind"] == 2);
    CHECK(rendered["flags"] == 1);
    CHECK(rendered["startTimeUnixNano"] == "1795230000000001000");
    CHECK(rendered["endTimeUnixNano"] == "1795230000250000000");
    CHECK_FALSE(rendered["status"].contains("code"));
    CHECK_FALSE(rendered.contains("droppedAttributesCount"));
}

TEST_CASE("a root span has no parent field", "[telemetry]") {
    const auto request = render({some_span()});
    CHECK_FALSE(first_span(request).contains("parentSpanId"));
}

TEST_CASE("every type of attribute has its own field", "[telemetry]") {
    auto span = some_span();
    span.attributes = {
        {"text", std::string("a \"quoted\"\nline")},
        {"big", std::int64_t{9'007'199'254'740'993}},
        {"real", 0.5},
        {"flag", false},
        {"nan", std::numeric_limits<double>::quiet_NaN()},
        {"infinite", -std::numeric_limits<double>::infinity()}};
    span.dropped_attributes = 3;
    const auto request = render({span});
    const auto& attributes = first_span(request)["attributes"];
    REQUIRE(attributes.size() == 6);
    CHECK(attributes[0]["key"] == "text");
    CHECK(attributes[0]["value"]["stringValue"] == "a \"quoted\"\nline");
    CHECK(attributes[1]["value"]["intValue"] == "9007199254740993");
    CHECK(attributes[2]["value"]["doubleValue"] == 0.5);
    CHECK(attributes[3]["value"]["boolValue"] == false);
    CHECK(attributes[4]["value"]["doubleValue"] == "NaN");
    CHECK(attributes[5]["value"]["doubleValue"] == "-Infinity");
    CHECK(first_span(request)["droppedAttributesCount"] == 3);
}

TEST_CASE("an error has status code 2 and its message", "[telemetry]") {
    auto span = some_span();
    span.error = true;
    span.status_message = "no such target";
    const auto request = render({span});
    CHECK(first_span(request)["status"] == base::Json{{"code", 2}, {"message", "no such target"}});
}

TEST_CASE("several spans share one resource and hostile bytes stay valid JSON", "[telemetry]") {
    auto hostile = some_span();
    hostile.name = std::string("bad \xff\xfe \x01 bytes\0", 15);
    const auto request = render({some_span(), hostile});
    CHECK(request["resourceSpans"][0]["scopeSpans"][0]["spans"].size() == 2);
    const auto one_line = text_of({hostile});
    CHECK(one_line.find('\n') == std::string::npos);
}

TEST_CASE("a linked trace is told with its flags", "[telemetry]") {
    auto span = some_span();
    span.links = {
        {"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true},
        {"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203332", false}};
    const auto request = render({span});
    const auto& links = first_span(request)["links"];
    REQUIRE(links.size() == 2);
    CHECK(links[0]["traceId"] == "0af7651916cd43dd8448eb211c80319c");
    CHECK(links[0]["spanId"] == "b7ad6b7169203331");
    CHECK(links[0]["flags"] == 0x301); // sampled, and known to be remote
    CHECK(links[1]["flags"] == 0x300);
}

TEST_CASE("attributes of the resource are escaped too", "[telemetry]") {
    const auto parsed = base::parse_json(otlp_request({{"a\"", "b\n\xff"}}, ""));
    REQUIRE(parsed);
    const auto& attribute = (*parsed)["resourceSpans"][0]["resource"]["attributes"][0];
    CHECK(attribute["key"] == "a\"");
    CHECK(attribute["value"]["stringValue"] == "b\n\xEF\xBF\xBD");
    CHECK((*parsed)["resourceSpans"][0]["scopeSpans"][0]["spans"].empty());
}

} // namespace
} // namespace interlock::telemetry
