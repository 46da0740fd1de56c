#include "base/limits.hpp"
#include "server/sameness.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::server::call_fingerprint;
using interlock::server::result_fingerprint;
using interlock::server::ToolAnswer;

std::string seen(const std::string& structured) {
    ToolAnswer answer;
    answer.content = "[]";
    answer.structured = structured;
    return result_fingerprint(answer);
}

/// A packet as tools make it.
std::string packet(
    const std::string& id, const std::string& at, int pid, const std::string& age, int rows = 1
) {
    std::string sessions;
    for (int i = 0; i < rows; ++i) {
        sessions += std::string(i > 0 ? "," : "") + R"({"pid":)" + std::to_string(pid + i) +
                    R"(,"state":"active","longest_in_state_seconds":)" + age + "}";
    }
    return R"({"id":"ev_)" + id + R"(","summary":"1 session waits for )" + age +
           R"( s.","findings":[{"severity":"warning","object":"backend )" + std::to_string(pid) +
           R"(","value":")" + age + R"( s","threshold":"120 s","meaning":"It waits."}],)" +
           R"("rows":{"sessions":[)" + sessions + R"(]},"not_examined":[],"source":{"target":)" +
           R"("shop","at":")" + at + R"(","replay_lag_seconds":)" + age + "}}";
}

TEST_CASE("ids, times and ages of an answer hide no loop", "[server]") {
    CHECK(
        seen(packet("aaaa", "2026-11-21T03:00:00.000000Z", 42, "181.5")) ==
        seen(packet("bbbb", "2026-11-21T03:00:09.000000Z", 42, "190.25"))
    );
}

TEST_CASE("what an agent can learn from makes a result another one", "[server]") {
    const auto before = seen(packet("a", "t", 42, "1"));
    CHECK(seen(packet("a", "t", 43, "1")) != before);    // another backend
    CHECK(seen(packet("a", "t", 42, "1", 2)) != before); // one more row
    CHECK(
        seen(R"({"plan_id":"plan_a","state":"PENDING"})") !=
        seen(R"({"plan_id":"plan_a","state":"APPROVED"})")
    );
    CHECK(seen(R"({"summary":"All is well."})") != seen(R"({"summary":"All is lost."})"));
    CHECK(seen(R"({"rows":{"a":[{"calls":1}]}})") != seen(R"({"rows":{"a":[{"calls":2}]}})"));
    CHECK(seen(R"({"xact_start":"10:00"})") != seen(R"({"xact_start":"10:01"})"));
}

TEST_CASE("what counts of a packet is found wherever it stands", "[server]") {
    // Not counted, with everything in it.
    CHECK(seen(R"({"whole":{"a":[1,"}",{"b":"]"}]},"x":1})") == seen(R"({"whole":null,"x":1})"));
    CHECK(seen(R"({"at":"\"","x":1})") == seen(R"({"at":"","x":1})"));
    // Counted behind it, and in strings that look like structure.
    CHECK(seen(R"({"at":"\"","x":1})") != seen(R"({"at":"\"","x":2})"));
    CHECK(seen(R"({"a":"x\\","b":"y"})") != seen(R"({"a":"x\\","b":"z"})"));
    CHECK(seen(R"({"a":{}})") != seen(R"({"a":[]})"));
    CHECK(seen(R"({"a":true})") != seen(R"({"a":null})"));
    CHECK(seen(R"({"a":-1.5e+3})") != seen(R"({"a":-1.5e+4})"));
    // A sentence without its numbers, in a list too; what stands in an object of it counts.
    CHECK(seen(R"({"because":["3 wait",7]})") == seen(R"({"because":["4 wait",8]})"));
    CHECK(seen(R"({"because":[{"pid":1}]})") != seen(R"({"because":[{"pid":2}]})"));
    CHECK(seen("{ \"a\" : [ 1 , 2 ] }\n") == seen(R"({"a":[1,2]})"));
}

TEST_CASE("what is no packet is told by its text", "[server]") {
    const auto plain = seen("");
    for (const char* structured :
         {"{",
          "{}x",
          "[1]",
          R"({"a"})",
          R"({"a":})",
          R"({"a":1,})",
          R"({"a":"x)",
          R"({"a":"x\)",
          R"({"a":[1)",
          R"({"a":[1 2]})",
          R"({"a":nonsense})",
          R"({a:1})",
          "7"}) {
        INFO(structured);
        CHECK(seen(structured) == plain);
    }
    std::string deep = "{\"a\":";
    for (int i = 0; i < 10'000; ++i) {
        deep += '[';
    }
    CHECK(seen(deep) == plain);
}

TEST_CASE("a result without a packet is what it says", "[server]") {
    ToolAnswer one;
    one.content = R"([{"type":"text","text":"one"}])";
    ToolAnswer two = one;
    CHECK(result_fingerprint(one) == result_fingerprint(two));
    two.content = R"([{"type":"text","text":"two"}])";
    CHECK(result_fingerprint(one) != result_fingerprint(two));
}

TEST_CASE("a call is its tool and its arguments", "[server]") {
    CHECK(call_fingerprint("a", "{}") == call_fingerprint("a", "{}"));
    CHECK(call_fingerprint("a", "{}") != call_fingerprint("b", "{}"));
    CHECK(call_fingerprint("a", "{}") != call_fingerprint("a", R"({"target":"shop"})"));
}

} // namespace
