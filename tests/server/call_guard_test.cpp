// Kill switches and suspensions as clients meet them, with the whole core but the database.
#include "approval/brakes_lift.hpp"
#include "server/call_guard.hpp"
#include "tests/approval/brakes_fixture.hpp"
#include "tests/lab/lab.hpp"
#include "tests/server/captured_log.hpp"
#include "tests/server/fixture.hpp"
#include "tests/server/sleeping_tool.hpp"

#include <map>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace limits = interlock::base::limits;
namespace server = interlock::server;
using base::Json;
using interlock::approval::BrakeKind;
using interlock::test::BrakeStore;
using interlock::test::call_text;
using interlock::test::CapturedLog;
using interlock::test::Core;
using interlock::test::eventually;
using interlock::test::example_tool;
using interlock::test::json;
using interlock::test::modern_meta;
using interlock::test::offer_with;
using interlock::test::sleeping_tool;
using interlock::test::text_answer;
using interlock::test::ToolOutcome;
using server::Supervisor;
using server::SupervisorLimits;

/// `bad` (its arguments are always wrong), `down` (its target is), `counter` (never the same).
server::Offer offer() {
    const auto fails = [](const char* code) {
        return [code](server::Conversation&, const Json&) -> ToolOutcome {
            auto answer = text_answer(code);
            answer.is_error = true;
            answer.error_code = code;
            return answer;
        };
    };
    const auto counts =
        [count = std::make_shared<int>(0)](server::Conversation&, const Json&) -> ToolOutcome {
        return text_answer(std::to_string(++*count));
    };
    auto made = offer_with(
        {example_tool("bad", fails("invalid_arguments")),
         example_tool("down", fails("target_unreachable")),
         example_tool("broken", fails("internal")),
         example_tool("counter", counts)}
    );
    made.resources = [] {
        return std::vector<interlock::server::OfferedResource>{
            {"test://one", "one", "One", "The first.", "text/plain"}};
    };
    made.read = [](server::Conversation&, const std::string&) {
        return server::Outcome<server::ResourceAnswer>(server::ResourceAnswer{
            R"([{"uri":"test://one","text":"x"}])"});
    };
    made.complete = [](server::Conversation&, const server::CompletionRequest& request) {
        server::Completion completion;
        if (!request.value.empty()) {
            completion.values = {request.value + "1"};
        }
        completion.database = std::chrono::seconds(4);
        return server::Outcome<server::Completion>(completion);
    };
    return made;
}

/// A core whose calls are guarded.
struct Guarded : Core {
    explicit Guarded(SupervisorLimits given = {})
        : Core({}, offer()),
          watch({*brakes.store, *brakes.store, brakes.random, metrics, std::chrono::hours(1)}),
          supervisor(given) {
        REQUIRE(
            watch.start([this](const auto& before, const auto& now) { guard.apply(before, now); }
            ).ok()
        );
    }
    ~Guarded() { dispatcher.drain(base::Duration::zero()); }
    interlock::test::OutletPointer begin(const std::string& bytes) { return begin(bytes, stdio()); }
    interlock::test::OutletPointer begin(const std::string& bytes, const server::Arrival& arrival) {
        auto outlet = std::make_shared<interlock::test::RecordingOutlet>();
        guarded_handler.handle(bytes, arrival, {}, [&](const server::Reaction&) { return outlet; });
        return outlet;
    }
    Json call(const std::string& tool, const std::string& arguments = "{}") {
        return json(begin(call_text(tool, arguments))->reply().body);
    }
    /// The stable code of a refused call; "" = it was served.
    std::string code(const std::string& tool, const std::string& arguments = "{}") {
        const Json answer = call(tool, arguments);
        INFO(answer.dump());
        REQUIRE(answer.contains("result"));
        const Json* structured = base::member(answer["result"], "structuredContent");
        const Json* error = structured != nullptr ? base::member(*structured, "error") : nullptr;
        return error != nullptr ? base::string_member(*error, "code").value_or("") : "";
    }
    void kill(BrakeKind kind, const std::string& name) {
        REQUIRE(brakes.set(kind, name).ok());
        REQUIRE(watch.look().ok());
    }
    void lift(BrakeKind kind, const std::string& name) {
        REQUIRE(interlock::approval::lift_brakes(
                    *brakes.store,
                    brakes.random,
                    {.kind = kind, .name = name, .issuer = {}, .who = "os:bob", .reason = "ok"}
        )
                    .ok());
        REQUIRE(watch.look().ok());
    }
    /// Outcomes of the audit log's ends.
    std::vector<std::string> outcomes() const {
        std::vector<std::string> found;
        for (const auto& entry : audit.entries()) {
            if (entry.type == "tool.end") {
                found.push_back(json(entry.payload)["outcome"].get<std::string>());
            }
        }
        return found;
    }

    BrakeStore brakes;
    server::BrakesWatch watch;
    Supervisor supervisor;
    server::CallGuard guard{{watch, supervisor, metrics, clock}};
    server::CallRunner guarded{{states, tasks, questions, &audit, metrics, clock, random, &guard}};
    server::MessageHandler guarded_handler{{protocol, dispatcher, guarded, hub, questions}};
};

} // namespace

// --- Kill switches -------------------------------------------------------------------------------

TEST_CASE(
    "a killed tool answers as an unknown one, and works again when it is lifted", "[server]"
) {
    Guarded core;
    const Json unknown = core.call("nothing_of_ours");
    core.kill(BrakeKind::tool, "echo");
    const Json killed = core.call("echo");
    CHECK(killed["error"]["code"] == unknown["error"]["code"]);
    CHECK(killed["error"]["message"] == "There is no tool `echo`; see tools/list.");
    CHECK(core.code("counter").empty()); // the others go on
    CHECK(core.outcomes()[1] == "tool_killed");
    core.lift(BrakeKind::tool, "echo");
    CHECK(core.code("echo").empty());
}

TEST_CASE("calling a killed tool suspends nobody", "[server]") {
    Guarded core;
    core.kill(BrakeKind::tool, "echo");
    for (int i = 0; i < 10; ++i) {
        CHECK(core.call("echo").contains("error"));
    }
    CHECK(core.code("counter").empty());
}

TEST_CASE("who is stopped and goes on calling does not fill the audit log", "[server]") {
    Guarded core;
    core.kill(BrakeKind::identity, "os:tester");
    const auto calls = limits::barred_recorded_per_minute + 40;
    for (std::size_t i = 0; i < calls; ++i) {
        CHECK(core.code("echo") == "suspended");
    }
    CHECK(core.outcomes().size() == limits::barred_recorded_per_minute);
    core.clock.advance(std::chrono::minutes(1));
    CHECK(core.code("echo") == "suspended");
    CHECK(core.outcomes().size() == limits::barred_recorded_per_minute + 1);
}

TEST_CASE("each cause of a suspension is a series from the start", "[server]") {
    Guarded core;
    CHECK(
        core.metrics.render().find("interlock_suspensions_total{cause=\"loop\"} 0\n") !=
        std::string::npos
    );
}

TEST_CASE("a killed identity is told so, and others are not touched", "[server]") {
    Guarded core;
    core.kill(BrakeKind::identity, "os:tester");
    const Json answer = core.call("echo");
    CHECK(answer["result"]["isError"] == true);
    const Json& error = answer["result"]["structuredContent"]["error"];
    CHECK(error["code"] == "suspended");
    CHECK(error["what"] == "This identity is suspended by os:alice: it does harm");
    CHECK(error["remedy"].get<std::string>().find("Only a person") != std::string::npos);
    server::Arrival other = core.stdio();
    other.access.identity.subject = "os:other";
    const Json served = json(core.begin(call_text("echo"), other)->reply().body);
    CHECK(served["result"]["isError"] == false);
}

TEST_CASE("discovery answers who is stopped, and nothing else does", "[server]") {
    Guarded core;
    core.kill(BrakeKind::all, "");
    CHECK(core.code("echo") == "suspended");
    const auto ask = [&](const std::string& method, const std::string& params) {
        return json(core.begin(
                            R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" +
                            params + modern_meta() + "}}"
        )
                        ->reply()
                        .body);
    };
    CHECK(ask("tools/list", "")["result"]["tools"].size() > 0);
    CHECK(ask("server/discover", "").contains("result"));
    const Json read = ask("resources/read", R"("uri":"test://one",)");
    CHECK(read["error"]["data"]["error"]["code"] == "suspended");
    core.lift(BrakeKind::all, "");
    CHECK(ask("resources/read", R"("uri":"test://one",)").contains("result"));
}

TEST_CASE("a call under way is stopped by a kill of its tool, identity or everything", "[server]") {
    const std::pair<BrakeKind, std::string> kills[] = {
        {BrakeKind::tool, "waits"}, {BrakeKind::identity, "os:tester"}, {BrakeKind::all, ""}};
    for (const auto& [kind, name] : kills) {
        INFO(interlock::approval::name(kind));
        Guarded core;
        const auto outlet = core.begin(call_text("waits"));
        REQUIRE(eventually([&] { return core.audit.entries().size() == 1; }));
        core.kill(kind, name);
        const Json answer = json(outlet->reply().body);
        if (kind == BrakeKind::tool) {
            CHECK(answer["error"]["message"] == "There is no tool `waits`; see tools/list.");
        } else {
            CHECK(answer["result"]["structuredContent"]["error"]["code"] == "suspended");
        }
    }
}

TEST_CASE("a kill of something else leaves a call alone", "[server]") {
    Guarded core;
    const auto outlet = core.begin(call_text("waits"));
    REQUIRE(eventually([&] { return core.audit.entries().size() == 1; }));
    core.kill(BrakeKind::tool, "echo");
    core.kill(BrakeKind::identity, "os:other");
    core.kill(BrakeKind::target, "shop");
    core.dispatcher.drain(std::chrono::milliseconds(50));
    const Json answer = json(outlet->reply().body);
    CHECK(answer["result"]["structuredContent"]["error"]["code"] == "cancelled");
}

TEST_CASE("a task under way is stopped, too", "[server]") {
    Guarded core;
    core.catalogue.replace(interlock::test::compiled(offer_with(
        {example_tool("long_work", interlock::test::wait_for_stop, server::TaskSupport::always)}
    )));
    const Json created = json(
        core.begin(
                R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long_work",)"
                R"("arguments":{},)" +
                modern_meta("2026-07-28", interlock::test::task_capabilities) + "}}"
        )
            ->reply()
            .body
    );
    const auto id = created["result"]["taskId"].get<std::string>();
    const auto owner = server::session_owner(interlock::test::tester());
    core.kill(BrakeKind::identity, "os:tester");
    CHECK(eventually([&] {
        const auto task = core.tasks.get(owner, id);
        return std::get<std::string>(task).find("suspended") != std::string::npos;
    }));
}

// --- The supervisor ------------------------------------------------------------------------------

TEST_CASE("a tool that always fails: its caller is suspended at the third call", "[server]") {
    Guarded core;
    const CapturedLog log;
    CHECK(core.code("bad") == "");
    for (int i = 0; i < 2; ++i) {
        CHECK(core.call("bad")["result"]["isError"] == true);
    }
    CHECK(core.code("echo") == "suspended");
    CHECK(core.code("bad") == "suspended");
    REQUIRE(log.lines("identity.suspended").size() == 1);
    const Json told = log.lines("identity.suspended")[0];
    CHECK(told["level"] == "error");
    CHECK(told["subject"] == "os:tester");
    CHECK(told["cause"] == "failures");
    CHECK(
        core.metrics.render().find("interlock_suspensions_total{cause=\"failures\"} 1") !=
        std::string::npos
    );
    REQUIRE(eventually([&] { return core.watch.unwritten() == 0; }));
    const auto stored = core.brakes.in_force();
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].name == "os:tester");
    CHECK(stored[0].issuer.empty()); // the user's agents, whichever way they come in
    const Json payload = json(*core.brakes.records().back().payload);
    REQUIRE(payload["transcript"].size() == 3);
    CHECK(payload["transcript"][2]["tool"] == "bad");
    CHECK(payload["transcript"][2]["outcome"] == "invalid_arguments");
    CHECK(payload["transcript"][2]["call"].get<std::string>().starts_with("call_"));
    CHECK(payload["transcript"][2]["arguments"] == "{}");
}

TEST_CASE("a transcript names the incident, and hides what a caller made up", "[server]") {
    Guarded core;
    Json call = json(call_text("no_such_tool", R"({"secret":"hunter2"})"));
    call["params"]["_meta"]["interlock/incident"] = "INC-7";
    for (int i = 0; i < 3; ++i) {
        (void)core.begin(call.dump())->reply();
    }
    REQUIRE(eventually([&] {
        return core.watch.unwritten() == 0 && core.brakes.in_force().size() == 1;
    }));
    const auto payload = *core.brakes.records().back().payload;
    CHECK(payload.find("hunter2") == std::string::npos);
    const Json transcript = json(payload)["transcript"];
    REQUIRE(transcript.size() == 3);
    CHECK(transcript[0]["incident"] == "INC-7");
    CHECK(transcript[0]["arguments"] == R"({"[undeclared]":1})");
}

TEST_CASE("two calls that take turns are a loop, too", "[server]") {
    Guarded core;
    for (int i = 0; i < 4; ++i) {
        CHECK(core.code("echo", R"({"text":"one"})").empty());
        CHECK(core.code("echo", R"({"text":"two"})").empty());
    }
    CHECK(core.code("echo", R"({"text":"one"})").empty()); // the fifth
    CHECK(core.code("echo", R"({"text":"two"})") == "suspended");
}

TEST_CASE("a person's lift lets an identity start anew", "[server]") {
    Guarded core;
    for (int i = 0; i < 3; ++i) {
        (void)core.call("bad");
    }
    REQUIRE(core.code("echo") == "suspended");
    REQUIRE(eventually([&] { return core.watch.unwritten() == 0; }));
    core.lift(BrakeKind::identity, "os:tester");
    for (int i = 0; i < 2; ++i) {
        (void)core.call("bad");
    }
    CHECK(core.code("echo").empty());
}

TEST_CASE("the same call five times with the same result is a loop", "[server]") {
    Guarded core;
    for (int i = 0; i < 5; ++i) {
        CHECK(core.code("echo", R"({"text":"hello"})").empty());
    }
    CHECK(core.code("echo", R"({"text":"hello"})") == "suspended");
}

TEST_CASE("a call whose result changes may be made again and again", "[server]") {
    Guarded core;
    for (int i = 0; i < 30; ++i) {
        CHECK(core.code("counter").empty());
    }
}

TEST_CASE("an outage and a defect of ours suspend nobody", "[server]") {
    Guarded core;
    for (int i = 0; i < 10; ++i) {
        CHECK(core.call("down")["result"]["isError"] == true);
        CHECK(core.call("broken")["result"]["isError"] == true);
        CHECK(core.call("throws").contains("error"));
    }
    CHECK(core.code("echo").empty());
}

TEST_CASE("a budget that is used up is told as such", "[server]") {
    SupervisorLimits few;
    few.calls = 10;
    Guarded core(few);
    for (int i = 0; i < 10; ++i) {
        CHECK(core.code("counter").empty());
    }
    CHECK(core.code("counter") == "budget_exhausted");
    CHECK(core.code("counter") == "budget_exhausted");
    CHECK(core.outcomes().back() == "budget_exhausted");
}

TEST_CASE("database time of completions is of the same budget as that of tools", "[server]") {
    SupervisorLimits small;
    small.database_time = std::chrono::seconds(10);
    Guarded core(small);
    const auto complete = [&](const std::string& value) {
        return json(core.begin(
                            R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{)"
                            R"("ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a",)"
                            R"("value":")" +
                            value + "\"}," + modern_meta() + "}}"
        )
                        ->reply()
                        .body);
    };
    // Each costs four seconds, one of them finds nothing.
    CHECK(complete("a").contains("result"));
    CHECK(complete("b").contains("result"));
    CHECK(core.code("echo").empty());
    CHECK(complete("").contains("result"));
    CHECK(core.code("echo") == "budget_exhausted");
    CHECK(
        complete("a")["error"]["message"].get<std::string>().find("of database time") !=
        std::string::npos
    );
}

TEST_CASE("a resource read over and over is a loop like any other", "[server]") {
    Guarded core;
    const std::string read =
        R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"test://one",)" +
        modern_meta() + "}}";
    for (int i = 0; i < 5; ++i) {
        CHECK(json(core.begin(read)->reply().body).contains("result"));
    }
    CHECK(json(core.begin(read)->reply().body)["error"]["data"]["error"]["code"] == "suspended");
}

// --- Who asked -----------------------------------------------------------------------------------

TEST_CASE("every call leaves one line about who asked, served or refused", "[server]") {
    Guarded core;
    core.kill(BrakeKind::tool, "waits");
    const CapturedLog log;
    (void)core.call("echo");
    (void)core.call("no_such_tool");
    (void)core.call("waits");
    (void)core.call("bad");
    core.kill(BrakeKind::identity, "os:tester");
    (void)core.call("echo");
    const auto refused =
        json(core.begin(
                     R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{},)" +
                     modern_meta() + "}}"
        )
                 ->reply()
                 .body);
    CHECK(refused["error"]["code"] == -32602);
    const auto lines = log.lines("identity");
    REQUIRE(lines.size() == 6);
    std::vector<std::string> outcomes;
    for (const Json& line : lines) {
        outcomes.push_back(line["outcome"].get<std::string>());
        CHECK(line["subject"] == "os:tester");
        CHECK(line["issuer"] == "os");
        CHECK(line["proof"] == "os_user");
        CHECK(line["method"] == "tools/call");
    }
    CHECK(
        outcomes ==
        std::vector<std::string>{
            "ok", "unknown_tool", "tool_killed", "invalid_arguments", "suspended", "-32602"}
    );
}

// --- On a database -------------------------------------------------------------------------------

namespace {

/// A core on a real database, which looks at its brakes as often as the program does.
struct OnDatabase : Core {
    explicit OnDatabase(const interlock::lab::Database& shop)
        : Core({}, interlock::test::example_offer(), {shop.address("interlock_diag", "shop")}),
          database(shop),
          watch({*brakes.store, *brakes.store, brakes.random, metrics}) {
        catalogue.replace(interlock::test::compiled(offer_with({sleeping_tool(context)})));
        REQUIRE(watch
                    .start([this](const auto& before, const auto& now) {
                        std::map<std::string, std::string> off;
                        for (const auto& name : now.names(BrakeKind::target)) {
                            off.emplace(name, now.target(name)->reason);
                        }
                        targets.switch_off(off);
                        guard.apply(before, now);
                    })
                    .ok());
    }
    ~OnDatabase() {
        watch.stop();
        dispatcher.drain(base::Duration::zero());
    }
    interlock::test::OutletPointer sleep() {
        auto outlet = std::make_shared<interlock::test::RecordingOutlet>();
        guarded_handler.handle(call_text("sleeps"), stdio(), {}, [&](const server::Reaction&) {
            return outlet;
        });
        return outlet;
    }
    bool asleep(const std::string& count) const {
        return interlock::lab::wait_until([&] {
            return database.scalar("select count(*) from pg_stat_activity where state = 'active' "
                                   "and application_name like 'interlock:sleeps:os:tester:%' "
                                   "and datname = current_database()") == count;
        });
    }

    const interlock::lab::Database& database;
    BrakeStore brakes;
    server::BrakesWatch watch;
    Supervisor supervisor{std::nullopt};
    server::CallGuard guard{{watch, supervisor, metrics, clock}};
    server::CallRunner guarded{{states, tasks, questions, &audit, metrics, clock, random, &guard}};
    server::MessageHandler guarded_handler{{protocol, dispatcher, guarded, hub, questions}};
};

} // namespace

TEST_CASE("a kill ends what runs on the database within two seconds", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    OnDatabase core(database);
    base::SystemClock clock;
    // As another program that shares the store does it.
    auto opened = interlock::db::open_sqlite_store(
        core.brakes.directory.file("queue.db"), interlock::db::StoreMode::existing, clock
    );
    REQUIRE(opened.ok());
    const std::pair<BrakeKind, std::string> kills[] = {
        {BrakeKind::target, "shop"},
        {BrakeKind::tool, "sleeps"},
        {BrakeKind::identity, "os:tester"},
        {BrakeKind::all, ""}};
    for (const auto& [kind, name] : kills) {
        INFO(interlock::approval::name(kind));
        const auto outlet = core.sleep();
        REQUIRE(core.asleep("1"));
        const auto began = clock.ticks();
        REQUIRE(interlock::approval::set_brake(
                    *opened.value(), core.brakes.random, BrakeStore::brake(kind, name)
        )
                    .ok());
        const std::string answer = outlet->reply().body;
        REQUIRE(core.asleep("0"));
        const std::chrono::duration<double> took = clock.ticks() - began;
        INFO(answer);
        CHECK(took.count() < 2.0);
        CHECK(
            answer.find(kind == BrakeKind::tool ? "There is no tool" : "suspended") !=
            std::string::npos
        );
        // And nothing of the kind begins.
        CHECK(core.sleep()->reply().body.find("slept") == std::string::npos);
        REQUIRE(interlock::approval::lift_brakes(
                    *opened.value(),
                    core.brakes.random,
                    {.kind = kind, .name = name, .issuer = {}, .who = "os:bob", .reason = "ok"}
        )
                    .ok());
        REQUIRE(eventually([&] { return core.watch.current()->list().empty(); }));
    }
}

TEST_CASE("a running query can be led back to its call", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    OnDatabase core(database);
    const auto outlet = core.sleep();
    REQUIRE(core.asleep("1"));
    const std::string name = database.scalar(
        "select application_name from pg_stat_activity where state = 'active' "
        "and application_name like 'interlock:sleeps:%' and datname = current_database()"
    );
    const Json begun = json(core.audit.entries().at(0).payload);
    const std::string call = begun["call"].get<std::string>();
    const std::string end = name.substr(name.rfind(':') + 1);
    CHECK(end.size() == 10);
    CHECK(call.ends_with(end));
    core.dispatcher.drain(base::Duration::zero());
    (void)outlet->reply();
}
