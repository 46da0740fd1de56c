#include "server/incident_tool.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/server/offer_bench.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace lab = interlock::lab;
namespace server = interlock::server;
namespace tools = interlock::tools;
using interlock::base::Json;
using interlock::test::json_of;
using interlock::test::OfferBench;
using interlock::test::RecordingConversation;

namespace {

struct Packet {
    Json structured;
    std::string text;
};

Packet ask(const OfferBench& bench, RecordingConversation& conversation) {
    const server::OfferedTool& tool = bench.tool("get_incident");
    auto outcome = tool.run(conversation, Json::object());
    REQUIRE(std::holds_alternative<server::ToolAnswer>(outcome));
    const auto& answer = std::get<server::ToolAnswer>(outcome);
    INFO(answer.structured);
    REQUIRE_FALSE(answer.is_error);
    Packet packet{
        json_of(answer.structured), json_of(answer.content)[0]["text"].get<std::string>()};
    CHECK(std::count(packet.text.begin(), packet.text.end(), '\n') < 99);
    CHECK(packet.text.size() <= 10'200);
    return packet;
}

bool not_examined(const Packet& packet, const std::string& what) {
    return std::any_of(
        packet.structured["not_examined"].begin(),
        packet.structured["not_examined"].end(),
        [&](const Json& gap) { return gap["what"].get<std::string>().find(what) == 0; }
    );
}

} // namespace

TEST_CASE(
    "an incident is one packet: causes, changes, plans and what is not known", "[server][live]"
) {
    const lab::Database database;
    lab::apply_lane(database);
    database.sql("do $$ begin if not exists (select from pg_roles where rolname = 'incident_app') "
                 "then create role incident_app login; end if; end $$;"
                 "create table orders (id int primary key); insert into orders values (1);"
                 "grant all on orders to incident_app");
    OfferBench bench({database.address("interlock_diag", "shop")});
    const std::string mine = bench.submit("os:tester");
    const std::string other = bench.submit("os:ann", {}, 4343);
    lab::Session root{database.conninfo("incident_app")};
    root.run("begin; update orders set id = 1");
    lab::Session victim{database.conninfo("incident_app")};
    victim.start("update orders set id = 1");
    REQUIRE(lab::wait_until([&] {
        return database.scalar(
                   "select coalesce(max(extract(epoch from clock_timestamp() - l.waitstart)) > 11, "
                   "false) from pg_locks l join pg_stat_activity a using (pid) where not l.granted "
                   "and a.datname = current_database()"
               ) == "t";
    }));
    auto conversation = bench.as("os:tester");
    const Packet packet = ask(bench, conversation);
    INFO(packet.text);
    CHECK(packet.structured["verdict"] == "incident");
    REQUIRE(packet.structured["causes"].size() >= 1);
    CHECK(packet.structured["causes"][0]["id"] == "lock.idle_in_tx");
    REQUIRE(packet.structured["causes"][0]["runbooks"].size() == 1);
    CHECK(packet.structured["causes"][0]["runbooks"][0] == "release-blocking-session");
    CHECK_FALSE(packet.structured["next_tools"].empty());
    const Json& changes = packet.structured["changes"];
    REQUIRE(changes.size() >= 2);
    CHECK(changes[0]["seconds_ago"] <= changes[1]["seconds_ago"]); // newest first
    REQUIRE(packet.structured["plans"].size() == 2);
    int of_mine = 0;
    for (const Json& plan : packet.structured["plans"]) {
        CHECK(plan["runbook"] == "release-blocking-session");
        CHECK(plan["state"] == "PENDING");
        of_mine += plan["yours"] == true ? 1 : 0;
        CHECK(plan.contains("plan_id") == (plan["yours"] == true));
    }
    CHECK(of_mine == 1);
    CHECK(packet.text.find(mine) != std::string::npos);
    CHECK(packet.text.find(other) == std::string::npos);
    for (const char* unknown : {"alerts", "owner", "deployments"}) {
        CHECK(not_examined(packet, unknown));
    }
    CHECK_THAT(packet.text, Catch::Contains("because: "));
    CHECK_THAT(packet.text, Catch::Contains("server started "));
    // What it rests on is evidence, to be cited in a plan.
    const std::string id = packet.structured["id"];
    CHECK(std::holds_alternative<server::ResourceAnswer>(
        bench.offer.read(conversation, "evidence://" + id)
    ));
    // Others' plans are for those who may plan.
    conversation.may().toolsets = {"triage"};
    const Packet narrow = ask(bench, conversation);
    CHECK(narrow.structured["plans"].empty());
    CHECK(not_examined(narrow, "open plans"));
    CHECK(narrow.text.find(mine) == std::string::npos);
}

TEST_CASE("an incident packet is made on every major", "[server][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        OfferBench bench({database.address("interlock_diag", "shop")});
        auto conversation = bench.as();
        const Packet packet = ask(bench, conversation);
        INFO("PostgreSQL " << major << packet.text);
        CHECK(packet.structured["target"] == "shop");
        CHECK(packet.structured["changes"].size() >= 2);
        CHECK(packet.structured["plans"].empty());
        CHECK_FALSE(not_examined(packet, "changes"));
        CHECK_FALSE(not_examined(packet, "recent changes"));
    }
}

TEST_CASE("an incident of a target that is away is an error that says so", "[server]") {
    OfferBench bench(
        {{.name = "gone", .conninfo = "host=/nonexistent dbname=x user=x", .password_file = ""}}
    );
    auto conversation = bench.as();
    auto outcome = bench.tool("get_incident").run(conversation, Json::object());
    REQUIRE(std::holds_alternative<server::ToolAnswer>(outcome));
    CHECK(std::get<server::ToolAnswer>(outcome).error_code == "target_unreachable");
}
