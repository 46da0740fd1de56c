#include "base/limits.hpp"
#include "tests/lab/bouncer.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/topology.hpp"
#include "tests/support/fakes.hpp"
#include "tests/tools/bench.hpp"
#include "tools/targets.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
namespace lab = interlock::lab;
namespace limits = interlock::base::limits;
using interlock::test::ManualClock;
using interlock::test::ToolBench;
using nlohmann::json;

namespace {

struct Pool {
    base::SystemClock clock;
    interlock::telemetry::Metrics metrics;
    tools::Targets targets;
    explicit Pool(std::vector<interlock::db::TargetAddress> addresses)
        : targets{std::move(addresses), clock, metrics} {}
};

interlock::db::TargetAddress nowhere(const std::string& name) {
    return {.name = name, .conninfo = "host=/nonexistent dbname=x user=x", .password_file = ""};
}

} // namespace

TEST_CASE("the only target need not be named", "[tools]") {
    Pool one{{nowhere("main")}};
    CHECK(one.targets.resolve("").value() == "main");
    CHECK(one.targets.resolve("main").value() == "main");
}

TEST_CASE("with several targets one must be named, and they are listed", "[tools]") {
    Pool two{{nowhere("a"), nowhere("b")}};
    const auto unnamed = two.targets.resolve("");
    REQUIRE_FALSE(unnamed.ok());
    CHECK(unnamed.error().code == base::Errc::invalid_arguments);
    CHECK_THAT(unnamed.error().remedy, Catch::Contains("a, b"));
    const auto unknown = two.targets.resolve("<script>");
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().code == base::Errc::not_found);
    CHECK(unknown.error().what.find("script") == std::string::npos);
    CHECK(two.targets.address("a") != nullptr);
    CHECK(two.targets.address("c") == nullptr);
}

TEST_CASE("no target at all is told", "[tools]") {
    Pool none{{}};
    CHECK_THAT(none.targets.resolve("").error().what, Catch::Contains("No target"));
}

TEST_CASE("a dead target is asked again only after a growing pause", "[tools]") {
    ManualClock clock;
    interlock::telemetry::Metrics metrics;
    tools::Targets targets{{nowhere("dead")}, clock, metrics};
    const auto attempt = [&] {
        const auto loan = targets.borrow("dead", tools::Lane::ordinary, {});
        REQUIRE_FALSE(loan.ok());
        CHECK(loan.error().code == base::Errc::target_unreachable);
        return loan.error().remedy.find("next attempt") != std::string::npos;
    };
    CHECK_FALSE(attempt()); // tried
    CHECK(attempt());       // not tried: backing off
    clock.advance(limits::reconnect_backoff_min);
    CHECK_FALSE(attempt());
    clock.advance(limits::reconnect_backoff_min);
    CHECK(attempt()); // the pause has doubled
    for (int i = 0; i < 20; ++i) {
        clock.advance(limits::reconnect_backoff_max);
        CHECK_FALSE(attempt());
    }
}

TEST_CASE("connections are reused, bounded, and one is kept for triage", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    Pool pool{{database.address("interlock_diag")}};
    auto first = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE(first.ok());
    const int pid = (*first)->connection().backend_pid();
    first->reset();
    auto again = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE(again.ok());
    CHECK((*again)->connection().backend_pid() == pid);
    auto second = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    auto third = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE(second.ok());
    REQUIRE(third.ok());

    auto triage = pool.targets.borrow("lab", tools::Lane::triage, {});
    CHECK(triage.ok());
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = pool.targets.borrow("lab", tools::Lane::ordinary, stop.get_token());
    REQUIRE_FALSE(stopped.ok());
    CHECK(stopped.error().code == base::Errc::cancelled);
    const auto busy = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE_FALSE(busy.ok());
    CHECK(busy.error().code == base::Errc::target_busy);
}

TEST_CASE("a waiting caller gets the connection that comes back", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    Pool pool{{database.address("interlock_diag")}};
    std::vector<std::unique_ptr<tools::BorrowedConnection>> loans;
    for (int i = 0; i < limits::pool_connections - limits::pool_triage_reserved; ++i) {
        auto loan = pool.targets.borrow("lab", tools::Lane::ordinary, {});
        REQUIRE(loan.ok());
        loans.push_back(std::move(loan).value());
    }
    bool served = false;
    {
        std::jthread waiter{
            [&] { served = pool.targets.borrow("lab", tools::Lane::ordinary, {}).ok(); }};
        loans.pop_back();
    }
    CHECK(served);
}

TEST_CASE("a connection whose credential was given rights is refused", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    database.sql("create table public.t (x int); grant insert on public.t to interlock_diag");
    Pool pool{{database.address("interlock_diag")}};
    const auto refused = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::permission_denied);
    CHECK_THAT(refused.error().what, Catch::Contains("cannot_write_tables"));
}

TEST_CASE("connections that died while idle are replaced", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    Pool pool{{database.address("interlock_diag")}};
    int pid = 0;
    {
        auto loan = pool.targets.borrow("lab", tools::Lane::ordinary, {});
        REQUIRE(loan.ok());
        pid = (*loan)->connection().backend_pid();
        database.sql("select pg_terminate_backend(" + std::to_string(pid) + ")");
        REQUIRE(lab::wait_until([&] {
            return database.scalar(
                       "select count(*) from pg_stat_activity where pid = " + std::to_string(pid)
                   ) == "0";
        }));
    }
    auto loan = pool.targets.borrow("lab", tools::Lane::ordinary, {});
    REQUIRE(loan.ok());
    CHECK((*loan)->connection().backend_pid() != pid);
}

TEST_CASE("a target that is switched off is lent to nobody until it is on again", "[tools]") {
    Pool two{{nowhere("a"), nowhere("b")}};
    two.targets.switch_off({{"a", "it is being moved"}, {"unknown", "whatever"}});
    const auto off = two.targets.borrow("a", tools::Lane::triage, {});
    REQUIRE_FALSE(off.ok());
    CHECK(off.error().code == base::Errc::suspended);
    CHECK(off.error().what == "The target a is switched off: it is being moved");
    CHECK(
        two.targets.borrow("b", tools::Lane::triage, {}).error().code ==
        base::Errc::target_unreachable
    );
    two.targets.switch_off({{"a", "another reason"}}); // off already: nothing changes
    two.targets.switch_off({});
    CHECK(
        two.targets.borrow("a", tools::Lane::triage, {}).error().code ==
        base::Errc::target_unreachable
    );
}

TEST_CASE("switching a target off stops whoever reads it or waits for it", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    Pool pool{{database.address("interlock_diag")}};
    std::vector<std::unique_ptr<tools::BorrowedConnection>> loans;
    std::stop_source caller;
    for (int i = 0; i < limits::pool_connections - limits::pool_triage_reserved; ++i) {
        auto loan = pool.targets.borrow("lab", tools::Lane::ordinary, caller.get_token());
        REQUIRE(loan.ok());
        CHECK_FALSE((*loan)->switched_off());
        loans.push_back(std::move(loan).value());
    }
    base::Errc waited = base::Errc::internal;
    {
        std::jthread waiter{
            [&] { waited = pool.targets.borrow("lab", tools::Lane::ordinary, {}).error().code; }};
        pool.targets.switch_off({{"lab", "it burns"}});
    }
    CHECK(waited == base::Errc::suspended);
    CHECK(loans[0]->stop().stop_requested());
    REQUIRE(loans[0]->switched_off());
    CHECK_THAT(loans[0]->switched_off()->what, Catch::Contains("it burns"));
    pool.targets.switch_off({});
    CHECK(loans[0]->switched_off()); // for this loan it stays so
    loans.pop_back();
    auto again = pool.targets.borrow("lab", tools::Lane::ordinary, caller.get_token());
    REQUIRE(again.ok());
    CHECK_FALSE((*again)->stop().stop_requested());
    caller.request_stop();
    CHECK((*again)->stop().stop_requested());
    CHECK_FALSE((*again)->switched_off());
}

namespace {

/// A primary and a standby of it, which a target names both; the laboratory's lane in each.
struct Pair {
    Pair() : standby{(interlock::lab::apply_lane(database), *cluster)} {
        REQUIRE(standby.catch_up());
    }
    static std::unique_ptr<interlock::cli::Cluster> start() {
        auto started = interlock::cli::Cluster::start({});
        if (!started) {
            FAIL(base::to_text(started.error()));
        }
        return std::move(*started);
    }
    interlock::db::TargetAddress address(const std::string& rule = "") {
        const auto& other = standby.cluster();
        return {
            .name = "shop",
            .conninfo = "host=" + cluster->directory() + "," + other.directory() + " port=" +
                        std::to_string(cluster->port()) + "," + std::to_string(other.port()) +
                        " user=interlock_diag dbname=" + database.name() + rule,
            .password_file = ""};
    }

    std::unique_ptr<interlock::cli::Cluster> cluster = start();
    lab::Database database{*cluster};
    lab::Replica standby;
};

bool has_primary_gap(const json& packet) {
    return interlock::test::not_examined(packet, "the primary of target shop");
}

std::string changes(const json& packet) {
    std::string found;
    for (const auto& finding : packet["findings"]) {
        if (finding["object"] == "target shop") {
            found += finding["meaning"].get<std::string>();
        }
    }
    return found;
}

} // namespace

TEST_CASE("a rule for standbys moves reads of data, and no look at a server", "[tools][live]") {
    Pair pair;
    ToolBench bench{{pair.address(" target_session_attrs=prefer-standby")}};
    const json data = bench.ask("describe_schema");
    CHECK(data["source"]["in_recovery"] == true);
    CHECK_THAT(
        data["source"]["server"].get<std::string>(),
        Catch::StartsWith(pair.standby.cluster().directory())
    );
    CHECK_FALSE(has_primary_gap(data));
    for (const auto* tool : {"get_activity", "get_replication", "get_vacuum", "get_blocking"}) {
        const json packet = bench.ask(tool);
        CHECK(packet["source"]["in_recovery"] == false);
        CHECK_FALSE(has_primary_gap(packet));
    }
    CHECK(bench.ask("diagnose")["source"]["in_recovery"] == false);

    ToolBench standbys{{pair.address(" target_session_attrs=standby")}};
    const json replication = standbys.ask("get_replication");
    CHECK(replication["source"]["in_recovery"] == true);
    CHECK(has_primary_gap(replication));
    CHECK_THAT(replication["not_examined"].dump(), Catch::Contains("rule takes standbys only"));
}

TEST_CASE("a failover is seen, told, and followed", "[tools][live]") {
    Pair pair;
    ToolBench bench{{pair.address(" target_session_attrs=prefer-standby")}};
    bench.ask("get_activity");
    CHECK(bench.ask("describe_schema")["source"]["in_recovery"] == true);

    pair.cluster->stop();
    // The connection that lay idle is gone; its read is done again, on what is left.
    const json left = bench.ask("get_replication");
    CHECK(left["source"]["in_recovery"] == true);
    CHECK(has_primary_gap(left));
    CHECK_THAT(left["not_examined"].dump(), Catch::Contains("no primary answered"));
    const json sick = bench.ask("diagnose");
    CHECK(sick["source"]["in_recovery"] == true);
    CHECK(has_primary_gap(sick));

    lab::run_sql(pair.standby.cluster(), "postgres", "select pg_promote()");
    const json after = bench.ask("get_activity");
    CHECK(after["source"]["in_recovery"] == false);
    CHECK_FALSE(has_primary_gap(after));
    CHECK_THAT(
        changes(after),
        Catch::Contains("was promoted") && Catch::Contains("timeline 00000002") &&
            Catch::Contains("the primary was " + pair.cluster->directory())
    );
    CHECK_THAT(changes(bench.ask("describe_schema")), Catch::Contains("was promoted"));
    CHECK(interlock::test::not_examined(bench.ask("diagnose"), "before its servers changed roles"));
}

TEST_CASE("a target of standbys lets go of one that was promoted", "[tools][live]") {
    Pair pair;
    ToolBench bench{{pair.address(" target_session_attrs=standby")}};
    CHECK(bench.ask("get_activity")["source"]["in_recovery"] == true);
    pair.cluster->stop();
    lab::run_sql(pair.standby.cluster(), "postgres", "select pg_promote()");
    const auto refused = bench.call("get_activity");
    CHECK(refused.is_error);
    CHECK_THAT(refused.structured, Catch::Contains("No standby of target shop"));
    CHECK_THAT(refused.structured, Catch::Contains("is a primary"));
    REQUIRE(pair.cluster->start_again().ok()); // without its standby: two primaries
    CHECK(bench.call("get_activity").is_error);
}

TEST_CASE("several connections that share a session are a pooler's", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    const lab::Bouncer bouncer{database.cluster(), "transaction", 1};
    const interlock::db::TargetAddress address{
        .name = "shop",
        .conninfo = bouncer.conninfo("interlock_diag", database.name()),
        .password_file = ""};
    Pool pool{{address}};
    {
        const auto first = pool.targets.borrow("shop", tools::Lane::ordinary, {});
        REQUIRE(first.ok());
        CHECK((*first)->standing().pooler == interlock::db::Pooler::session);
        CHECK_FALSE((*first)->standing().pooler_known);
        const auto second = pool.targets.borrow("shop", tools::Lane::ordinary, {});
        REQUIRE(second.ok());
        CHECK((*second)->standing().pooler == interlock::db::Pooler::transaction);
        CHECK((*first)->standing().pooler == interlock::db::Pooler::transaction);
        CHECK((*first)->standing().pooler_known);
    }
    ToolBench bench{{address}};
    const json listed = bench.ask("list_targets");
    CHECK(listed["rows"]["targets"][0]["pooler"] == "a mode not yet known");
    CHECK(listed["rows"]["targets"][0]["connection"] == "local");
    CHECK_THAT(listed["findings"].dump(), Catch::Contains("pooler in a mode not yet known"));
    for (int time = 0; time < 3; ++time) {
        const json packet = bench.ask("get_activity"); // one connection, which tells nothing
        CHECK(packet["source"]["pooler"] == "a mode not yet known");
    }
}

TEST_CASE(
    "connections that keep their sessions in turns are a pooler's in session mode", "[tools][live]"
) {
    lab::Database database;
    lab::apply_lane(database);
    const auto mode_of = [&](const std::string& mode, int size) {
        const lab::Bouncer bouncer{database.cluster(), mode, size};
        Pool pool{
            {{.name = "shop",
              .conninfo = bouncer.conninfo("interlock_diag", database.name()),
              .password_file = ""}}};
        const auto read = [](tools::BorrowedConnection& loan) {
            return loan.connection().read({}, {{.sql = {"one", "select 1"}, .parameters = {}}}, {});
        };
        {
            const auto first = pool.targets.borrow("shop", tools::Lane::ordinary, {});
            const auto second = pool.targets.borrow("shop", tools::Lane::ordinary, {});
            REQUIRE((first.ok() && second.ok()));
            CHECK((read(**first).ok() && read(**second).ok()));
        }
        tools::Standing standing;
        for (int turn = 0; turn < 6; ++turn) {
            const auto loan = pool.targets.borrow("shop", tools::Lane::ordinary, {});
            REQUIRE(loan.ok());
            CHECK(read(**loan).ok());
            standing = (*loan)->standing();
        }
        CHECK(standing.pooler_known);
        return standing.pooler;
    };
    CHECK(mode_of("session", 2) == interlock::db::Pooler::session);
    CHECK(mode_of("transaction", 2) == interlock::db::Pooler::transaction);
}
