#include "base/digest.hpp"
#include "server/audit_calls.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::base::Json;
using interlock::test::call_text;
using interlock::test::Core;
using interlock::test::json;

TEST_CASE("a call leaves one leaf before the work and one before its result", "[server]") {
    Core core;
    const auto reply =
        core.ask(call_text("echo", R"({"text":"hi"})", "{}", "", R"("q7")"), core.stdio());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].type == "tool.begin");
    CHECK(entries[0].actor == "os:tester");
    const Json begin = json(entries[0].payload);
    CHECK(begin["tool"] == "echo");
    CHECK(begin["arguments"] == Json{{"text", "hi"}});
    CHECK(begin["transport"] == "stdio");
    CHECK(begin["protocol_version"] == "2026-07-28");
    CHECK(begin["request_id"] == R"("q7")");
    CHECK(begin["session"] == "");
    CHECK(begin["identity"]["subject"] == "os:tester");
    CHECK(begin["trace"].get<std::string>().size() == 55);
    CHECK(entries[1].type == "tool.end");
    const Json end = json(entries[1].payload);
    CHECK(end["call"] == begin["call"]);
    CHECK(end["outcome"] == "ok");
    CHECK_FALSE(end.contains("database_role")); // no target was read
    CHECK_FALSE(end.contains("evidence"));
    CHECK(end["result_bytes"] == reply.body.size());
    CHECK(end["result_digest"] == interlock::base::hex(interlock::base::sha256(reply.body)));
}

TEST_CASE("an end says as which role targets were read and what was kept", "[server]") {
    using interlock::server::ToolAnswer;
    const auto keeps = [](interlock::server::Conversation&,
                          const Json&) -> interlock::server::Outcome<ToolAnswer> {
        ToolAnswer answer{"[]", "{}"};
        answer.trail = {"interlock_diag", "ev_aaaaaaaaaaaaaaaaaaaaaaaaaa", std::string(64, 'a')};
        return answer;
    };
    Core core({}, interlock::test::offer_with({interlock::test::example_tool("keeps", keeps)}));
    core.ask(call_text("keeps"), core.stdio());
    const Json end = json(core.audit.entries().at(1).payload);
    CHECK(end["database_role"] == "interlock_diag");
    CHECK(end["evidence"] == "ev_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK(end["evidence_digest"] == std::string(64, 'a'));
}

TEST_CASE("both leaves of a call name the incident that it names", "[server]") {
    Core core;
    Json call = json(call_text("echo"));
    call["params"]["_meta"]["interlock/incident"] = "INC-7";
    core.ask(call.dump(), core.stdio());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(json(entries[0].payload)["incident"] == "INC-7");
    CHECK(json(entries[1].payload)["incident"] == "INC-7");
    core.ask(call_text("echo"), core.stdio());
    CHECK_FALSE(json(core.audit.entries().at(2).payload).contains("incident"));
    call["params"]["_meta"]["interlock/incident"] = std::string(101, 'x');
    const Json refused = json(core.ask(call.dump(), core.stdio()).body);
    CHECK(refused["error"]["code"] == -32602);
    CHECK(core.audit.entries().size() == 4); // it never became a call
}

TEST_CASE("failed and unknown calls are recorded too", "[server]") {
    Core core;
    core.ask(call_text("fails"), core.stdio());
    core.ask(call_text(R"(rm\u202e -rf)"), core.stdio());
    core.ask(call_text("throws"), core.stdio());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 6);
    CHECK(json(entries[1].payload)["outcome"] == "target_busy");
    CHECK(json(entries[2].payload)["tool"] == "rm -rf");
    CHECK(json(entries[3].payload)["outcome"] == "unknown_tool");
    CHECK(json(entries[5].payload)["outcome"] == "internal");
}

TEST_CASE("whatever a caller calls itself, its record is whole", "[server]") {
    Core core;
    auto arrival = core.stdio();
    arrival.access.identity.subject = "a \"quoted\" one\n\\";
    arrival.access.identity.claims = {{"groups\"", "dba\t\xff"}, {"sub", "x"}};
    core.ask(call_text("echo", R"({"text":"\"}{"})"), arrival);
    const Json begin = json(core.audit.entries().at(0).payload);
    CHECK(begin["identity"]["subject"] == "a \"quoted\" one\n\\");
    CHECK(begin["identity"]["claims"].size() == 2);
    CHECK(begin["identity"]["claims"]["groups\""] == "dba\t\xef\xbf\xbd");
    CHECK(begin["arguments"]["text"] == "\"}{");
    CHECK(begin["identity"]["issuer"] == arrival.access.identity.issuer);
}

TEST_CASE("a call in a session is recorded with it", "[server]") {
    Core core;
    const auto opened = core.ask(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize",)"
        R"("params":{"protocolVersion":"2025-11-25"}})",
        Core::http()
    );
    auto arrival = Core::http();
    arrival.headers.session = {1, opened.session};
    core.ask(R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}})", arrival);
    const Json begin = json(core.audit.entries().at(0).payload);
    CHECK(begin["session"] == opened.session);
    CHECK(begin["transport"] == "http");
    CHECK(begin["protocol_version"] == "2025-11-25");
}
