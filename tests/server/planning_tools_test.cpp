#include "base/json.hpp"
#include "server/planning_tools.hpp"
#include "tests/server/offer_bench.hpp"
#include "tools/run.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::test::OfferBench;

/// The planning tools over a queue of their own.
struct Planning {
    /// Runs a tool as `subject` and returns its structured content.
    Json
    run(const std::string& name, const Json& arguments, const std::string& subject = "os:tester") {
        interlock::telemetry::Identity identity;
        identity.subject = subject;
        for (const auto& tool :
             interlock::server::planning_tools({bench.queue, "https://desk.example/"})) {
            if (tool.name == name) {
                const auto output = interlock::tools::run_tool(
                    bench.context,
                    tool,
                    arguments,
                    {.identity = identity, .stop = {}, .span = nullptr, .id = "call_test"}
                );
                text = output.text;
                return interlock::test::json_of(output.structured);
            }
        }
        throw std::runtime_error("no tool " + name);
    }
    /// A plan in the queue, submitted by `subject`.
    interlock::approval::StoredPlan submit(const std::string& subject) {
        auto stored = bench.queue.get(bench.submit(subject));
        REQUIRE(stored.ok());
        return std::move(stored).value();
    }

    OfferBench bench;
    std::string text;
};

} // namespace

TEST_CASE("runbooks are listed with what a proposal needs", "[server]") {
    Planning planning;
    const Json all = planning.run("list_runbooks", Json::object());
    REQUIRE(all["runbooks"].size() >= 1);
    const Json for_cause = planning.run("list_runbooks", {{"cause", "lock.idle_in_tx"}});
    const Json& runbook = for_cause["runbooks"].at(0);
    CHECK(runbook["id"] == "release-blocking-session");
    CHECK(runbook["required_observations"][0]["tool"] == "diagnose");
    CHECK(runbook["parameters"][0]["name"] == "pid");
    CHECK(planning.text.find("release-blocking-session") != std::string::npos);
    CHECK(planning.run("list_runbooks", {{"cause", "no.such"}})["runbooks"].empty());
}

TEST_CASE("a proposal for an unknown runbook or target is told apart", "[server]") {
    Planning planning;
    Json arguments{
        {"runbook", "drop-everything"},
        {"cause", "lock.idle_in_tx"},
        {"parameters", Json::object()},
        {"hypothesis", "x"},
        {"evidence", Json::array({"ev_x"})}};
    CHECK(planning.run("propose_plan", arguments)["error"]["code"] == "not_found");
    arguments["runbook"] = "release-blocking-session";
    arguments["target"] = "nowhere";
    CHECK(planning.run("propose_plan", arguments).contains("error"));
    arguments.erase("evidence");
    CHECK(planning.run("propose_plan", arguments)["error"]["code"] == "invalid_arguments");
}

TEST_CASE("a plan is shown to whoever asked for it and to nobody else", "[server]") {
    Planning planning;
    const auto submitted = planning.submit("os:tester");
    const Json plan = planning.run("get_plan", {{"plan_id", submitted.id}});
    CHECK(plan["digest"] == submitted.digest);
    CHECK(plan["runbook"] == "release-blocking-session");
    CHECK(plan["target"] == "shop");
    CHECK(plan["decisions"].empty());
    CHECK(plan["outcome"].is_null());
    CHECK(plan["desk_url"] == "https://desk.example/plans/" + submitted.id);
    CHECK(plan["script"].get<std::string>().find("4242") != std::string::npos);
    const Json foreign = planning.run("get_plan", {{"plan_id", submitted.id}}, "os:other");
    const Json unknown = planning.run("get_plan", {{"plan_id", submitted.id + "x"}}, "os:other");
    CHECK(foreign["error"]["code"] == "not_found");
    CHECK(unknown["error"]["code"] == "not_found");
}

TEST_CASE("a plan is withdrawn by its requester only, and once", "[server]") {
    Planning planning;
    const auto submitted = planning.submit("os:tester");
    const Json arguments{{"plan_id", submitted.id}, {"reason", "it resolved itself"}};
    CHECK(planning.run("withdraw_plan", arguments, "os:other")["error"]["code"] == "not_found");
    const Json withdrawn = planning.run("withdraw_plan", arguments);
    CHECK(
        withdrawn["state"] == interlock::approval::name(interlock::approval::PlanState::withdrawn)
    );
    CHECK(planning.run("withdraw_plan", arguments).contains("error"));
}

TEST_CASE("altered plan bytes are noticed before they are shown", "[server]") {
    Planning planning;
    const auto submitted = planning.submit("os:tester");
    const auto altered = planning.bench.store->transact(
        [&](interlock::db::StoreTransaction& transaction) -> interlock::base::Status {
            INTERLOCK_TRY(
                const auto changed,
                transaction.run(
                    "update plans set plan_bytes = replace(plan_bytes, '4242', '4243') where "
                    "plan_id = $1",
                    {submitted.id}
                )
            );
            (void)changed;
            return interlock::base::done;
        }
    );
    REQUIRE(altered.ok());
    const Json plan = planning.run("get_plan", {{"plan_id", submitted.id}});
    CHECK(plan["error"]["code"] == "changed");
}
