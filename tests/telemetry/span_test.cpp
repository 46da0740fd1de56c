#include "telemetry/span.hpp"
#include "tests/support/fakes.hpp"

#include <array>
#include <utility>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

class MemorySink final : public SpanSink {
public:
    void write(FinishedSpan span) override { spans.push_back(std::move(span)); }
    std::vector<FinishedSpan> spans;
};

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string span_id = "00f067aa0ba902b7";

/// "n00", "n01", ...: keys are literals.
template <std::size_t N>
constexpr std::array<char, 4> key_text{'n', char('0' + N / 10), char('0' + N % 10), '\0'};

template <std::size_t... Ns>
void set_numbers(Span& span, std::index_sequence<Ns...>) {
    (span.set(AttributeKey(key_text<Ns>.data()), std::int64_t{1}), ...);
}

struct Fixture {
    MemorySink sink;
    test::ManualClock clock;
    test::CountingRandom random;
    Tracer tracer{sink, clock, random};
};

TEST_CASE("a traceparent is read", "[telemetry]") {
    const auto context = parse_traceparent("00-" + trace + "-" + span_id + "-01");
    REQUIRE(context);
    CHECK(context->trace_id == trace);
    CHECK(context->span_id == span_id);
    CHECK(context->sampled);
    CHECK(format_traceparent(*context) == "00-" + trace + "-" + span_id + "-01");
}

TEST_CASE("only the lowest flag says whether a trace is sampled", "[telemetry]") {
    const auto sampled = [](const std::string& flags) {
        return parse_traceparent("00-" + trace + "-" + span_id + "-" + flags)->sampled;
    };
    CHECK_FALSE(sampled("00"));
    CHECK(sampled("03"));
    CHECK_FALSE(sampled("02"));
    CHECK(sampled("ff"));
    CHECK_FALSE(sampled("fe"));
    const auto off = parse_traceparent("00-" + trace + "-" + span_id + "-00");
    CHECK(format_traceparent(*off) == "00-" + trace + "-" + span_id + "-00");
}

TEST_CASE("a later version may append fields", "[telemetry]") {
    const auto body = trace + "-" + span_id + "-01";
    CHECK(parse_traceparent("01-" + body));
    CHECK(parse_traceparent("cc-" + body + "-what-the-future-brings"));
    CHECK_FALSE(parse_traceparent("cc-" + body + "."));
    CHECK_FALSE(parse_traceparent("00-" + body + "-more"));
}

TEST_CASE("a malformed traceparent is ignored", "[telemetry]") {
    const std::string good = "00-" + trace + "-" + span_id + "-01";
    auto upper = good;
    upper[3] = 'A';
    auto letter = good;
    letter[40] = 'g';
    for (const auto& bad :
         {std::string(),
          std::string("00"),
          good.substr(0, 54),
          good + "-",
          good + " ",
          " " + good,
          "ff" + good.substr(2),
          "0x" + good.substr(2),
          "00-" + std::string(32, '0') + "-" + span_id + "-01",
          "00-" + trace + "-" + std::string(16, '0') + "-01",
          "00_" + good.substr(3),
          good.substr(0, 35) + "_" + good.substr(36),
          good.substr(0, 52) + "_" + good.substr(53),
          good.substr(0, 53) + "0g",
          std::string(55, '\0'),
          upper,
          letter}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_traceparent(bad));
    }
}

TEST_CASE("a span without a parent begins a trace", "[telemetry]") {
    Fixture f;
    auto span = f.tracer.start("tools/call diagnose", SpanKind::server, std::nullopt);
    CHECK(parse_traceparent(format_traceparent(span.context())));
    f.clock.advance(std::chrono::microseconds{1500});
    span.end();
    REQUIRE(f.sink.spans.size() == 1);
    const auto& written = f.sink.spans[0];
    CHECK(written.name == "tools/call diagnose");
    CHECK(written.kind == SpanKind::server);
    CHECK(written.parent_span_id.empty());
    CHECK(written.end - written.start == std::chrono::microseconds{1500});
    CHECK_FALSE(written.error);
}

TEST_CASE("a child span stays in its parent's trace", "[telemetry]") {
    Fixture f;
    const TraceContext remote{trace, span_id, true};
    auto outer = f.tracer.start("outer", SpanKind::server, remote);
    auto inner = f.tracer.start("inner", SpanKind::internal, outer.context());
    inner.end();
    outer.end();
    REQUIRE(f.sink.spans.size() == 2);
    CHECK(f.sink.spans[0].context.trace_id == trace);
    CHECK(f.sink.spans[0].parent_span_id == f.sink.spans[1].context.span_id);
    CHECK(f.sink.spans[1].parent_span_id == span_id);
    CHECK(f.sink.spans[0].context.span_id != f.sink.spans[1].context.span_id);
}

TEST_CASE("a trace that its caller does not sample is not written", "[telemetry]") {
    Fixture f;
    const TraceContext remote{trace, span_id, false};
    auto span = f.tracer.start("quiet", SpanKind::server, remote);
    CHECK_FALSE(span.context().sampled);
    span.end();
    CHECK(f.sink.spans.empty());
}

TEST_CASE("a span ends once, at the latest when it is destroyed", "[telemetry]") {
    Fixture f;
    {
        auto span = f.tracer.start("scoped", SpanKind::internal, std::nullopt);
        auto moved = std::move(span);
        moved.set("key", std::int64_t{1});
    }
    CHECK(f.sink.spans.size() == 1);
    auto span = f.tracer.start("twice", SpanKind::internal, std::nullopt);
    const auto before = format_traceparent(span.context());
    span.end();
    span.end();
    CHECK(f.sink.spans.size() == 2);
    CHECK(format_traceparent(span.context()) == before);
}

TEST_CASE("the last value of an attribute counts", "[telemetry]") {
    Fixture f;
    auto span = f.tracer.start("attributes", SpanKind::internal, std::nullopt);
    span.set("rows", std::int64_t{1});
    span.set("rows", std::int64_t{2});
    span.end();
    REQUIRE(f.sink.spans[0].attributes.size() == 1);
    CHECK(std::get<std::int64_t>(f.sink.spans[0].attributes[0].value) == 2);
}

TEST_CASE("a failed span names the type of its error", "[telemetry]") {
    Fixture f;
    auto span = f.tracer.start("fails", SpanKind::server, std::nullopt);
    span.fail("tool_error", "the target did not answer");
    span.end();
    const auto& written = f.sink.spans[0];
    CHECK(written.error);
    CHECK(written.status_message == "the target did not answer");
    REQUIRE(written.attributes.size() == 1);
    CHECK(written.attributes[0].key == "error.type");
    CHECK(std::get<std::string>(written.attributes[0].value) == "tool_error");
}

TEST_CASE("what a span holds is bounded", "[telemetry]") {
    Fixture f;
    const std::string huge(1'000'000, 'x');
    auto span = f.tracer.start(huge, SpanKind::internal, std::nullopt);
    span.set("text", huge);
    set_numbers(span, std::make_index_sequence<base::limits::span_attributes_max + 4>());
    span.fail(huge, huge);
    span.end();
    const auto& written = f.sink.spans[0];
    CHECK(written.name.size() == base::limits::span_text_bytes_max);
    CHECK(written.status_message.size() == base::limits::span_text_bytes_max);
    CHECK(
        std::get<std::string>(written.attributes[0].value).size() ==
        base::limits::span_text_bytes_max
    );
    CHECK(written.attributes.size() == base::limits::span_attributes_max);
    CHECK(written.dropped_attributes == 6); // five numbers too many, and error.type
    CHECK(written.error);
}

TEST_CASE("a span that nobody samples gathers nothing", "[telemetry]") {
    Fixture f;
    auto span = f.tracer.start("quiet", SpanKind::server, TraceContext{trace, span_id, false});
    CHECK_FALSE(span.recording());
    span.set("text", std::string("unseen"));
    span.fail("internal", "unseen");
    span.link({trace, span_id, true});
    auto child = f.tracer.start("child", SpanKind::internal, span.context());
    CHECK_FALSE(child.recording());
    CHECK(child.context().trace_id == trace);
    child.end();
    span.end();
    CHECK(f.sink.spans.empty());
}

TEST_CASE("where nothing is kept nothing is gathered, and the trace goes on", "[telemetry]") {
    test::ManualClock clock;
    test::CountingRandom random;
    Tracer tracer(null_span_sink(), clock, random);
    const auto span = tracer.start("quiet", SpanKind::server, std::nullopt);
    CHECK_FALSE(span.recording());
    CHECK(span.context().sampled);
    CHECK(parse_traceparent(format_traceparent(span.context())));
}

TEST_CASE("something that is over already is a span with its own times", "[telemetry]") {
    Fixture f;
    using std::chrono::milliseconds;
    const auto before = f.clock.now();
    const auto began = f.clock.ticks();
    f.clock.advance(milliseconds{30});
    const auto ended = f.clock.ticks();
    f.clock.advance(milliseconds{70});
    auto parent = f.tracer.start("parent", SpanKind::server, std::nullopt);
    {
        auto span = f.tracer.past("query", SpanKind::client, parent.context(), began, ended);
        span.set("rows", std::int64_t{2});
    }
    REQUIRE(f.sink.spans.size() == 1);
    CHECK(f.sink.spans[0].start == before);
    CHECK(f.sink.spans[0].end == before + milliseconds{30});
    CHECK(f.sink.spans[0].parent_span_id == parent.context().span_id);
    CHECK(f.sink.spans[0].attributes.size() == 1);
}

TEST_CASE("a constant zero is a number, and text is text", "[telemetry]") {
    Fixture f;
    auto span = f.tracer.start("types", SpanKind::internal, std::nullopt);
    span.set("zero", std::int64_t{0});
    span.set("no", false);
    span.set("text", "0");
    span.end();
    const auto& attributes = f.sink.spans[0].attributes;
    CHECK(attributes[0].value == AttributeValue(std::int64_t{0}));
    CHECK(attributes[1].value == AttributeValue(false));
    CHECK(attributes[2].value == AttributeValue(std::string("0")));
}

TEST_CASE("an identifier of another length is none", "[telemetry]") {
    CHECK(SpanId("00f067aa0ba902b7") == "00f067aa0ba902b7");
    CHECK(SpanId("00f067aa0ba902b").empty());
    CHECK(SpanId(trace).empty());
    CHECK(SpanId() == "");
    CHECK_FALSE(SpanId(span_id) == SpanId());
}

TEST_CASE("the null sink takes everything and counts nothing", "[telemetry]") {
    null_span_sink().write({});
    CHECK(null_span_sink().dropped() == 0);
}

} // namespace
} // namespace interlock::telemetry
