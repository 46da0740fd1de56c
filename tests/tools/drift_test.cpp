#include "base/limits.hpp"
#include "tests/support/fakes.hpp"
#include "tests/tools/shop.hpp"
#include "tools/catalog.hpp"
#include "tools/drift.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace db = interlock::db;
namespace lab = interlock::lab;
namespace limits = interlock::base::limits;
namespace telemetry = interlock::telemetry;
namespace test = interlock::test;
namespace tools = interlock::tools;

namespace {

/// Answers every read with what the test says; never connects.
class FakeConnection final : public db::ReaderConnection {
public:
    const db::ServerFacts& facts() const override { return facts_; }
    int backend_pid() const override { return 1; }
    base::Result<db::ReadResults> read(
        const db::LaneSettings& settings, const std::vector<db::Query>& queries, std::stop_token
    ) override {
        asked = queries.size();
        role = settings.role;
        application_name = settings.application_name;
        texts.clear();
        for (const db::Query& query : queries) {
            texts.emplace_back(query.sql.text);
        }
        if (failure) {
            return *failure;
        }
        db::ReadResults results;
        db::Rows needs;
        needs.table.columns = {"kind", "name", "present", "usable"};
        needs.table.rows = standings;
        results.emplace_back(std::move(needs));
        for (std::size_t i = 1; i < queries.size(); ++i) {
            if (statement_error) {
                results.emplace_back(*statement_error);
                continue;
            }
            db::Rows rows;
            rows.table.columns = columns;
            results.emplace_back(std::move(rows));
        }
        return results;
    }
    const std::vector<db::Timing>& timings() const override { return timings_; }
    bool broken() const override { return false; }
    bool clean() override { return true; }

    db::ServerFacts facts_{150018, "15.18", false, "", "shop", "diag"};
    std::vector<db::Timing> timings_;
    std::vector<std::vector<db::Cell>> standings;
    std::vector<std::string> columns{"a", "b"};
    std::optional<base::Error> statement_error;
    std::optional<base::Error> failure;
    std::size_t asked = 0;
    std::string application_name;
    std::string role;
    std::vector<std::string> texts;
};

const std::vector<tools::Column> declared{{.name = "a"}, {.name = "b"}};

tools::Tool sample() {
    tools::Tool tool;
    tool.name = "sample";
    tool.statements = {
        {{"one", "select a, b from app.t where app.f(a) > $1 and b = $2"}, "how t is", &declared}};
    tool.needs = {
        {.kind = tools::NeedKind::extension,
         .name = "pg_stat_statements",
         .would_tell = "which statements are slow"},
        {.kind = tools::NeedKind::role,
         .name = "pg_read_all_stats",
         .would_tell = "sessions of others",
         .told_by_tool = true}};
    return tool;
}

std::vector<std::vector<db::Cell>> all_there() {
    return {
        {"relation", "app.t", "t", "t"},
        {"function", "app.f", "t", "t"},
        {"extension", "pg_stat_statements", "t", "t"},
        {"role", "pg_read_all_stats", "t", "t"}};
}

std::vector<tools::MissingNeed> found(FakeConnection& connection) {
    auto missing = tools::check_drift(connection, {sample()}, {});
    REQUIRE(missing.ok());
    return std::move(missing).value();
}

const tools::MissingNeed* find(
    const std::vector<tools::MissingNeed>& missing, const std::string& tool, const std::string& need
) {
    for (const auto& each : missing) {
        if (each.tool == tool && each.need == need) {
            return &each;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE("a target that has all is not drifted, and no statement is run for rows", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    CHECK(found(connection).empty());
    CHECK(connection.asked == 2);
    CHECK(connection.application_name == "interlock:drift");
    CHECK(connection.texts[1].starts_with("select * from (select a, b"));
    CHECK(connection.texts[1].ends_with(") as s limit 0"));
}

TEST_CASE("what is missing and what is forbidden are told apart, with the remedy", "[tools]") {
    FakeConnection connection;
    connection.standings = {
        {"relation", "app.t", "t", "f"},
        {"function", "app.f", "f", "f"},
        {"extension", "pg_stat_statements", "f", "f"},
        {"role", "pg_read_all_stats", "t", "f"}};
    const auto missing = found(connection);
    REQUIRE(missing.size() == 4);
    CHECK(missing[0].need == "relation app.t");
    CHECK(missing[0].why == "role diag may not use it");
    CHECK(missing[0].remedy == "GRANT SELECT ON app.t TO \"diag\"; and USAGE on its schema.");
    CHECK(missing[0].would_tell == "how t is");
    CHECK(missing[1].need == "function app.f");
    CHECK(missing[1].why == "it does not exist here");
    CHECK(missing[2].need == "extension pg_stat_statements");
    CHECK(missing[2].remedy == "CREATE EXTENSION pg_stat_statements;");
    CHECK(missing[3].remedy == "GRANT pg_monitor TO \"diag\";");
    CHECK(missing[3].told_by_tool);
}

TEST_CASE("a look as another role says what that role may not use", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    connection.standings[0] = {"relation", "app.t", "t", "f"};
    const auto missing = tools::check_drift(connection, {sample()}, {}, "narrow");
    REQUIRE(missing.ok());
    CHECK(connection.role == "narrow");
    REQUIRE(missing->size() == 1);
    CHECK((*missing)[0].why == "role narrow may not use it");
    CHECK_THAT((*missing)[0].remedy, Catch::Contains("TO \"narrow\""));
    CHECK(found(connection)[0].why == "role diag may not use it");
    CHECK(connection.role.empty());
}

TEST_CASE("a statement that cannot be planned is told with the server's reason", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    connection.statement_error = {
        base::Errc::not_supported, "column \"b\" does not exist", "Update."};
    const auto missing = found(connection);
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].need == "statement one");
    CHECK(missing[0].why == "column \"b\" does not exist");
    CHECK(missing[0].remedy == "Update.");
}

TEST_CASE("a statement that fails for a reason already named is not told twice", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    connection.standings[0][2] = "f";
    connection.statement_error = {base::Errc::not_supported, "relation does not exist", ""};
    CHECK(found(connection).size() == 1);
}

TEST_CASE("a declared column that the statement does not give is drift", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    connection.columns = {"a"};
    const auto missing = found(connection);
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].need == "column b of statement one");
}

TEST_CASE("a time-out is no drift: nothing is known then", "[tools]") {
    FakeConnection connection;
    connection.standings = all_there();
    connection.statement_error = {base::Errc::timeout, "too slow", ""};
    CHECK_FALSE(tools::check_drift(connection, {sample()}, {}).ok());
    connection.failure = {base::Errc::target_unreachable, "gone", ""};
    CHECK_FALSE(tools::check_drift(connection, {sample()}, {}).ok());
}

TEST_CASE("a statement of another server version is not held against the target", "[tools]") {
    FakeConnection connection;
    connection.standings = {};
    tools::Tool tool = sample();
    tool.needs.clear();
    tool.statements[0].version_min = 160000;
    CHECK(tools::check_drift(connection, {tool}, {})->empty());
    CHECK(connection.asked == 1);
    tool.statements[0].version_min = 0;
    tool.statements[0].version_max = 140000;
    CHECK(tools::check_drift(connection, {tool}, {})->empty());
    CHECK(connection.asked == 1);
}

TEST_CASE("an outage makes a target unknown and is tried again with back-off", "[tools]") {
    test::ManualClock clock;
    telemetry::Metrics metrics;
    tools::Targets targets{
        {{.name = "dead", .conninfo = "host=/nonexistent dbname=x user=x", .password_file = ""}},
        clock,
        metrics};
    tools::DriftWatch watch{{targets, tools::catalog(), clock, metrics}};
    CHECK_FALSE(watch.seen("dead").known);
    CHECK(watch.seen("dead").unknown_why.empty());
    watch.look();
    CHECK_FALSE(watch.seen("dead").known);
    CHECK_THAT(
        watch.seen("dead").unknown_why,
        Catch::Contains("target_unreachable") || Catch::Contains("reach") ||
            Catch::Contains("connect")
    );
    CHECK_THAT(
        metrics.render(), Catch::Contains("interlock_target_needs_known{target=\"dead\"} 0")
    );
    CHECK(watch.gaps("get_activity", "dead").empty());
    CHECK(watch.gaps("get_activity", "nobody").empty());
}

TEST_CASE("every tool with statements of its own declares them", "[tools]") {
    // find_tools asks no target; explain_query sends what its caller wrote.
    const std::set<std::string_view> none{"find_tools", "explain_query", "run_query"};
    for (const tools::Tool& tool : tools::catalog()) {
        CAPTURE(tool.name);
        CHECK((!tool.statements.empty() || none.contains(tool.name)));
    }
}

TEST_CASE("the lane that interlock init prints lacks nothing", "[tools][live]") {
    test::Shop shop;
    auto connection = db::ReaderConnection::open(shop.database().address("interlock_diag"));
    REQUIRE(connection.ok());
    const auto missing = tools::check_drift(**connection, tools::catalog(), {});
    REQUIRE(missing.ok());
    for (const auto& each : *missing) {
        FAIL_CHECK(each.tool << " " << each.need << " " << each.why);
    }
}

TEST_CASE("a role without pg_monitor is told which membership it lacks", "[tools][live]") {
    test::Shop shop;
    auto connection = db::ReaderConnection::open(shop.database().address("plain_reader"));
    REQUIRE(connection.ok());
    const auto missing = tools::check_drift(**connection, tools::catalog(), {});
    REQUIRE(missing.ok());
    const auto* role = find(*missing, "get_activity", "role pg_read_all_stats");
    REQUIRE(role != nullptr);
    CHECK(role->remedy == "GRANT pg_monitor TO \"plain_reader\";");
    CHECK(find(*missing, "diagnose", "role pg_read_all_stats") != nullptr);
    CHECK(find(*missing, "get_activity", "relation pg_catalog.pg_stat_activity") == nullptr);
}

TEST_CASE("a view, a column, a grant and an extension that go are found", "[tools][live]") {
    test::Shop shop;
    lab::Database& database = shop.database();
    database.sql("create view app.v as select 1 as a, 2 as b; grant usage on schema app to "
                 "interlock_diag; grant select on app.v, app.orders to interlock_diag");
    tools::Tool tool = sample();
    tool.statements = {
        {{"of_view", "select a, b from app.v where a > $1::int limit $2"}, "how v is", &declared},
        {{"of_orders", "select id from app.orders"}, "how orders are"}};
    tool.needs[0].name = "interlock_no_such_extension";
    const auto look = [&] {
        auto connection = db::ReaderConnection::open(database.address("interlock_diag"));
        REQUIRE(connection.ok());
        auto missing = tools::check_drift(**connection, {tool}, {});
        REQUIRE(missing.ok());
        return std::move(missing).value();
    };
    auto missing = look();
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].need == "extension interlock_no_such_extension");

    database.sql("drop view app.v; create view app.v as select 1 as a; "
                 "grant select on app.v to interlock_diag");
    missing = look();
    REQUIRE(missing.size() == 2);
    CHECK(missing[0].need == "statement of_view");
    CHECK_THAT(missing[0].why, Catch::Contains("column \"b\" does not exist"));

    database.sql("drop view app.v; revoke select on app.orders from interlock_diag");
    missing = look();
    REQUIRE(missing.size() == 3);
    CHECK(missing[0].need == "relation app.v");
    CHECK(missing[1].need == "relation app.orders");
    CHECK(
        missing[1].remedy ==
        "GRANT SELECT ON app.orders TO \"interlock_diag\"; and USAGE on its schema."
    );
}

TEST_CASE("what drifted is told by list_targets, metrics and the tool itself", "[tools][live]") {
    test::Shop shop;
    test::ManualClock clock;
    telemetry::Metrics metrics;
    tools::Targets targets{{shop.database().address("plain_reader", "shop")}, clock, metrics};
    std::vector<tools::Tool> watched = tools::catalog();
    const auto target_tool = std::find_if(watched.begin(), watched.end(), [](const auto& tool) {
        return tool.name == "get_activity";
    });
    REQUIRE(target_tool != watched.end());
    target_tool->needs.push_back(
        {.kind = tools::NeedKind::extension,
         .name = "interlock_no_such_extension",
         .would_tell = "what it would tell"}
    );
    tools::DriftWatch watch{{targets, watched, clock, metrics}};
    watch.look();
    const tools::TargetDrift drift = watch.seen("shop");
    REQUIRE(drift.known);
    CHECK(drift.at == "2026-11-21T03:00:00.000000Z");
    const std::string missing = std::to_string(drift.missing.size()); // of however many tools
    CHECK(drift.missing.size() >= 4);
    CHECK_THAT(
        metrics.render(), Catch::Contains("interlock_target_needs_known{target=\"shop\"} 1")
    );
    CHECK_THAT(
        metrics.render(),
        Catch::Contains("interlock_target_needs_missing{target=\"shop\"} " + missing)
    );
    shop.bench().watch_drift(&watch);
    const auto gaps = watch.gaps("get_activity", "shop");
    REQUIRE(gaps.size() == 1); // the role is told by the tool itself
    const auto activity = shop.bench().ask("get_activity");
    CHECK(test::not_examined(activity, "extension interlock_no_such_extension"));
    const auto targets_packet = shop.bench().ask("list_targets");
    bool told = false;
    for (const auto& finding : targets_packet["findings"]) {
        told = told || finding["value"] == missing + " needs are missing";
    }
    CHECK(told);
}

TEST_CASE("roles that callers are mapped to are looked at one by one", "[tools][live]") {
    test::Shop shop;
    shop.database().sql("drop role if exists narrow_caller; create role narrow_caller; "
                        "grant narrow_caller to interlock_diag; "
                        "create view app.v as select 1 as a, 2 as b; grant usage on schema app to "
                        "interlock_diag; grant select on app.v to interlock_diag");
    test::ManualClock clock;
    telemetry::Metrics metrics;
    tools::Targets targets{{shop.database().address("interlock_diag", "shop")}, clock, metrics};
    std::vector<tools::Tool> watched{sample()};
    watched[0].statements = {{{"of_view", "select a, b from app.v"}, "how v is", &declared}};
    watched[0].needs = {
        {.kind = tools::NeedKind::extension,
         .name = "interlock_no_such_extension",
         .would_tell = "what it would tell"}};
    tools::DriftWatch watch{
        {targets, watched, clock, metrics, {"narrow_caller", "role_that_is_not"}}};
    watch.look();
    // What all lack is one need; the view and the role that is not are one each.
    const auto lacks = [&](const std::string& count) {
        return Catch::Contains("interlock_target_needs_missing{target=\"shop\"} " + count + "\n");
    };
    CHECK_THAT(metrics.render(), lacks("3"));
    CHECK(watch.seen("shop").missing.size() == 1);
    CHECK(watch.gaps("sample", "shop").size() == 1);
    const auto narrow = watch.seen("shop", "narrow_caller").missing;
    CHECK(find(narrow, "sample", "extension interlock_no_such_extension") != nullptr);
    const auto* view = find(narrow, "sample", "relation app.v");
    REQUIRE(view != nullptr);
    CHECK(view->why == "role narrow_caller may not use it");
    CHECK(watch.gaps("sample", "shop", "narrow_caller").size() == 2);
    const auto none = watch.seen("shop", "role_that_is_not").missing;
    REQUIRE(none.size() == 1);
    CHECK(none[0].need == "role role_that_is_not");
    CHECK(watch.seen("shop", "never_looked_at").missing.size() == 1); // as the login role

    watch.use_roles({"narrow_caller"});
    shop.database().sql("grant usage on schema app to narrow_caller; "
                        "grant select on app.v to narrow_caller");
    watch.look(); // roles have changed: not only after a day
    CHECK_THAT(metrics.render(), lacks("1"));
    CHECK(watch.gaps("sample", "shop", "narrow_caller").size() == 1);
    shop.database().sql("drop owned by narrow_caller; drop role narrow_caller");
}

TEST_CASE("a look is taken again after a day, not before", "[tools][live]") {
    test::Shop shop;
    test::ManualClock clock;
    telemetry::Metrics metrics;
    tools::Targets targets{{shop.database().address("interlock_diag", "shop")}, clock, metrics};
    std::vector<tools::Tool> watched{sample()};
    watched[0].statements = {{{"of_view", "select a, b from app.v"}, "how v is", &declared}};
    watched[0].needs.clear();
    tools::DriftWatch watch{{targets, watched, clock, metrics}};
    watch.look();
    CHECK(watch.seen("shop").missing.size() == 1);
    shop.database().sql("create view app.v as select 1 as a, 2 as b; grant usage on schema app to "
                        "interlock_diag; grant select on app.v to interlock_diag");
    clock.advance(limits::drift_interval - std::chrono::seconds{1});
    watch.look();
    CHECK(watch.seen("shop").missing.size() == 1);
    clock.advance(std::chrono::seconds{1});
    watch.look();
    CHECK(watch.seen("shop").missing.empty());
}
