#include "base/json.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/planner.hpp"
#include "runbooks/policy.hpp"
#include "server/planning_tools.hpp"
#include "tests/server/fixture.hpp"
#include "tools/run.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::test::Core;

/// A queue of its own beside the core, with the planning tools over it.
struct Planning {
    Planning() {
        auto opened = interlock::db::open_sqlite_store(
            core.directory.file("queue.db"), interlock::db::StoreMode::create, core.clock
        );
        REQUIRE(opened.ok());
        store = std::move(opened).value();
        queue = std::make_unique<interlock::approval::Queue>(*store, core.random);
        REQUIRE(queue->create_tables().ok());
        box = std::make_unique<interlock::server::ToolBox>(
            interlock::server::planning_tools({*queue, "https://desk.example/"})
        );
    }
    /// Runs a tool as `subject` and returns its structured content.
    Json
    run(const std::string& tool, const Json& arguments, const std::string& subject = "os:tester") {
        auto identity = core.stdio().identity;
        identity.subject = subject;
        const auto output = interlock::tools::run_tool(
            core.context,
            *box->find(tool),
            arguments,
            {.identity = identity, .stop = {}, .parent = std::nullopt, .id = "call_test"}
        );
        text = output.text;
        auto value = interlock::base::parse_json(output.structured);
        REQUIRE(value.ok());
        return std::move(value).value();
    }
    /// A plan in the queue, submitted by `subject`.
    interlock::approval::SubmitResult submit(const std::string& subject) {
        const auto& contract = interlock::runbooks::library().at("release-blocking-session");
        auto plan = interlock::runbooks::make_plan(
            contract,
            {"lock.idle_in_tx",
             R"({"pid":4242,"backend_start":"2026-11-21T02:55:10.123456Z",)"
             R"("xact_start":"2026-11-21T02:58:41.654321Z"})"},
            {"shop", "7300000000000000001", "shop", 1, false, 15}
        );
        REQUIRE(plan.ok());
        auto admitted = interlock::runbooks::admit(std::move(plan).value(), contract);
        REQUIRE(admitted.ok());
        interlock::approval::Submission submission;
        submission.plan = std::move(admitted).value();
        submission.presentation.title = "t";
        submission.presentation.hypothesis = "h";
        submission.requester = core.stdio().identity;
        submission.requester.subject = subject;
        auto result = queue->submit(submission);
        INFO((result ? std::string() : interlock::base::to_text(result.error())));
        REQUIRE(result.ok());
        return std::move(result).value();
    }

    Core core;
    std::unique_ptr<interlock::db::Store> store;
    std::unique_ptr<interlock::approval::Queue> queue;
    std::unique_ptr<interlock::server::ToolBox> box;
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
    const auto altered = planning.store->transact(
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
