#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "server/identity_log.hpp"
#include "tests/server/captured_log.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::server::TurnedAway;
using interlock::test::CapturedLog;

TEST_CASE("a line says who asked, how that was proven and what became of it", "[server]") {
    interlock::telemetry::Identity identity{
        "acme:alice",
        "https://issuer.example",
        "jwt",
        "evil\x1b[31m client",
        "readers",
        {{"email", "alice@example.org"}}};
    CapturedLog log;
    interlock::server::log_identity(
        {.call = "call_a",
         .method = "tools/call",
         .name = "get_plan\n{}",
         .transport = "http",
         .outcome = "not_found",
         .incident = "INC\n7"},
        identity
    );
    const auto lines = log.lines("identity");
    REQUIRE(lines.size() == 1);
    const base::Json& line = lines[0];
    CHECK(line["subject"] == "acme:alice");
    CHECK(line["incident"] == "INC 7");
    CHECK(line["issuer"] == "https://issuer.example");
    CHECK(line["proof"] == "jwt");
    CHECK(line["role"] == "readers");
    CHECK(line["call"] == "call_a");
    CHECK(line["outcome"] == "not_found");
    CHECK(line["name"] == "get_plan {}");
    CHECK(line["client"].get<std::string>().find('\x1b') == std::string::npos);
    CHECK(line.dump().find("alice@example.org") == std::string::npos); // no claims
}

TEST_CASE("a line has the roles that targets were read with, where any was", "[server]") {
    interlock::telemetry::Identity identity{"os:ann", "os", "os_user", "", "", {}};
    CapturedLog log;
    interlock::server::log_identity({"call_a", "tools/call", "x", "http", "ok"}, identity);
    interlock::server::log_identity({"call_b", "tools/call", "x", "http", "ok", "diag"}, identity);
    identity.database_role = "mapped";
    interlock::server::log_identity({"call_c", "tools/call", "x", "http", "refused"}, identity);
    const auto lines = log.lines("identity");
    REQUIRE(lines.size() == 3);
    CHECK(lines[0]["role"] == "");
    CHECK(lines[1]["role"] == "diag");
    CHECK(lines[2]["role"] == "mapped");
}

TEST_CASE("who was proven and may do nothing is named", "[server]") {
    interlock::telemetry::Metrics metrics;
    interlock::test::SharedClock clock;
    TurnedAway away(metrics, clock);
    CapturedLog log;
    interlock::telemetry::Identity known{"acme:bob", "https://issuer.example", "jwt", "", "", {}};
    away.tell(403, "203.0.113.9", known);
    known.database_role = "readers";
    away.tell(403, "203.0.113.9", known);
    const auto lines = log.lines("identity");
    REQUIRE(lines.size() == 2);
    CHECK(lines[0]["outcome"] == "not_mapped");
    CHECK(lines[0]["subject"] == "acme:bob");
    CHECK(lines[0]["issuer"] == "https://issuer.example");
    CHECK(lines[0]["proof"] == "jwt");
    CHECK(lines[1]["outcome"] == "no_scope");
    CHECK(lines[1]["role"] == "readers");
}

TEST_CASE("strangers cannot fill the log, and are counted", "[server]") {
    interlock::telemetry::Metrics metrics;
    interlock::test::SharedClock clock;
    TurnedAway away(metrics, clock);
    CapturedLog log;
    const int many = base::limits::turned_away_lines + 940;
    for (int i = 0; i < many; ++i) {
        away.tell(401, "203.0.113.9");
    }
    auto lines = log.lines("identity");
    REQUIRE(lines.size() == static_cast<std::size_t>(base::limits::turned_away_lines));
    CHECK(lines[0]["outcome"] == "no_proof");
    CHECK(lines[0]["peer"] == "203.0.113.9");
    clock.advance(std::chrono::minutes(1));
    away.tell(403, "203.0.113.9");
    lines = log.lines("identity");
    REQUIRE(lines.size() == static_cast<std::size_t>(base::limits::turned_away_lines) + 1);
    CHECK(lines.back()["outcome"] == "not_mapped");
    CHECK(lines.back()["untold_before"] == "940");
    const std::string shown = metrics.render();
    CHECK(
        shown.find("interlock_turned_away_total{reason=\"no_proof\"} " + std::to_string(many)) !=
        std::string::npos
    );
}

} // namespace
