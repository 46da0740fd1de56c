#include "base/limits.hpp"
#include "runbooks/planner.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

using runbooks::make_plan;
using test::release_contract;
using test::release_plan;
using test::release_target;

constexpr const char* backend_start = "2026-11-21T02:55:10.123456Z";
constexpr const char* xact_start = "2026-11-21T02:58:41.654321Z";

base::Error problem(const std::string& parameters, const std::string& cause = "lock.idle_in_tx") {
    const auto plan = make_plan(release_contract(), {cause, parameters}, release_target());
    REQUIRE_FALSE(plan.ok());
    return plan.error();
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::vector<runbooks::BoundStatement> statements_of(const runbooks::Plan& plan) {
    std::vector<runbooks::BoundStatement> out;
    for (const auto* checks :
         {&plan.preconditions, &plan.verification.recovery, &plan.verification.guardrails}) {
        for (const auto& check : *checks) {
            out.push_back(check.statement);
        }
    }
    for (const auto& step : plan.steps) {
        out.push_back(step.statement);
        out.push_back(step.probe->statement);
    }
    return out;
}

} // namespace

TEST_CASE("the diagnosed cause decides which step is planned", "[runbooks]") {
    const std::vector<std::pair<std::string, std::string>> decisions{
        {"lock.idle_in_tx", "terminate-session"},
        {"lock.active_blocker", "cancel-statement"},
        {"lock.ddl_queue", "cancel-statement"},
    };
    for (const auto& [cause, step] : decisions) {
        const auto plan = release_plan(cause);
        REQUIRE(plan.steps.size() == 1);
        CHECK(plan.steps[0].id == step);
        CHECK(plan.steps[0].statement.parameters.size() == 3);
    }
}

TEST_CASE(
    "a plan carries the contract, the target and the lifetimes it was made with", "[runbooks]"
) {
    const auto plan = release_plan();
    CHECK(plan.runbook == "release-blocking-session");
    CHECK(plan.runbook_version == 1);
    CHECK(plan.runbook_digest == release_contract().digest);
    CHECK(plan.target == release_target());
    CHECK(plan.lease_key == "7312345678901234567/app");
    CHECK(plan.pending_lifetime_s == base::limits::pending_lifetime.count());
    CHECK(plan.policy_digest.empty());
    CHECK(plan.policy_verdict.empty());
    CHECK(plan.attempt == 1);
    CHECK(plan.verification.hold_ms == 8'000);
}

TEST_CASE("values are bound, never written into a statement", "[runbooks]") {
    for (const auto& statement : statements_of(release_plan())) {
        INFO(statement.sql);
        CHECK_FALSE(holds(statement.sql, "4242"));
        CHECK_FALSE(holds(statement.sql, "2026-11-21"));
        CHECK_FALSE(holds(statement.sql, "{"));
    }
    const auto step = release_plan().steps[0].statement;
    CHECK(holds(step.sql, "session.pid = $1::pg_catalog.int4"));
    CHECK(holds(step.sql, "session.backend_start = $2::pg_catalog.timestamptz"));
    CHECK(holds(step.sql, "session.xact_start = $3::pg_catalog.timestamptz"));
    CHECK(step.parameters[0].value == "4242");
    CHECK(step.parameters[1].value == backend_start);
    CHECK(step.parameters[2].value == xact_start);
}

TEST_CASE("the same effects make the same bytes, however the agent spells them", "[runbooks]") {
    const auto other = make_plan(
        release_contract(),
        {"lock.idle_in_tx",
         R"({"xact_start":"2026-11-21T03:58:41.654321+01:00","signal":"terminate","pid":4242,)"
         R"("backend_start":"2026-11-21T02:55:10.123456Z"})"},
        release_target()
    );
    REQUIRE(other.ok());
    CHECK(plan_bytes(*other) == plan_bytes(release_plan()));
}

TEST_CASE("a parameter that contradicts the decision table is refused", "[runbooks]") {
    const auto error = problem(
        R"({"pid":1,"backend_start":"2026-11-21T02:55:10Z","xact_start":"2026-11-21T02:55:10Z",)"
        R"("signal":"terminate"})",
        "lock.ddl_queue"
    );
    CHECK(error.code == base::Errc::invalid_arguments);
    CHECK(holds(error.what, "signal is decided by the runbook: cancel for lock.ddl_queue"));
}

TEST_CASE("every bad parameter is told at once", "[runbooks]") {
    const auto error =
        problem(R"({"pid":"4242","backend_start":"yesterday","signal":"kill","sql":"drop table t"})"
        );
    CHECK(error.code == base::Errc::invalid_arguments);
    CHECK(holds(error.what, "pid must be an integer"));
    CHECK(holds(error.what, "backend_start is not an RFC 3339 time"));
    CHECK(holds(error.what, "xact_start is missing"));
    CHECK(holds(error.what, "signal is not one of cancel, terminate"));
    CHECK(holds(error.what, "`sql` is not a parameter"));
}

TEST_CASE("hostile parameter values never make a plan", "[runbooks]") {
    const std::vector<std::string> pids{
        R"("1; drop table orders")",
        R"("1 or true")",
        R"("x\"; DROP TABLE y; --")",
        R"("$1")",
        R"("{pid}")",
        R"("\u0661")",
        R"("\uff11")",
        R"("1\u0000")",
        R"("\\")",
        R"("0x10")",
        "0",
        "-1",
        "2147483648",
        "4294967297",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
        "1e3",
        "4242.0",
        "null",
        "true",
        "[4242]",
        R"({"$ne":0})",
    };
    for (const auto& pid : pids) {
        INFO(pid);
        const auto plan = make_plan(
            release_contract(),
            {"lock.idle_in_tx",
             "{\"pid\":" + pid + ",\"backend_start\":\"" + backend_start + "\",\"xact_start\":\"" +
                 xact_start + "\"}"},
            release_target()
        );
        REQUIRE_FALSE(plan.ok());
    }
    const std::vector<std::string> times{
        R"("now")",
        R"("infinity")",
        R"("2026-11-21T02:55:10Z'; drop table orders; --")",
        R"("2026-11-21T02:55:10Z\u202e")",
        R"("2026-11-21T02:55:10Z\n")",
        R"("\u0032026-11-21")",
        R"("epoch")",
        "1763693710",
        "null",
        "[]",
    };
    for (const auto& time : times) {
        INFO(time);
        const auto plan = make_plan(
            release_contract(),
            {"lock.idle_in_tx",
             "{\"pid\":4242,\"backend_start\":" + time + ",\"xact_start\":\"" + xact_start + "\"}"},
            release_target()
        );
        REQUIRE_FALSE(plan.ok());
    }
}

TEST_CASE("an error shows a hostile value short and harmless", "[runbooks]") {
    const auto error = problem(
        R"({"pid":1,"xact_start":"2026-11-21T02:55:10Z","backend_start":"\u001b[31m\u202e)" +
        std::string(5'000, 'x') + "\"}"
    );
    CHECK(error.what.size() < 400);
    for (const char c : error.what) {
        CHECK((c >= ' ' && c <= '~'));
    }
}

TEST_CASE("parameters that are no JSON object are refused", "[runbooks]") {
    for (const std::string text : {"", "[]", "null", "4242", "{\"pid\":1,\"pid\":2}", "{pid:1}"}) {
        INFO(text);
        CHECK_FALSE(make_plan(release_contract(), {"lock.idle_in_tx", text}, release_target()).ok()
        );
    }
}

TEST_CASE("a cause without a decision is refused with the causes there are", "[runbooks]") {
    for (const std::string cause : {"lock.hot_row", "", "lock.idle_in_tx ", "\u202elock"}) {
        const auto error = problem(test::release_parameters(), cause);
        CHECK(error.code == base::Errc::refused);
        CHECK(holds(error.remedy, "lock.idle_in_tx, lock.active_blocker, lock.ddl_queue"));
    }
}

TEST_CASE("a server too old for the contract's statements is refused", "[runbooks]") {
    auto target = release_target();
    target.server_major = 13;
    const auto plan =
        make_plan(release_contract(), {"lock.idle_in_tx", test::release_parameters()}, target);
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().code == base::Errc::refused);
    CHECK(holds(plan.error().what, "PostgreSQL 14"));
}

TEST_CASE("an optional parameter falls back and a decided one needs no word", "[runbooks]") {
    auto contract = release_contract();
    for (auto& parameter : contract.parameters) {
        if (parameter.name == "pid") {
            parameter.required = false;
            parameter.fallback = "77";
        }
    }
    const auto plan = make_plan(
        contract,
        {"lock.idle_in_tx",
         R"({"backend_start":"2026-11-21T02:55:10Z","xact_start":"2026-11-21T02:55:10Z"})"},
        release_target()
    );
    REQUIRE(plan.ok());
    CHECK(plan->steps[0].statement.parameters[0].value == "77");
}

TEST_CASE("no plan is made when no step is meant for the parameters", "[runbooks]") {
    auto contract = release_contract();
    for (auto& step : contract.steps) {
        step.when = {{"signal", "neither"}};
    }
    const auto plan =
        make_plan(contract, {"lock.idle_in_tx", test::release_parameters()}, release_target());
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().code == base::Errc::refused);
}

} // namespace interlock
