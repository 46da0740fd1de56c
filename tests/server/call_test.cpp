#include "base/json.hpp"
#include "server/call.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::test::Core;
using interlock::test::modern_headers;
using interlock::test::modern_meta;
using interlock::test::Replies;

std::string call_text(const std::string& tool, const std::string& arguments) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + tool +
           R"(","arguments":)" + arguments + "," + modern_meta() + "}}";
}

Json parsed(const std::string& text) {
    auto value = interlock::base::parse_json(text);
    REQUIRE(value.ok());
    return std::move(value).value();
}

Json ask(Core& core, const std::string& tool, const std::string& arguments) {
    return parsed(core.ask(call_text(tool, arguments), core.stdio()).body);
}

} // namespace

TEST_CASE("without an audit log no call is made", "[server]") {
    Core core;
    core.audit.allow(0);
    const Json answer = ask(core, "echo", R"({"text":"hi"})");
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer["result"]["structuredContent"]["error"]["code"] == "io");
    CHECK_FALSE(core.runner.audit_works());
    CHECK(core.spans.find("tool echo") == std::nullopt);
    CHECK(core.metrics.render().find("interlock_audit_failures_total 1") != std::string::npos);
    core.audit.allow(100);
    CHECK(ask(core, "echo", R"({"text":"hi"})")["result"]["isError"] == false);
    CHECK(core.runner.audit_works());
}

TEST_CASE("a result that cannot be recorded is withheld", "[server]") {
    Core core;
    core.audit.allow(1);
    const Json answer = ask(core, "echo", R"({"text":"secret"})");
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer.dump().find("secret") == std::string::npos);
}

TEST_CASE("a cancelled call is answered with silence and recorded as cancelled", "[server]") {
    Core core;
    Replies replies;
    core.handler.handle(call_text("waits", "{}"), core.stdio(), {}, replies.receiver());
    const auto cancel = core.ask(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
        core.stdio()
    );
    CHECK(cancel.body.empty());
    CHECK(replies.wait(1).front().body.empty());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(parsed(entries[1].payload)["outcome"] == "cancelled");
}

TEST_CASE("a call past its deadline is answered as timed out", "[server]") {
    Core core;
    Replies replies;
    core.handler.handle(call_text("waits", "{}"), core.stdio(), {}, replies.receiver());
    core.clock.advance(interlock::base::limits::tool_call_deadline + std::chrono::seconds(1));
    const Json answer = parsed(replies.wait(1).front().body);
    CHECK(answer["result"]["structuredContent"]["error"]["code"] == "timeout");
}

TEST_CASE("outcomes are counted by tool", "[server]") {
    Core core;
    ask(core, "echo", R"({"text":"hi"})");
    ask(core, "echo", R"({"wrong":1})");
    ask(core, "fails", "{}");
    ask(core, "no_such_tool_of_ours", "{}");
    const std::string text = core.metrics.render();
    const auto shows = [&](const std::string& line) {
        return text.find(line) != std::string::npos;
    };
    CHECK(shows(R"(interlock_tool_calls_total{gen_ai_tool_name="echo",outcome="ok"} 1)"));
    CHECK(shows(
        R"(interlock_tool_calls_total{gen_ai_tool_name="echo",outcome="invalid_arguments"} 1)"
    ));
    CHECK(shows(R"(interlock_schema_errors_total{gen_ai_tool_name="echo"} 1)"));
    CHECK(shows(R"(interlock_tool_calls_total{gen_ai_tool_name="fails",outcome="target_busy"} 1)"));
    CHECK_FALSE(shows("no_such_tool_of_ours"));
}

TEST_CASE("a failed tool marks its span", "[server]") {
    Core core;
    ask(core, "fails", "{}");
    const auto span = core.spans.find("tools/call fails");
    REQUIRE(span);
    CHECK(span->error);
}
