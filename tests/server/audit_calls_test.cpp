#include "base/digest.hpp"
#include "base/json.hpp"
#include "server/audit_calls.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::test::Core;
using interlock::test::modern_meta;

Json parsed(const std::string& text) {
    auto value = interlock::base::parse_json(text);
    REQUIRE(value.ok());
    return std::move(value).value();
}

std::string call_text(const std::string& tool, const std::string& arguments) {
    return R"({"jsonrpc":"2.0","id":"q7","method":"tools/call","params":{"name":)" + tool +
           R"(,"arguments":)" + arguments + "," + modern_meta() + "}}";
}

} // namespace

TEST_CASE("a call leaves one leaf before the work and one before its result", "[server]") {
    Core core;
    const auto reply = core.ask(call_text(R"("echo")", R"({"text":"hi"})"), core.stdio());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].type == "tool.begin");
    CHECK(entries[0].actor == "os:tester");
    const Json begin = parsed(entries[0].payload);
    CHECK(begin["tool"] == "echo");
    CHECK(begin["arguments"] == Json{{"text", "hi"}});
    CHECK(begin["transport"] == "stdio");
    CHECK(begin["protocol_version"] == "2026-07-28");
    CHECK(begin["request_id"] == R"("q7")");
    CHECK(begin["identity"]["subject"] == "os:tester");
    CHECK(begin["trace"].get<std::string>().size() == 55);
    CHECK(entries[1].type == "tool.end");
    const Json end = parsed(entries[1].payload);
    CHECK(end["call"] == begin["call"]);
    CHECK(end["outcome"] == "ok");
    CHECK(end["result_bytes"] == reply.body.size());
    CHECK(end["result_digest"] == interlock::base::hex(interlock::base::sha256(reply.body)));
}

TEST_CASE("refused and unknown calls are recorded too", "[server]") {
    Core core;
    core.ask(call_text(R"("echo")", R"({"text":7})"), core.stdio());
    core.ask(call_text(R"("rm\u202e -rf")", "{}"), core.stdio());
    const auto entries = core.audit.entries();
    REQUIRE(entries.size() == 4);
    CHECK(parsed(entries[0].payload)["arguments"]["text"] == 7);
    CHECK(parsed(entries[1].payload)["outcome"] == "invalid_arguments");
    CHECK(parsed(entries[2].payload)["tool"] == "rm -rf");
    CHECK(parsed(entries[3].payload)["outcome"] == "unknown_tool");
}
