#include "base/digest.hpp"
#include "base/json.hpp"
#include "server/operation_span.hpp"
#include "tests/server/fixture.hpp"
#include "tests/support/fakes.hpp"
#include "tests/support/spans.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::server::describe_call;
using interlock::server::describe_error;
using interlock::server::identity_context;
using interlock::test::number_of;
using interlock::test::text_of;

namespace {

struct Fixture {
    interlock::test::KeptSpans spans;
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    interlock::telemetry::Tracer tracer{spans, clock, random};

    interlock::telemetry::FinishedSpan failed_with(int code) {
        auto span = tracer.start("x", interlock::telemetry::SpanKind::server, std::nullopt);
        describe_error(span, {code, "What went wrong.", {}});
        span.end();
        return spans.all().back();
    }
};

} // namespace

TEST_CASE("an identity without a mapped role says so", "[server]") {
    CHECK(
        identity_context({"os:ann", "os", "os_user", "ignored", "", {{"email", "a@b"}}}) ==
        R"({"subject":"os:ann","issuer":"os","proof":"os_user","database_role":null})"
    );
}

TEST_CASE("hostile names in an identity stay one JSON object", "[server]") {
    const auto parsed =
        interlock::base::parse_json(identity_context({"a\"}", "\xff", "jwt", "", "r\n", {}}));
    REQUIRE(parsed);
    CHECK((*parsed)["subject"] == "a\"}");
    CHECK((*parsed)["database_role"] == "r\n");
    CHECK(parsed->size() == 4);
}

TEST_CASE("only what a server answers for itself is a failed span", "[server]") {
    Fixture f;
    for (const int code : {-32603, -32000, -32002, -32021, -32099}) {
        const auto span = f.failed_with(code);
        CHECK(span.error);
        CHECK(span.status_message == "What went wrong.");
        CHECK(text_of(span, "error.type") == std::to_string(code));
        CHECK(text_of(span, "rpc.response.status_code") == std::to_string(code));
    }
    for (const int code : {-32700, -32600, -32601, -32602, -31999, -32100}) {
        const auto span = f.failed_with(code);
        CHECK_FALSE(span.error);
        CHECK(text_of(span, "error.type") == std::to_string(code));
        CHECK(text_of(span, "rpc.response.status_code") == std::to_string(code));
    }
}

TEST_CASE("arguments are in a span as a size and a digest", "[server]") {
    Fixture f;
    auto job = interlock::test::example_job(interlock::server::Era::modern, f.tracer, f.clock);
    job.arguments = R"({"password":"hunter2","target":"shop"})";
    job.params = std::make_shared<const interlock::base::Json>(interlock::base::Json{
        {"arguments", interlock::base::Json::parse(job.arguments)}});
    job.incident = "INC-7 password=hunter2";
    describe_call(job.span, job, "call_1", "the key of this process");
    job.span.end();
    const auto span = f.spans.all().back();
    CHECK(text_of(span, "interlock.call.id") == "call_1");
    CHECK(text_of(span, "interlock.incident") == "INC-7 password=[redacted:password]");
    CHECK(number_of(span, "mcp.payload_bytes_in") == 38);
    CHECK(
        text_of(span, "interlock.arguments.hmac") ==
        interlock::base::hex(interlock::base::hmac_sha256("the key of this process", job.arguments))
    );
    for (const auto& [key, value] : span.attributes) {
        if (const auto* text = std::get_if<std::string>(&value)) {
            CHECK(text->find("hunter2") == std::string::npos);
        }
    }
}
