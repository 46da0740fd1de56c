// runbooks/library/release-blocking-session.yaml against real servers: who is hit, who is not, and
// what the checks say before and after.
#include "base/db/reader_connection.hpp"
#include "runbooks/policy.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <memory>

#include <catch2/catch.hpp>

namespace interlock {
namespace {

using lab::Session;

/// A database with a table, its application role, and the executor's role.
class Scene {
public:
    Scene() {
        lab::apply_lane(database);
        database.sql(
            "do $$ begin create role app login; exception when duplicate_object then null; end $$;"
            "create table orders (id int primary key, note text);"
            "insert into orders values (1, 'a'), (2, 'b');"
            "grant all on orders to app; alter table orders owner to app;"
            "grant create on schema public to app"
        );
        executor = db::ReaderConnection::open(database.address("interlock_exec")).value();
    }

    std::unique_ptr<Session> session(const std::string& name = "shop") {
        return std::make_unique<Session>(database.conninfo("app"), name);
    }

    /// As the executor runs it: one statement, values bound, in a transaction of its own. Its role
    /// may signal, which no READ ONLY stops.
    db::Table run(const runbooks::BoundStatement& statement) {
        db::Query query{{"statement", statement.sql}, {}};
        for (const auto& parameter : statement.parameters) {
            query.parameters.emplace_back(parameter.value);
        }
        db::LaneSettings settings;
        settings.statement_timeout = std::chrono::seconds{10};
        auto results = executor->read(settings, {query}, {});
        REQUIRE(results.ok());
        INFO((results->at(0).ok() ? "" : base::to_text(results->at(0).error())));
        REQUIRE(results->at(0).ok());
        return results->at(0)->table;
    }

    bool holds(const runbooks::Check& check) {
        const auto table = run(check.statement);
        REQUIRE(table.rows.size() == 1);
        REQUIRE(table.rows[0].size() == 1);
        const auto value = table.rows[0][0].value_or("");
        switch (check.comparison) {
        case runbooks::Comparison::at_least:
            return std::stoll(value) >= std::stoll(check.expected);
        case runbooks::Comparison::at_most:
            return std::stoll(value) <= std::stoll(check.expected);
        case runbooks::Comparison::equals:
            break;
        }
        return value == check.expected;
    }

    /// The ids of those that do not hold.
    std::vector<std::string> failing(const std::vector<runbooks::Check>& checks) {
        std::vector<std::string> out;
        for (const auto& check : checks) {
            if (!holds(check)) {
                out.push_back(check.id);
            }
        }
        return out;
    }

    std::string activity(const Session& session, const std::string& column) {
        return database.scalar(
            "select " + column +
            " from pg_stat_activity where pid = " + std::to_string(session.pid())
        );
    }

    bool waits(const Session& session) { return activity(session, "wait_event_type") == "Lock"; }

    runbooks::Plan plan_for(const Session& session, const std::string& cause) {
        const auto in_utc = [&](const char* column) {
            return activity(
                session,
                std::string("to_char(") + column +
                    " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
            );
        };
        auto plan = runbooks::make_plan(
            test::release_contract(),
            {cause,
             "{\"pid\":" + std::to_string(session.pid()) + ",\"backend_start\":\"" +
                 in_utc("backend_start") + "\",\"xact_start\":\"" + in_utc("xact_start") + "\"}"},
            test::release_target()
        );
        INFO((plan.ok() ? "" : base::to_text(plan.error())));
        REQUIRE(plan.ok());
        return *plan;
    }

    lab::Database database;
    std::unique_ptr<db::ReaderConnection> executor;
};

using Ids = std::vector<std::string>;

void set_parameter(runbooks::Plan& plan, const std::string& name, const std::string& value) {
    const auto set = [&](runbooks::BoundStatement& statement) {
        for (auto& parameter : statement.parameters) {
            if (parameter.name == name) {
                parameter.value = value;
            }
        }
    };
    for (auto& check : plan.preconditions) {
        set(check.statement);
    }
    for (auto& step : plan.steps) {
        set(step.statement);
    }
}

} // namespace

TEST_CASE("an idle blocker is ended, alone, and its queue moves on", "[live]") {
    Scene scene;
    auto blocker = scene.session();
    auto bystander = scene.session();
    auto waiter = scene.session();
    blocker->run("begin; update orders set note = 'x' where id = 1");
    bystander->run("begin; update orders set note = 'y' where id = 2");
    waiter->start("update orders set note = 'z' where id = 1");
    REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));

    const auto plan = scene.plan_for(*blocker, "lock.idle_in_tx");
    REQUIRE(runbooks::admit(plan, test::release_contract()).ok());
    CHECK(scene.failing(plan.preconditions).empty());
    CHECK(scene.failing(plan.verification.guardrails).empty());
    CHECK_FALSE(scene.holds(*plan.steps[0].probe));
    const auto before = scene.failing(plan.verification.recovery);
    CHECK(std::find(before.begin(), before.end(), "blocks_nobody") != before.end());

    const auto result = scene.run(plan.steps[0].statement);
    CHECK(result.columns.size() == 1);
    REQUIRE(result.rows.size() == 1);
    CHECK(result.rows[0][0] == "t");

    CHECK(waiter->finish().empty());
    CHECK(lab::wait_until([&] { return !blocker->alive(); }));
    CHECK(bystander->alive());
    CHECK(bystander->try_run("commit").empty());
    CHECK(scene.holds(*plan.steps[0].probe));
    CHECK(scene.failing(plan.verification.recovery).empty());
    CHECK(scene.failing(plan.verification.guardrails).empty());

    // Once more finds nobody: the step acts on that session or on none.
    CHECK(scene.run(plan.steps[0].statement).rows.empty());
}

TEST_CASE("another session under the same pid or another transaction is never hit", "[live]") {
    Scene scene;
    auto blocker = scene.session();
    auto waiter = scene.session();
    blocker->run("begin; update orders set note = 'x' where id = 1");
    waiter->start("update orders set note = 'z' where id = 1");
    REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));
    const auto plan = scene.plan_for(*blocker, "lock.idle_in_tx");

    const std::string other = "2026-01-01T00:00:00.000001Z";
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"backend_start", other},
             {"xact_start", other},
             {"pid", std::to_string(waiter->pid())},
             {"pid", "2147483647"}}) {
        INFO(name << " = " << value);
        auto changed = plan;
        set_parameter(changed, name, value);
        const auto failing = scene.failing(changed.preconditions);
        CHECK(std::find(failing.begin(), failing.end(), "same_transaction") != failing.end());
        CHECK(scene.run(changed.steps[0].statement).rows.empty());
        CHECK(blocker->alive());
        CHECK(scene.waits(*waiter));
    }
    // One microsecond decides.
    auto shifted = plan;
    auto start = plan.steps[0].statement.parameters[2].value;
    start[start.size() - 2] = start[start.size() - 2] == '0' ? '1' : '0';
    set_parameter(shifted, "xact_start", start);
    CHECK(scene.run(shifted.steps[0].statement).rows.empty());

    // The same session in its next transaction is not the session that was approved.
    blocker->run("commit; begin; update orders set note = 'x' where id = 2");
    CHECK(waiter->finish().empty());
    CHECK(scene.failing(plan.preconditions) == Ids{"same_transaction", "blocks_somebody"});
    CHECK(scene.run(plan.steps[0].statement).rows.empty());
    CHECK(blocker->alive());
}

TEST_CASE("a session that woke up is not ended in the middle of its work", "[live]") {
    Scene scene;
    auto blocker = scene.session();
    auto waiter = scene.session();
    blocker->run("begin; update orders set note = 'x' where id = 1");
    waiter->start("update orders set note = 'z' where id = 1");
    REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));
    const auto plan = scene.plan_for(*blocker, "lock.idle_in_tx");
    blocker->start("select pg_sleep(60)");
    REQUIRE(lab::wait_until([&] { return scene.activity(*blocker, "state") == "active"; }));
    CHECK(scene.failing(plan.preconditions) == Ids{"same_state"});
    CHECK(scene.run(plan.steps[0].statement).rows.empty());
    CHECK(blocker->busy());
}

TEST_CASE("an active blocker loses its statement and keeps its connection", "[live]") {
    Scene scene;
    auto blocker = scene.session();
    auto bystander = scene.session();
    auto waiter = scene.session();
    blocker->run("begin; update orders set note = 'x' where id = 1");
    blocker->start("select pg_sleep(60)");
    bystander->start("select pg_sleep(60)");
    waiter->start("update orders set note = 'z' where id = 1");
    REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));

    const auto plan = scene.plan_for(*blocker, "lock.active_blocker");
    REQUIRE(plan.steps[0].id == "cancel-statement");
    CHECK(scene.failing(plan.preconditions).empty());
    CHECK_FALSE(scene.holds(*plan.steps[0].probe));
    const auto result = scene.run(plan.steps[0].statement);
    REQUIRE(result.rows.size() == 1);
    CHECK(result.rows[0] == std::vector<db::Cell>{"t"});

    CHECK(blocker->finish() == "57014");
    CHECK(waiter->finish().empty());
    CHECK(blocker->alive());
    CHECK(bystander->busy());
    CHECK(lab::wait_until([&] { return scene.holds(*plan.steps[0].probe); }));
    CHECK(scene.failing(plan.verification.recovery).empty());
    CHECK(scene.run(plan.steps[0].statement).rows.empty());
}

TEST_CASE("a waiting schema change is cancelled and those behind it pass", "[live]") {
    Scene scene;
    auto reader = scene.session();
    auto change = scene.session();
    auto behind = scene.session();
    reader->run("begin; select * from orders");
    change->start("alter table orders add column late int");
    REQUIRE(lab::wait_until([&] { return scene.waits(*change); }));
    behind->start("select * from orders");
    REQUIRE(lab::wait_until([&] { return scene.waits(*behind); }));

    const auto plan = scene.plan_for(*change, "lock.ddl_queue");
    CHECK(scene.failing(plan.preconditions).empty());
    CHECK(scene.run(plan.steps[0].statement).rows.size() == 1);
    CHECK(change->finish() == "57014");
    CHECK(behind->finish().empty());
    CHECK(reader->try_run("commit").empty());
    CHECK(scene.failing(plan.verification.recovery).empty());
}

TEST_CASE("sessions that must never be hit fail a precondition", "[live]") {
    Scene scene;
    SECTION("one that blocks nobody") {
        auto idle = scene.session();
        idle->run("begin; update orders set note = 'x' where id = 1");
        const auto plan = scene.plan_for(*idle, "lock.idle_in_tx");
        CHECK(scene.failing(plan.preconditions) == Ids{"blocks_somebody"});
    }
    SECTION("a superuser's") {
        Session superuser{scene.database.conninfo(), "shop"};
        auto waiter = scene.session();
        superuser.run("begin; update orders set note = 'x' where id = 1");
        waiter->start("update orders set note = 'z' where id = 1");
        REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));
        const auto plan = scene.plan_for(superuser, "lock.idle_in_tx");
        CHECK(scene.failing(plan.preconditions) == Ids{"ordinary_client"});
    }
    SECTION("a backup") {
        auto backup = scene.session("pg_dump");
        auto waiter = scene.session();
        backup->run("begin; lock table orders in access share mode");
        waiter->start("alter table orders add column late int");
        REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));
        const auto plan = scene.plan_for(*backup, "lock.idle_in_tx");
        CHECK(scene.failing(plan.preconditions) == Ids{"ordinary_client"});
    }
}

TEST_CASE("among many sessions the signalling function is called once, for one", "[live]") {
    Scene scene;
    scene.database.sql("create table signalled (pid int);"
                       "create function note_signal(pid int) returns bool language sql as "
                       "'insert into signalled values (pid) returning true'");
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 20; ++i) {
        sessions.push_back(scene.session());
        sessions.back()->run("begin; select 1");
    }
    const auto plan = scene.plan_for(*sessions[7], "lock.idle_in_tx");
    const auto& step = plan.steps[0].statement;
    const std::string call = "pg_catalog.pg_terminate_backend(session.pid, 5000::pg_catalog.int8)";
    auto sql = step.sql;
    REQUIRE(sql.find(call) != std::string::npos);
    sql.replace(sql.find(call), call.size(), "public.note_signal(session.pid)");
    Session judge{scene.database.conninfo()};
    judge.run("prepare step as " + sql);
    std::string values;
    for (const auto& parameter : step.parameters) {
        values += (values.empty() ? "'" : ", '") + parameter.value + "'";
    }
    CHECK(judge.run("execute step(" + values + ")").rows.size() == 1);
    const auto noted = scene.database.sql("select pid from signalled");
    REQUIRE(noted.rows.size() == 1);
    CHECK(noted.rows[0][0] == std::to_string(sessions[7]->pid()));
}

TEST_CASE(
    "a lock wait of any session of the database delays recovery after two seconds", "[live]"
) {
    Scene scene;
    auto blocker = scene.session();
    auto waiter = scene.session();
    blocker->run("begin; update orders set note = 'x' where id = 1");
    waiter->start("update orders set note = 'z' where id = 1");
    REQUIRE(lab::wait_until([&] { return scene.waits(*waiter); }));
    const auto plan = scene.plan_for(*blocker, "lock.idle_in_tx");
    const auto& queue_gone = plan.verification.recovery.at(1);
    REQUIRE(queue_gone.id == "queue_gone");
    CHECK(lab::wait_until([&] { return !scene.holds(queue_gone); }));
    blocker->run("rollback");
    CHECK(waiter->finish().empty());
    CHECK(scene.holds(queue_gone));
}

} // namespace interlock
