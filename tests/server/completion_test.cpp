#include "server/completion.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/server/offer_bench.hpp"

#include <catch2/catch.hpp>

namespace server = interlock::server;
namespace limits = interlock::base::limits;
using interlock::test::OfferBench;
using interlock::test::RecordingConversation;
using Values = std::vector<std::string>;

namespace {

interlock::db::TargetAddress dead(const std::string& name) {
    interlock::db::TargetAddress address;
    address.name = name;
    address.conninfo = "host=/nonexistent dbname=x user=x";
    return address;
}

server::Completion complete(
    OfferBench& bench, RecordingConversation& conversation, const server::CompletionRequest& request
) {
    auto outcome = bench.offer.complete(conversation, request);
    REQUIRE(std::holds_alternative<server::Completion>(outcome));
    return std::get<server::Completion>(outcome);
}

server::CompletionRequest
of_prompt(const std::string& prompt, const std::string& argument, const std::string& value) {
    return {true, prompt, argument, value, {}};
}
server::CompletionRequest of_template(const std::string& uri_template, const std::string& value) {
    return {false, uri_template, "id", value, {}};
}

} // namespace

TEST_CASE("targets are suggested by their configured names", "[server]") {
    OfferBench bench({dead("main"), dead("mirror"), dead("shop")});
    auto conversation = bench.as();
    const auto some = complete(bench, conversation, of_prompt("diagnose_incident", "target", "m"));
    CHECK(some.values == Values{"main", "mirror"});
    CHECK(some.total == 2);
    CHECK(complete(bench, conversation, of_prompt("diagnose_incident", "target", "")).total == 3);
    CHECK(
        complete(bench, conversation, of_prompt("diagnose_incident", "symptom", "")).values.empty()
    );
    CHECK(complete(bench, conversation, of_prompt("no_such", "target", "")).values.empty());
    conversation.may().scopes = std::set<std::string>{"interlock:planning"};
    CHECK(complete(bench, conversation, of_prompt("diagnose_incident", "target", "")).values.empty()
    );
}

TEST_CASE("runbooks, own plans and own evidence are suggested", "[server]") {
    OfferBench bench;
    const std::string plan = bench.submit();
    const std::string foreign = bench.submit("os:other", {}, 7);
    const std::string evidence = bench.keep("{}");
    bench.keep("{}", "os:other");
    auto conversation = bench.as();
    const auto values = [&](const server::CompletionRequest& request) {
        return complete(bench, conversation, request).values;
    };
    CHECK(values(of_template("runbook://{id}", "rel")) == Values{"release-blocking-session"});
    CHECK(values(of_template("runbook://{id}", "x")).empty());
    CHECK(values(of_template("plan://{id}", "plan_")) == Values{plan});
    CHECK(values(of_template("plan://{id}", foreign)).empty());
    CHECK(values(of_prompt("review_plan", "plan_id", "")) == Values{plan});
    CHECK(values(of_template("evidence://{id}", "ev_")) == Values{evidence});
    CHECK(values({false, "evidence://{id}", "page", "", {}}).empty());
    CHECK(values(of_prompt("review_plan", "plan_id", std::string(10'000, 'p'))).empty());
    conversation.may().scopes = std::set<std::string>{"interlock:triage"};
    CHECK(values(of_template("plan://{id}", "")).empty());
    auto nobody = bench.as("");
    CHECK(complete(bench, nobody, of_template("plan://{id}", "")).values.empty());
}

TEST_CASE("more plans than can be shown are counted", "[server]") {
    OfferBench bench;
    for (int i = 0; i < 3; ++i) {
        bench.submit("os:tester", {}, 100 + i);
    }
    auto conversation = bench.as();
    const auto plans = complete(bench, conversation, of_template("plan://{id}", ""));
    CHECK(plans.values.size() == 3);
    CHECK(plans.total == 3);
}

TEST_CASE("relations that cannot be looked up are no suggestion and no error", "[server]") {
    OfferBench one({dead("shop")});
    auto conversation = one.as();
    CHECK(
        complete(one, conversation, of_prompt("diagnose_incident", "relation", "a")).values.empty()
    );
    OfferBench two({dead("a"), dead("b")});
    auto other = two.as();
    CHECK(complete(two, other, of_prompt("diagnose_incident", "relation", "a")).values.empty());
}

TEST_CASE("relations are suggested by their beginning, with or without schema", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    database.sql(
        "create schema app; create table app.orders (id int primary key); "
        "create table app.order_lines (id int); create table \"app\".\"odd\x1b[2Jname\" (id int); "
        "create table orders_archive (id int); create view app.open_orders as select 1 as n"
    );
    OfferBench bench({database.address("interlock_diag", "shop")});
    auto conversation = bench.as();
    const auto values = [&](const std::string& value) {
        return complete(bench, conversation, of_prompt("diagnose_incident", "relation", value))
            .values;
    };
    CHECK(values("app.order") == Values{"app.order_lines", "app.orders", "app.orders_pkey"});
    CHECK(values("orders") == Values{"app.orders", "app.orders_pkey", "public.orders_archive"});
    CHECK(values("app.o").size() == 4); // the odd name cannot be typed
    CHECK(values("pg_").empty());
    CHECK(values("app.%").empty());
    CHECK(values("' or true --").empty());
    CHECK(values(std::string("app\0", 4)).empty());
    server::CompletionRequest elsewhere = of_prompt("diagnose_incident", "relation", "app");
    elsewhere.context = {{"target", "nowhere"}};
    CHECK(complete(bench, conversation, elsewhere).values.empty());
    conversation.may().scopes = std::set<std::string>{"interlock:triage"};
    CHECK(values("app.o").empty());
}

TEST_CASE("what looking for relations took of the target is told", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    OfferBench bench({database.address("interlock_diag", "shop")});
    interlock::base::SystemClock clock; // the bench's stands still
    interlock::tools::Context context{
        bench.targets, *bench.evidence, bench.metrics, bench.tracer, clock, bench.random};
    const server::DiagnosticParts parts{context, bench.queue, "", {}, nullptr};
    auto conversation = bench.as();
    const auto took = [&](const std::string& argument, const std::string& value) {
        const auto outcome =
            server::complete(parts, conversation, of_prompt("diagnose_incident", argument, value));
        return std::get<server::Completion>(outcome).database.count();
    };
    CHECK(took("relation", "pg") > 0); // finds nothing, and costs all the same
    CHECK(took("target", "s") == 0);
}

TEST_CASE(
    "no more relations are suggested than a client shows, and all are counted", "[server][live]"
) {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    database.sql(
        "do $$ begin for i in 1..150 loop execute format('create table many_%s (n int)', i); "
        "end loop; end $$"
    );
    OfferBench bench({database.address("interlock_diag", "shop")});
    auto conversation = bench.as();
    const auto all =
        complete(bench, conversation, of_prompt("diagnose_incident", "relation", "many_"));
    CHECK(all.values.size() == limits::completions_max);
    CHECK(all.total == 150);
}

TEST_CASE("a person who types is not kept waiting by a locked catalog", "[server][live]") {
    const interlock::lab::Database database;
    interlock::lab::apply_lane(database);
    OfferBench bench({database.address("interlock_diag", "shop")});
    auto conversation = bench.as();
    interlock::lab::Session holder{database.conninfo()};
    holder.run("begin; lock table pg_catalog.pg_class in access exclusive mode");
    CHECK(complete(bench, conversation, of_prompt("diagnose_incident", "relation", "a"))
              .values.empty());
    holder.run("rollback");
}
