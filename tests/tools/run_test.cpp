#include "base/digest.hpp"
#include "tests/support/spans.hpp"
#include "tests/tools/bench.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"

#include <stdexcept>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
using nlohmann::json;

namespace {

std::string schema() {
    return tools::output_schema_of(R"({"n":{"type":"integer"}})", {"n"});
}

struct Pipeline {
    interlock::test::TemporaryDirectory directory;
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    interlock::telemetry::Metrics metrics;
    interlock::test::KeptSpans spans;
    interlock::telemetry::Tracer tracer{spans, clock, random};
    tools::Targets targets{{}, clock, metrics};
    std::unique_ptr<tools::EvidenceStore> store =
        tools::open_evidence_directory(directory.path(), clock).value();
    interlock::telemetry::Identity identity{};
    tools::Context context{targets, *store, metrics, tracer, clock, random};

    tools::Output
    run(std::function<base::Result<tools::Output>(tools::Context&, const tools::Call&)> body,
        const std::string& arguments = "{}") {
        const tools::Tool tool{
            .name = "sample",
            .title = "",
            .summary = "",
            .domain = "postgres",
            .inputs = {},
            .output_schema = schema,
            .run = std::move(body)};
        return tools::run_tool(
            context,
            tool,
            json::parse(arguments),
            {.identity = identity, .stop = {}, .span = nullptr, .id = "c"}
        );
    }
};

/// A disk without room.
class FullStore final : public tools::EvidenceStore {
public:
    base::Status put(const tools::StoredEvidence&) override {
        return base::Error{base::Errc::store_full, "No space is left.", "Free some."};
    }
    base::Result<tools::StoredEvidence> get(const std::string&, const std::string&) override {
        return base::Error{base::Errc::not_found, "Nothing is kept.", ""};
    }
    bool owns(const std::string&, const std::string&) override { return false; }
    std::vector<std::string> recent(const std::string&, const std::string&, std::size_t) override {
        return {};
    }
};

std::string code_of(const tools::Output& output) {
    REQUIRE(output.is_error);
    return json::parse(output.structured)["error"]["code"];
}

} // namespace

TEST_CASE("a result that fits its schema passes", "[tools]") {
    Pipeline pipeline;
    const auto output = pipeline.run([](auto&, auto&) -> base::Result<tools::Output> {
        return tools::Output{.structured = R"({"n":1})", .text = "one", .is_error = false};
    });
    CHECK_FALSE(output.is_error);
    CHECK(output.text == "one");
    CHECK_THAT(pipeline.metrics.render(), Catch::Contains("outcome=\"ok\""));
}

TEST_CASE("a result that breaks its schema never leaves", "[tools]") {
    Pipeline pipeline;
    const auto output = pipeline.run([](auto&, auto&) -> base::Result<tools::Output> {
        return tools::Output{.structured = R"({"n":"1"})", .text = "", .is_error = false};
    });
    CHECK(code_of(output) == "internal");
}

TEST_CASE("what is kept of an answer is told to who records the call", "[tools]") {
    Pipeline pipeline;
    pipeline.context.checks = tools::AnswerChecks::sampled;
    tools::CallCost cost;
    const tools::Tool tool{
        .name = "sample",
        .title = "",
        .summary = "",
        .domain = "postgres",
        .inputs = {},
        .run = [](tools::Context& context, const tools::Call& call) -> base::Result<tools::Output> {
            tools::Evidence evidence;
            evidence.tool = "sample";
            evidence.summary = "A summary.";
            call.cost->read_as("diag");
            call.cost->read_as("billing_diag");
            call.cost->read_as("diag");
            return tools::publish(context, call, std::move(evidence));
        }};
    tool.answers->store(1); // the first would be held against a schema
    const auto output = tools::run_tool(
        pipeline.context,
        tool,
        json::object(),
        {.identity = pipeline.identity, .stop = {}, .span = nullptr, .id = "c", .cost = &cost}
    );
    REQUIRE_FALSE(output.is_error);
    CHECK(cost.roles() == "billing_diag,diag");
    CHECK(json::parse(output.structured)["id"] == cost.evidence_id);
    CHECK(output.text.find(cost.evidence_id) != std::string::npos);
    const auto kept = pipeline.store->get(cost.evidence_id, pipeline.identity.subject);
    REQUIRE(kept.ok());
    CHECK(cost.evidence_digest == base::hex(base::sha256(kept->body)));
    CHECK(json::parse(kept->body)["id"] == cost.evidence_id);
}

TEST_CASE("a sample of checks takes each tool's first answer and then one in 64", "[tools]") {
    Pipeline pipeline;
    pipeline.context.checks = tools::AnswerChecks::sampled;
    const tools::Tool tool{
        .name = "wrong",
        .title = "",
        .summary = "",
        .domain = "postgres",
        .inputs = {},
        .output_schema = schema,
        .run = [](auto&, auto&) -> base::Result<tools::Output> {
            return tools::Output{.structured = R"({"n":"1"})", .text = "", .is_error = false};
        }};
    std::vector<int> caught;
    for (int i = 0; i < 130; ++i) {
        const auto output = tools::run_tool(
            pipeline.context,
            tools::Tool(tool), // as each reload makes copies
            json::object(),
            {.identity = pipeline.identity, .stop = {}, .span = nullptr, .id = "c"}
        );
        if (output.is_error) {
            caught.push_back(i);
        }
    }
    CHECK(caught == std::vector{0, 64, 128});
}

TEST_CASE("arguments that do not fit never reach the tool", "[tools]") {
    Pipeline pipeline;
    bool reached = false;
    const auto output = pipeline.run(
        [&](auto&, auto&) -> base::Result<tools::Output> {
            reached = true;
            return tools::Output{};
        },
        R"({"surprise":1})"
    );
    CHECK_FALSE(reached);
    CHECK(code_of(output) == "invalid_arguments");
}

TEST_CASE("an error and an exception of a tool are outputs", "[tools]") {
    Pipeline pipeline;
    CHECK(code_of(pipeline.run([](auto&, auto&) -> base::Result<tools::Output> {
              return base::Error{base::Errc::timeout, "Slow.", "Wait."};
          })) == "timeout");
    const auto output = pipeline.run([](auto&, auto&) -> base::Result<tools::Output> {
        throw std::runtime_error("password=hunter2");
    });
    CHECK(code_of(output) == "internal");
    CHECK(output.text.find("hunter2") == std::string::npos);
}

TEST_CASE("a packet is stored whole under the id it shows", "[tools]") {
    Pipeline pipeline;
    pipeline.identity.subject = "os:ann";
    auto span = pipeline.tracer.start("t", interlock::telemetry::SpanKind::internal, std::nullopt);
    const tools::Arguments none;
    const tools::Call call{
        .identity = pipeline.identity, .arguments = none, .stop = {}, .span = span, .id = "c"};
    tools::Evidence evidence;
    evidence.tool = "sample";
    evidence.summary = "All well.";
    const auto output = tools::publish(pipeline.context, call, evidence);
    const json packet = json::parse(output.structured);
    const auto stored = pipeline.store->get(packet["id"], "os:ann");
    REQUIRE(stored.ok());
    CHECK(json::parse(stored->body)["summary"] == "All well.");
    CHECK_THAT(output.text, Catch::Contains(packet["id"].get<std::string>()));
}

TEST_CASE("a whole that cannot be kept is told, and the answer is given", "[tools]") {
    Pipeline pipeline;
    FullStore full;
    tools::Context context{
        pipeline.targets, full, pipeline.metrics, pipeline.tracer, pipeline.clock, pipeline.random};
    auto span = pipeline.tracer.start("t", interlock::telemetry::SpanKind::internal, std::nullopt);
    const tools::Arguments none;
    const tools::Call call{
        .identity = pipeline.identity, .arguments = none, .stop = {}, .span = span, .id = "c"};
    tools::Evidence evidence;
    evidence.tool = "sample";
    evidence.summary = "All well.";
    const json packet = json::parse(tools::publish(context, call, evidence).structured);
    CHECK(packet["summary"] == "All well.");
    CHECK(packet["not_examined"][0]["what"] == "the whole result later");
}

TEST_CASE("a refused call says its code, and is counted for its tool", "[tools]") {
    Pipeline pipeline;
    const auto output = pipeline.run(
        [](auto&, auto&) -> base::Result<tools::Output> { return tools::Output{}; },
        R"({"surprise":1})"
    );
    CHECK(output.error_code == "invalid_arguments");
    CHECK_THAT(
        pipeline.metrics.render(),
        Catch::Contains("interlock_schema_errors_total{gen_ai_tool_name=\"sample\"} 1")
    );
}

TEST_CASE("steps are told to who listens, and to nobody otherwise", "[tools]") {
    Pipeline pipeline;
    const tools::Tool tool{
        .name = "steps",
        .title = "",
        .summary = "",
        .domain = "postgres",
        .output_schema = schema,
        .run = [](auto&, const tools::Call& call) -> base::Result<tools::Output> {
            call.tell(1, 2, "half");
            return tools::Output{.structured = R"({"n":1})", .text = "one"};
        }};
    std::string heard;
    tools::CallRequest request{
        .identity = pipeline.identity,
        .stop = {},
        .span = nullptr,
        .id = "c",
        .progress = [&](double done, double total, std::string_view message) {
            heard = std::to_string(done / total) + std::string{message};
        }};
    CHECK_FALSE(tools::run_tool(pipeline.context, tool, json::object(), request).is_error);
    CHECK(heard == "0.500000half");
    request.progress = {};
    CHECK_FALSE(tools::run_tool(pipeline.context, tool, json::object(), request).is_error);
}

TEST_CASE("what a tool tells is told in the span of its operation", "[tools]") {
    Pipeline pipeline;
    const tools::Tool tool{
        .name = "sample",
        .title = "",
        .summary = "",
        .domain = "postgres",
        .inputs = {},
        .output_schema = schema,
        .run = [](auto& context, auto& call) -> base::Result<tools::Output> {
            tools::Evidence evidence;
            evidence.tool = "sample";
            evidence.summary = "All well.";
            (void)tools::publish(context, call, evidence);
            return tools::Output{.structured = R"({"n":1})", .text = "", .is_error = false};
        }};
    auto span = pipeline.tracer.start(
        "tools/call sample", interlock::telemetry::SpanKind::server, std::nullopt
    );
    const auto asked = [&](const char* arguments) {
        (void)tools::run_tool(
            pipeline.context,
            tool,
            json::parse(arguments),
            {.identity = pipeline.identity, .stop = {}, .span = &span, .id = "c"}
        );
    };
    asked("{}");
    const auto validated = pipeline.spans.find("validate_arguments");
    REQUIRE(validated);
    CHECK(validated->parent_span_id == span.context().span_id);
    CHECK_FALSE(interlock::test::text_of(*validated, "error.type"));
    const auto rendered = pipeline.spans.find("render_result");
    REQUIRE(rendered);
    CHECK(rendered->parent_span_id == span.context().span_id);
    CHECK_FALSE(pipeline.spans.find("tool sample"));
    asked(R"({"surprise":1,"another":2})");
    CHECK(
        interlock::test::text_of(*pipeline.spans.find("validate_arguments"), "error.type") ==
        "invalid_arguments"
    );
    span.end();
    const auto whole = pipeline.spans.find("tools/call sample");
    CHECK(interlock::test::text_of(*whole, "interlock.tool.outcome") == "invalid_arguments");
    CHECK(interlock::test::number_of(*whole, "mcp.schema_validation_errors") == 2);
    CHECK(interlock::test::number_of(*whole, "mcp.payload_bytes_uncut") > 0);
    CHECK_FALSE(whole->error); // whether that is the server's failure is its own to say
    CHECK_THAT(
        pipeline.metrics.render(),
        Catch::Contains("interlock_execution_duration_seconds_count{gen_ai_tool_name=\"sample\"} 1")
    );
}

TEST_CASE("a call outside an operation has a span of its own", "[tools]") {
    Pipeline pipeline;
    (void)pipeline.run([](auto&, auto&) -> base::Result<tools::Output> {
        return base::Error{base::Errc::timeout, "It took \x1b[31mlong.", "Wait."};
    });
    const auto span = pipeline.spans.find("tool sample");
    REQUIRE(span);
    CHECK(span->error);
    CHECK(span->status_message == "It took long.");
    CHECK(interlock::test::text_of(*span, "error.type") == "timeout");
    CHECK(interlock::test::text_of(*span, "interlock.call.id") == "c");
}
