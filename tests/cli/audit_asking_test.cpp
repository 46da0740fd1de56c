#include "cli/audit_asking.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

const std::string trace(32, 'a');
const std::string span = "00-" + trace + "-" + std::string(16, 'b') + "-01";
const std::string other_span = "00-" + trace + "-" + std::string(16, 'c') + "-01";

base::Json begins(const std::string& call, const std::string& at) {
    return {
        {"call", call},
        {"tool", "propose_plan"},
        {"trace", at},
        {"identity",
         {{"issuer", "https://issuer"},
          {"proof", "jwt"},
          {"claims", {{"team", "sre"}}},
          {"database_role", "diag"}}}};
}

} // namespace

TEST_CASE("the call that asked for a plan is found by its span", "[cli]") {
    AskingCalls calls;
    calls.take(1, "T1", "tool.begin", "os:agent", begins("one", span));
    calls.take(2, "T2", "tool.begin", "os:agent", begins("two", other_span));
    calls.take(3, "T3", "tool.begin", "os:other", begins("three", span));
    calls.take(9, "T9", "tool.end", "os:agent", {{"call", "one"}, {"outcome", "ok"}});
    const auto* call = calls.that_asked({5, "os:agent", span});
    REQUIRE(call != nullptr);
    CHECK(call->call == "one");
    CHECK(call->end == 9U);
    CHECK(call->outcome == "ok");
    CHECK(call->issuer == "https://issuer");
    CHECK(call->proof == "jwt");
    CHECK(call->database_role == "diag");
    CHECK(call->claims == R"({"team":"sre"})");
    // A span within the call's: the last of that trace that had begun.
    const auto inner = "00-" + trace + "-" + std::string(16, 'd') + "-01";
    CHECK(calls.that_asked({5, "os:agent", inner})->call == "two");
}

TEST_CASE("no call is said to have asked that cannot have", "[cli]") {
    AskingCalls calls;
    calls.take(4, "T", "tool.begin", "os:agent", begins("one", span));
    calls.take(6, "T", "tool.end", "os:agent", {{"call", "one"}});
    CHECK(calls.that_asked({5, "os:agent", span}) != nullptr);
    CHECK(calls.that_asked({3, "os:agent", span}) == nullptr); // before it began
    CHECK(calls.that_asked({7, "os:agent", span}) == nullptr); // after it ended
    CHECK(calls.that_asked({5, "os:other", span}) == nullptr);
    CHECK(calls.that_asked({5, "os:agent", ""}) == nullptr);
    calls.take(8, "T", "tool.begin", "os:agent", base::Json::object()); // erased
    CHECK(calls.all().size() == 1);
}

} // namespace interlock::cli
