#include "server/plan_view.hpp"
#include "tests/server/offer_bench.hpp"
#include "tools/schema.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace server = interlock::server;
using interlock::base::Errc;
using interlock::base::Json;
using interlock::test::json_of;
using interlock::test::OfferBench;

TEST_CASE("an id has the shape that new_id() gives it", "[server]") {
    OfferBench bench;
    CHECK(server::is_id(interlock::base::new_id(bench.random, "ev"), "ev"));
    const std::string letters(26, 'a');
    for (const std::string& other :
         {std::string(),
          std::string("ev"),
          std::string("ev_"),
          "ev_" + letters + "a",
          "ev_" + letters.substr(1),
          "plan_" + letters,
          "ev-" + letters,
          "ev_" + letters.substr(1) + "1",
          "ev_" + letters.substr(1) + "A"}) {
        INFO(other);
        CHECK_FALSE(server::is_id(other, "ev"));
    }
}

TEST_CASE("a plan is everybody's who asked for it, and nobody else's", "[server]") {
    OfferBench bench;
    const std::string id = bench.submit("os:ann");
    REQUIRE(bench.submit("os:bob") == id);
    const auto code = [&](const std::string& plan_id, const std::string& subject) {
        const auto found = server::own_plan(bench.queue, plan_id, subject);
        return found ? Errc::internal : found.error().code;
    };
    CHECK(server::own_plan(bench.queue, id, "os:ann").ok());
    CHECK(server::own_plan(bench.queue, id, "os:bob").ok());
    CHECK(code(id, "os:eve") == Errc::not_found);
    CHECK(code(id, "") == Errc::not_found);
    CHECK(code("", "os:ann") == Errc::not_found);
    CHECK(code(id + "'", "os:ann") == Errc::not_found);
}

TEST_CASE("a view of a plan fits get_plan's schema and leads to the desk", "[server]") {
    OfferBench bench;
    const auto stored = bench.queue.get(bench.submit());
    REQUIRE(stored.ok());
    const auto view = server::view_plan(*stored, "https://desk.example/");
    REQUIRE(view.ok());
    CHECK(interlock::tools::check_schema(server::plan_view_schema(), view->structured).ok());
    const Json plan = json_of(view->structured);
    CHECK(plan["desk_url"] == "https://desk.example/plans/" + stored->id);
    CHECK(plan["outcome"].is_null());
    CHECK_THAT(view->text, Catch::Contains("is PENDING") && Catch::Contains("4242"));
    const auto without = server::view_plan(*stored, "");
    REQUIRE(without.ok());
    CHECK_FALSE(json_of(without->structured).contains("desk_url"));
}

TEST_CASE("what an executor reported and people wrote is shown harmless", "[server]") {
    OfferBench bench;
    auto stored = bench.queue.get(bench.submit());
    REQUIRE(stored.ok());
    stored->outcome = "{\"note\":\"\xe2\x80\xae evil\"}";
    stored->state_reason = "because \x1b[2J";
    const auto view = server::view_plan(*stored, "");
    REQUIRE(view.ok());
    CHECK(view->structured.find("\xe2\x80\xae") == std::string::npos);
    CHECK(view->text.find('\x1b') == std::string::npos);
    CHECK(json_of(view->structured)["outcome"].is_object());
    stored->bytes[10] = 'x';
    const auto altered = server::view_plan(*stored, "");
    REQUIRE_FALSE(altered.ok());
    CHECK(altered.error().code == Errc::changed);
}
