// The whole server over real PostgreSQL: credentials, a diagnosis over both transports, a proposal,
// and cancellation that reaches the database.
#include "approval/brakes.hpp"
#include "approval/brakes_lift.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/json.hpp"
#include "server/http_endpoint.hpp"
#include "server/service.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/server/fixture.hpp"
#include "tests/server/sleeping_tool.hpp"

#include <filesystem>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace server = interlock::server;
using base::Json;
using interlock::lab::Database;
using interlock::lab::Session;
using interlock::test::Core;
using interlock::test::modern_headers;
using interlock::test::modern_meta;
using interlock::test::RecordingOutlet;

Json parsed(const std::string& text) {
    auto value = base::parse_json(text);
    INFO(text);
    REQUIRE(value.ok());
    return std::move(value).value();
}

std::string call_text(const std::string& tool, const Json& arguments) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + tool +
           R"(","arguments":)" + arguments.dump() + "," + modern_meta() + "}}";
}

/// A service with a state directory of its own.
struct Program {
    /// `store`: the PostgreSQL it shares with others.
    explicit Program(
        std::vector<interlock::db::TargetAddress> targets,
        std::optional<server::SupervisorLimits> supervisor = server::SupervisorLimits{},
        const std::string& store = ""
    ) {
        if (!store.empty()) {
            const base::StateDirectory state{directory.path()};
            const auto written =
                base::write_file_atomically(state.store(), "conninfo: \"" + store + "\"\n");
            REQUIRE(written.ok());
        }
        options.state = directory.path();
        options.supervisor = supervisor;
        options.targets = std::move(targets);
        auto opened = server::Service::open(options, clock, random);
        INFO((opened ? std::string() : base::to_text(opened.error())));
        REQUIRE(opened.ok());
        service = std::move(opened).value();
    }
    /// Structured content of a call by a modern client on stdio.
    Json call(const std::string& tool, const Json& arguments) {
        const auto body = interlock::lab::answer_in_time([&] {
            server::Arrival arrival;
            arrival.access.identity = server::stdio_identity();
            const auto outlet = std::make_shared<RecordingOutlet>();
            service->handler().handle(
                call_text(tool, arguments),
                arrival,
                {},
                [&](const server::Reaction&) { return outlet; }
            );
            return outlet->reply().body;
        });
        return parsed(body)["result"]["structuredContent"];
    }

    interlock::test::TemporaryDirectory directory;
    base::SystemClock clock;
    base::SystemRandom random;
    server::Options options;
    std::unique_ptr<server::Service> service;
};

/// An ordinary role with a table, made before anybody connects as it.
const Database& with_orders(const Database& database) {
    database.sql("do $$ begin create role shop_app login; "
                 "exception when duplicate_object then null; end $$");
    database.sql("create table orders (id int); grant all on orders to shop_app");
    return database;
}

/// A session idle in a transaction, and one that has waited for its lock for `waited` at least.
struct Incident {
    explicit Incident(const Database& database, const std::string& waited = "1.5 s")
        : holder(with_orders(database).conninfo("shop_app")),
          waiter(database.conninfo("shop_app")) {
        holder.run("begin; lock table orders in access exclusive mode");
        waiter.start("select count(*) from orders");
        const std::string waiters = "select count(*) from pg_locks where not granted "
                                    "and now() - waitstart > interval '" +
                                    waited + "'";
        REQUIRE(interlock::lab::wait_until(
            [&] { return database.scalar(waiters) == "1"; }, std::chrono::seconds(60)
        ));
    }
    ~Incident() { holder.try_run("rollback"); }
    Session holder;
    Session waiter;
};

} // namespace

TEST_CASE("an incident is diagnosed and a plan proposed, shown and withdrawn", "[server][live]") {
    const Database database;
    interlock::lab::apply_lane(database);
    Program program({database.address("interlock_diag", "shop")});
    REQUIRE(program.service->check_credentials().ok());
    CHECK(program.service->unready().empty());
    const Incident incident(database, "10.5 s"); // old enough for a runbook to be offered

    const Json diagnosis = program.call("diagnose", Json::object());
    INFO(diagnosis.dump());
    REQUIRE(diagnosis["causes"].size() >= 1);
    const Json& cause = diagnosis["causes"][0];
    REQUIRE(cause["id"] == "lock.idle_in_tx");
    REQUIRE(cause["runbooks"].size() == 1);
    const Json& runbook = cause["runbooks"][0];

    const Json proposal{
        {"runbook", runbook["id"]},
        {"target", "shop"},
        {"cause", cause["id"]},
        {"parameters", runbook["parameters"]},
        {"hypothesis", "an application left its transaction open"},
        {"evidence", Json::array({diagnosis["id"]})}};
    const Json plan = program.call("propose_plan", proposal);
    INFO(plan.dump());
    REQUIRE(plan.contains("plan_id"));
    CHECK(plan["joined"] == false);
    CHECK(plan["needs"]["approvals"].get<int>() >= 1);
    CHECK_FALSE(plan["blast_radius"].empty());
    const Json again = program.call("propose_plan", proposal);
    CHECK(again["plan_id"] == plan["plan_id"]);
    CHECK(again["joined"] == true);

    const Json shown = program.call("get_plan", {{"plan_id", plan["plan_id"]}});
    CHECK(shown["digest"] == plan["digest"]);
    CHECK(
        shown["script"].get<std::string>().find(std::to_string(incident.holder.pid())) !=
        std::string::npos
    );
    const Json withdrawn =
        program.call("withdraw_plan", {{"plan_id", plan["plan_id"]}, {"reason", "test"}});
    CHECK(withdrawn["plan_id"] == plan["plan_id"]);

    Json refused_proposal = proposal;
    refused_proposal["evidence"] = Json::array({"ev_aaaaaaaaaaaaaaaaaaaaaaaaaa"});
    const Json refused = program.call("propose_plan", refused_proposal);
    CHECK(refused["error"]["code"] == "refused");
    CHECK(refused["reasons"].size() == 2);

    program.service->drain();
    auto store = interlock::db::open_store(
        base::StateDirectory{program.directory.path()},
        interlock::db::StoreMode::existing,
        program.clock
    );
    REQUIRE(store.ok());
    const auto verified = interlock::telemetry::verify_audit(*store.value(), {});
    REQUIRE(verified.ok());
    CHECK(verified.value().problems.empty());
    CHECK(verified.value().size >= 12);
}

TEST_CASE("a diagnosis is answered over HTTP", "[server][live]") {
    const Database database;
    interlock::lab::apply_lane(database);
    Program program({database.address("interlock_diag", "shop")});
    REQUIRE(program.service->check_credentials().ok());
    const Incident incident(database);
    const auto gatekeeper = server::open_gatekeeper(server::loopback_identity());
    auto endpoint = server::start_http_endpoint(
        "127.0.0.1",
        0,
        {.handler = program.service->handler(),
         .sessions = program.service->sessions(),
         .metrics = program.service->metrics(),
         .gatekeeper = *gatekeeper,
         .unready = [] { return ""; }}
    );
    REQUIRE(endpoint.ok());
    base::HttpCall request;
    request.method = "POST";
    request.url = "http://127.0.0.1:" + std::to_string(endpoint.value()->port()) + "/mcp";
    request.headers = {
        {"Content-Type", "application/json"},
        {"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Name", "diagnose"}};
    request.body = call_text("diagnose", {{"target", "shop"}});
    const Json result = parsed(interlock::lab::answer_in_time([&] {
        const auto response = base::http_call(request);
        REQUIRE(response.ok());
        CHECK(response.value().status == 200);
        return response.value().body;
    }))["result"];
    CHECK(result["resultType"] == "complete");
    const Json& causes = result["structuredContent"]["causes"];
    REQUIRE(causes.size() >= 1);
    CHECK(causes[0]["id"] == "lock.idle_in_tx");
    endpoint.value()->stop(std::chrono::seconds(1));
}

TEST_CASE("a credential that can write stops the start", "[server][live]") {
    const Database database;
    Program program({database.address("postgres", "shop")});
    const auto checked = program.service->check_credentials();
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().what.find("shop") != std::string::npos);
    CHECK_FALSE(checked.error().remedy.empty());
    CHECK_FALSE(program.service->unready().empty());
}

TEST_CASE(
    "a target that cannot be reached is told and does not stop the others", "[server][live]"
) {
    const Database database;
    interlock::lab::apply_lane(database);
    Program program(
        {{"dead", "host=127.0.0.1 port=1 dbname=x user=x", ""},
         database.address("interlock_diag", "shop")}
    );
    REQUIRE(program.service->check_credentials().ok());
    CHECK(program.call("diagnose", {{"target", "dead"}})["error"]["code"] == "target_unreachable");
    CHECK(program.call("diagnose", {{"target", "shop"}}).contains("verdict"));
    CHECK(program.call("diagnose", {{"target", "nobody"}})["error"]["code"] == "not_found");
}

TEST_CASE("cancelling a call cancels its statement on the database", "[server][live]") {
    const Database database;
    interlock::lab::apply_lane(database);
    Core core({}, interlock::test::example_offer(), {database.address("interlock_diag", "shop")});
    core.catalogue.replace(interlock::test::compiled(
        interlock::test::offer_with({interlock::test::sleeping_tool(core.context)})
    ));
    const auto sleeping = [&](const std::string& count) {
        return interlock::lab::wait_until([&] {
            return database.scalar("select count(*) from pg_stat_activity where state = 'active' "
                                   "and application_name like 'interlock:sleeps:%' "
                                   "and datname = current_database()") == count;
        });
    };
    std::stop_source client;
    const auto over_http = core.send(
        call_text("sleeps", Json::object()),
        Core::http(modern_headers("tools/call", "sleeps")),
        client.get_token()
    );
    REQUIRE(sleeping("1"));
    client.request_stop();
    CHECK(over_http->reply().body.empty());
    CHECK(sleeping("0"));

    const auto on_stdio = core.send(call_text("sleeps", Json::object()), core.stdio());
    REQUIRE(sleeping("1"));
    core.ask(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
        core.stdio()
    );
    CHECK(on_stdio->reply().body.empty());
    CHECK(sleeping("0"));
}

TEST_CASE("a reload changes the toolsets that are offered", "[server]") {
    Program program({{"shop", "dbname=shop", ""}});
    const auto listed = [&] {
        server::Arrival arrival;
        arrival.access.identity = server::stdio_identity();
        const auto outlet = std::make_shared<RecordingOutlet>();
        program.service->handler().handle(
            R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)" + modern_meta() + "}}",
            arrival,
            {},
            [&](const server::Reaction&) { return outlet; }
        );
        return parsed(outlet->reply().body)["result"]["tools"].size();
    };
    const auto before = listed();
    server::Options fewer = program.options;
    fewer.toolsets = {"orientation"};
    REQUIRE(program.service->reload(fewer).ok());
    CHECK(listed() < before);
    fewer.toolsets = {"nothing"};
    CHECK_FALSE(program.service->reload(fewer).ok());
    CHECK(listed() < before);
}

// --- Brakes --------------------------------------------------------------------------------------

namespace {

/// A message of a modern client on stdio, and its answer.
Json said(Program& program, const std::string& method, const std::string& params = {}) {
    server::Arrival arrival;
    arrival.access.identity = server::stdio_identity();
    const auto outlet = std::make_shared<RecordingOutlet>();
    program.service->handler().handle(
        R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params +
            modern_meta() + "}}",
        arrival,
        {},
        [&](const server::Reaction&) { return outlet; }
    );
    return parsed(outlet->reply().body);
}

bool lists(Program& program, const std::string& tool) {
    return said(program, "tools/list").dump().find("\"name\":\"" + tool + "\"") !=
           std::string::npos;
}

/// What another program does that shares the state directory.
struct Elsewhere {
    explicit Elsewhere(Program& program) {
        auto opened = interlock::db::open_store(
            base::StateDirectory{program.directory.path()},
            interlock::db::StoreMode::existing,
            clock
        );
        REQUIRE(opened.ok());
        store = std::move(opened).value();
    }
    void kill(interlock::approval::BrakeKind kind, const std::string& name) {
        interlock::approval::Brake brake;
        brake.kind = kind;
        brake.name = name;
        brake.who = "os:alice";
        brake.reason = "it does harm";
        REQUIRE(interlock::approval::set_brake(*store, random, brake).ok());
    }
    void lift(interlock::approval::BrakeKind kind, const std::string& name) {
        REQUIRE(interlock::approval::lift_brakes(
                    *store,
                    random,
                    {.kind = kind, .name = name, .issuer = {}, .who = "os:bob", .reason = "ok"}
        )
                    .ok());
    }
    base::SystemClock clock;
    base::SystemRandom random;
    std::unique_ptr<interlock::db::Store> store;
};

} // namespace

TEST_CASE("a killed tool leaves the list of every server, and comes back", "[server][live]") {
    using interlock::approval::BrakeKind;
    const Database database;
    interlock::lab::apply_lane(database);
    Program program({database.address("interlock_diag", "shop")});
    REQUIRE(program.service->check_credentials().ok());
    REQUIRE(lists(program, "get_blocking"));
    Elsewhere elsewhere(program);
    const auto began = elsewhere.clock.ticks();
    elsewhere.kill(BrakeKind::tool, "get_blocking");
    REQUIRE(interlock::test::eventually([&] { return !lists(program, "get_blocking"); }));
    CHECK(elsewhere.clock.ticks() - began < std::chrono::seconds(2));
    const std::string call = R"("name":"get_blocking","arguments":{},)";
    CHECK(said(program, "tools/call", call)["error"]["code"] == -32602);
    CHECK(lists(program, "get_activity"));
    // A reload does not bring it back.
    REQUIRE(program.service->reload(program.options).ok());
    CHECK_FALSE(lists(program, "get_blocking"));
    elsewhere.lift(BrakeKind::tool, "get_blocking");
    REQUIRE(interlock::test::eventually([&] { return lists(program, "get_blocking"); }));
    CHECK(said(program, "tools/call", call).contains("result"));
}

TEST_CASE("two servers share plans, evidence, brakes and the audit log", "[server][live]") {
    using interlock::approval::BrakeKind;
    const interlock::lab::SharedStore shared;
    const Database database;
    interlock::lab::apply_lane(database);
    const auto target = database.address("interlock_diag", "shop");
    Program one({target}, std::nullopt, shared.database.conninfo());
    Program other({target}, std::nullopt, shared.database.conninfo());
    for (Program* program : {&one, &other}) {
        REQUIRE(program->service->check_credentials().ok());
        CHECK(program->service->unready().empty());
    }
    const Incident incident(database, "10.5 s");
    const Json diagnosis = one.call("diagnose", Json::object());
    INFO(diagnosis.dump());
    REQUIRE(diagnosis["causes"].size() >= 1);
    const Json& cause = diagnosis["causes"][0];
    REQUIRE(cause["runbooks"].size() == 1);

    // What the one found is read at the other, and cited there.
    const std::string id = diagnosis["id"];
    const Json read = said(other, "resources/read", R"("uri":"evidence://)" + id + R"(",)");
    INFO(read.dump());
    REQUIRE(read.contains("result"));
    CHECK(
        read["result"]["contents"][0]["text"].get<std::string>().find("lock.idle_in_tx") !=
        std::string::npos
    );
    const Json plan = other.call(
        "propose_plan",
        {{"runbook", cause["runbooks"][0]["id"]},
         {"target", "shop"},
         {"cause", cause["id"]},
         {"parameters", cause["runbooks"][0]["parameters"]},
         {"hypothesis", "an application left its transaction open"},
         {"evidence", Json::array({id})}}
    );
    INFO(plan.dump());
    REQUIRE(plan.contains("plan_id"));
    CHECK(one.call("get_plan", {{"plan_id", plan["plan_id"]}})["digest"] == plan["digest"]);

    // Killed once, for both.
    Elsewhere elsewhere(other);
    elsewhere.kill(BrakeKind::tool, "get_blocking");
    for (Program* program : {&one, &other}) {
        REQUIRE(interlock::test::eventually([&] { return !lists(*program, "get_blocking"); }));
    }
    one.service->drain();
    other.service->drain();
    const auto verified = interlock::telemetry::verify_audit(*elsewhere.store, {});
    REQUIRE(verified.ok());
    CHECK(verified->problems.empty());
    CHECK(verified->size >= 8);
    CHECK_FALSE(std::filesystem::exists(one.directory.file("queue.db")));
    CHECK_FALSE(std::filesystem::exists(one.directory.file("evidence")));
}

TEST_CASE("a store that goes away is told, and calls go on when it is back", "[server][live]") {
    interlock::cli::ClusterOptions durable;
    durable.settings = {{"fsync", "on"}};
    auto cluster = interlock::cli::Cluster::start(durable);
    REQUIRE(cluster.ok());
    const Database database;
    interlock::lab::apply_lane(database);
    Program program(
        {database.address("interlock_diag", "shop")},
        std::nullopt,
        (*cluster)->conninfo("postgres", "postgres")
    );
    REQUIRE(program.service->check_credentials().ok());
    const auto list = [&] {
        return said(
            program,
            "tools/call",
            R"("name":"list_targets",)"
            R"("arguments":{},)"
        );
    };
    REQUIRE(list()["result"]["isError"] != true);
    (*cluster)->crash();
    // Nothing is done that cannot be recorded.
    const Json refused = list();
    INFO(refused.dump());
    CHECK((refused.contains("error") || refused["result"]["isError"] == true));
    REQUIRE((*cluster)->start_again().ok());
    CHECK(interlock::test::eventually([&] {
        const Json answer = list();
        return answer.contains("result") && answer["result"]["isError"] != true;
    }));
}

TEST_CASE("a killed target is not looked at, and the others are", "[server][live]") {
    using interlock::approval::BrakeKind;
    const Database database;
    interlock::lab::apply_lane(database);
    Program program(
        {database.address("interlock_diag", "shop"), database.address("interlock_diag", "blog")},
        std::nullopt // it asks the same until something has changed
    );
    REQUIRE(program.service->check_credentials().ok());
    Elsewhere elsewhere(program);
    elsewhere.kill(BrakeKind::target, "shop");
    const auto code = [&](const std::string& target) {
        const Json answer = program.call("get_activity", {{"target", target}});
        return answer.contains("error") ? answer["error"]["code"].get<std::string>() : "";
    };
    REQUIRE(interlock::test::eventually([&] { return code("shop") == "suspended"; }));
    CHECK(code("blog").empty());
    CHECK(
        program.call("list_targets", Json::object()).dump().find("it does harm") !=
        std::string::npos
    );
}

TEST_CASE("a suspension outlives a restart, and only a person ends it", "[server][live]") {
    using interlock::approval::BrakeKind;
    const Database database;
    interlock::lab::apply_lane(database);
    Program program({database.address("interlock_diag", "shop")});
    REQUIRE(program.service->check_credentials().ok());
    const auto code = [&] {
        const Json answer = program.call("list_targets", Json::object());
        return answer.contains("error") ? answer["error"]["code"].get<std::string>() : "";
    };
    for (int i = 0; i < 5; ++i) {
        CHECK(code().empty());
    }
    CHECK(code() == "suspended");
    program.service.reset();
    auto again = server::Service::open(program.options, program.clock, program.random);
    REQUIRE(again.ok());
    program.service = std::move(again).value();
    REQUIRE(program.service->check_credentials().ok());
    CHECK(code() == "suspended");
    Elsewhere elsewhere(program);
    const auto brakes = interlock::approval::brakes_in_force(*elsewhere.store);
    REQUIRE(brakes.ok());
    REQUIRE(brakes->size() == 1);
    CHECK(brakes->front().cause == "loop");
    const auto record = interlock::telemetry::read_audit(*elsewhere.store, brakes->front().leaf, 1);
    REQUIRE(record.ok());
    const Json payload = parsed(*record->front().payload);
    CHECK(payload["transcript"].size() == 5);
    CHECK(payload["transcript"][0]["tool"] == "list_targets");
    elsewhere.lift(BrakeKind::identity, server::stdio_identity().subject);
    CHECK(interlock::test::eventually([&] { return code().empty(); }));
}

TEST_CASE("a state directory that cannot be used is told as such", "[server]") {
    interlock::test::TemporaryDirectory directory;
    base::SystemClock clock;
    base::SystemRandom random;
    server::Options options;
    options.state = "/proc/interlock-cannot-be-here";
    options.targets = {{"shop", "dbname=shop", ""}};
    CHECK_FALSE(server::Service::open(options, clock, random).ok());
    options.state = directory.path();
    options.toolsets = {"nothing"};
    const auto unknown = server::Service::open(options, clock, random);
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().code == base::Errc::invalid_input);
}
