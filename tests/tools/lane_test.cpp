#include "tests/lab/topology.hpp"
#include "tests/support/spans.hpp"
#include "tests/tools/shop.hpp"
#include "tools/lane.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
using interlock::lab::Session;
using interlock::test::Shop;
using nlohmann::json;

TEST_CASE("a server version is shown without its packager", "[tools]") {
    CHECK(tools::short_version("15.18 (Debian 15.18-0+deb12u1)") == "15.18");
    CHECK(tools::short_version("16beta1") == "16beta1");
    CHECK(tools::short_version("").empty());
}

TEST_CASE("a check that failed says its code and reason", "[tools]") {
    const auto gap = tools::failed_check(
        "locks", {base::Errc::timeout, "It took too long.", "Ask again."}, "who blocks"
    );
    CHECK(gap.what == "locks");
    CHECK(gap.why == "timeout: It took too long.");
    CHECK(gap.would_tell == "who blocks");
}

TEST_CASE("a call's reads are named after its tool, its caller and itself", "[tools]") {
    const std::string id = "call_abcdefghijklmnopqrstuvwxyz";
    CHECK(tools::lane_name("get_activity", "os:alice", "") == "interlock:get_activity:os:alice");
    CHECK(
        tools::lane_name("get_activity", "os:alice", id) ==
        "interlock:get_activity:os:alice:qrstuvwxyz"
    );
    const auto cut = tools::lane_name("get_activity", "corp:" + std::string(100, 'x'), id);
    CHECK(cut.size() == 63);
    CHECK(cut.starts_with("interlock:get_activity:corp:xxx"));
    CHECK(cut.ends_with("x:qrstuvwxyz"));
    const auto wide = tools::lane_name("a", std::string(49, 'x') + "\u00e9\u00e9", "call_0");
    CHECK(wide.size() <= 63);
    CHECK(wide.ends_with(":call_0"));
}

TEST_CASE("a call reads with its identity's role, and only with that", "[tools][live]") {
    Shop shop;
    shop.database().sql(
        "do $$ begin if not exists (select from pg_roles where rolname = 'mapped_role') then "
        "create role mapped_role nologin; end if; end $$; grant mapped_role to interlock_diag"
    );
    const Session client{shop.app()};
    shop.bench().identity().database_role = "mapped_role";
    const json mapped = shop.bench().ask("get_activity");
    CHECK(mapped["source"]["database_role"] == "mapped_role");
    CHECK(interlock::test::not_examined(mapped, "other roles' sessions"));

    shop.bench().identity().database_role = "";
    const json login = shop.bench().ask("get_activity");
    CHECK(login["source"]["database_role"] == "interlock_diag");
    CHECK_FALSE(interlock::test::not_examined(login, "other roles' sessions"));

    shop.bench().identity().database_role = "shop_app";
    const auto refused = shop.bench().call("get_activity");
    CHECK(refused.is_error);
    CHECK(json::parse(refused.structured)["error"]["code"] == "permission_denied");
}

TEST_CASE("a call survives that its idle connection died", "[tools][live]") {
    Shop shop;
    shop.bench().ask("get_activity");
    shop.database().sql("select pg_terminate_backend(pid) from pg_stat_activity "
                        "where usename = 'interlock_diag' and datname = current_database()");
    REQUIRE(interlock::lab::wait_until([&] {
        return shop.database().scalar(
                   "select count(*) from pg_stat_activity where usename = 'interlock_diag' "
                   "and datname = current_database()"
               ) == "0";
    }));
    shop.bench().ask("get_activity");
}

TEST_CASE("each statement of a read is a span under the call's", "[tools][live]") {
    using interlock::test::number_of;
    using interlock::test::text_of;
    Shop shop;
    const Session client{shop.app()};
    shop.bench().ask("get_activity");
    const auto call = shop.bench().spans().find("tool get_activity");
    REQUIRE(call);
    int statements = 0;
    for (const auto& span : shop.bench().spans().all()) {
        if (span.kind != interlock::telemetry::SpanKind::client) {
            continue;
        }
        ++statements;
        CHECK(span.context.trace_id == call->context.trace_id);
        CHECK(span.parent_span_id == call->context.span_id);
        CHECK(text_of(span, "db.system.name") == "postgresql");
        CHECK(text_of(span, "db.namespace"));
        CHECK(text_of(span, "interlock.db.role") == "interlock_diag");
        CHECK(number_of(span, "interlock.db.backend_pid") > 0);
        CHECK(number_of(span, "db.response.returned_rows") >= 0);
        CHECK(number_of(span, "interlock.db.bytes") >= 0);
        CHECK(span.start >= call->start);
        CHECK(span.end >= span.start);
        CHECK(span.end <= call->end + std::chrono::milliseconds{1});
    }
    CHECK(statements >= 1);
    CHECK(shop.bench().spans().find("borrow_connection"));
}

TEST_CASE("the time of a slow statement stands in its own span", "[tools][live]") {
    Shop shop;
    const std::string sql = "select count(*) as n from pg_class a, pg_class b where "
                            "md5(md5(md5(md5(a.relname || b.relname)))) > 'f'";
    shop.bench().ask("run_query", json{{"sql", sql}}.dump());
    const auto call = shop.bench().spans().find("tool run_query");
    const auto slow = shop.bench().spans().find("run_query");
    REQUIRE(call);
    REQUIRE(slow);
    base::Duration others{0};
    int count = 0;
    for (const auto& span : shop.bench().spans().all()) {
        if (span.kind == interlock::telemetry::SpanKind::client && span.name != "run_query") {
            others += span.end - span.start;
            ++count;
        }
    }
    CHECK(count >= 4); // the plan, and the names before and after
    CHECK(slow->end - slow->start > others);
    CHECK(slow->end - slow->start > (call->end - call->start) / 2);
}

TEST_CASE("a read that fails is a failed span with its reason", "[tools][live]") {
    Shop shop;
    shop.bench().identity().database_role = "shop_app";
    CHECK(shop.bench().call("get_activity").is_error);
    int failed = 0;
    for (const auto& span : shop.bench().spans().all()) {
        if (span.kind == interlock::telemetry::SpanKind::client && span.error) {
            ++failed;
            CHECK(interlock::test::text_of(span, "error.type") == "permission_denied");
            CHECK(interlock::test::text_of(span, "interlock.db.role") == "shop_app");
            CHECK(span.name == "enter_lane"); // none of its statements was reached
        }
    }
    CHECK(failed == 1);
}

TEST_CASE("a target that cannot be had is a failed span too", "[tools]") {
    interlock::test::ToolBench bench{{{"gone", "host=127.0.0.1 port=1 dbname=x user=y", ""}}};
    CHECK(bench.call("get_activity").is_error);
    const auto span = bench.spans().find("borrow_connection");
    REQUIRE(span);
    CHECK(span->error);
    CHECK(interlock::test::text_of(*span, "interlock.target") == "gone");
    CHECK(interlock::test::text_of(*span, "error.type") == "target_unreachable");
}

namespace {

/// What a tool demands, as its declarations show it.
std::string example_arguments(const tools::Tool& tool) {
    json arguments = json::object();
    for (const tools::Input& input : tool.inputs) {
        if (input.required) {
            arguments[std::string{input.name}] = std::string{input.example};
        }
    }
    return arguments.dump();
}

/// What an answer says of the standby's freshness, as a finding or, of a diagnosis, as a gap.
std::string freshness_told(const json& packet) {
    for (const char* list : {"findings", "not_examined"}) {
        for (const json& entry : packet.value(list, json::array())) {
            if (entry.dump().find("freshness_max") != std::string::npos) {
                return entry.dump();
            }
        }
    }
    return "";
}

} // namespace

TEST_CASE(
    "a standby further behind than its target allows is told by every tool", "[tools][live]"
) {
    Shop shop;
    interlock::lab::Replica replica;
    REQUIRE(replica.catch_up());
    interlock::db::TargetAddress address{
        .name = "standby",
        .conninfo = replica.cluster().conninfo("interlock_diag", "postgres"),
        .password_file = ""};
    address.freshness_max = std::chrono::hours{1};
    interlock::test::ToolBench patient{{address}};
    address.freshness_max = std::chrono::milliseconds{1};
    interlock::test::ToolBench strict{{address}};

    // A change replayed gives the standby a time to tell by.
    shop.database().sql("update app.orders set note = 'replayed' where id = 1");
    REQUIRE(replica.catch_up());
    // Nothing is behind while all that was received is replayed, however long ago that was.
    json fresh;
    REQUIRE(interlock::lab::wait_until([&] {
        fresh = strict.ask("get_settings");
        return fresh["source"]["replay_lag_seconds"] == 0.0;
    }));
    CHECK(freshness_told(fresh).empty());

    interlock::lab::run_sql(replica.cluster(), "postgres", "select pg_wal_replay_pause()");
    json stale;
    REQUIRE(interlock::lab::wait_until([&] {
        shop.database().sql("insert into app.orders select max(id) + 1, 'n' from app.orders");
        stale = strict.ask("get_settings");
        return freshness_told(stale).find("behind its primary") != std::string::npos;
    }));
    CHECK(stale["source"]["replay_lag_seconds"] > 0.001);
    CHECK(freshness_told(patient.ask("get_settings")).empty());
    for (const tools::Tool& tool : tools::catalog()) {
        const auto output = strict.call(std::string{tool.name}, example_arguments(tool));
        INFO(tool.name << ": " << output.text);
        const json packet = json::parse(output.structured);
        if (output.is_error ||
            packet.value("source", json::object()).value("target", "") != "standby") {
            CHECK((tool.domain != "postgres" || output.error_code == "not_supported"));
            continue;
        }
        CHECK_FALSE(freshness_told(packet).empty());
    }
}
