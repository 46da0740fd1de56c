#include "base/db/statements.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

TEST_CASE("a text is named when it comes a second time, and keeps its name", "[db]") {
    Statements statements;
    statements.allow_preparing(true);
    auto& known = statements["select 1"];
    statements.send(known);
    CHECK(known.name.empty());
    statements.send(statements["select 1"]);
    const std::string name = known.name;
    CHECK_FALSE(name.empty());
    statements.send(known);
    CHECK(known.name == name);
    auto& other = statements["select 2"];
    statements.send(other);
    statements.send(other);
    CHECK(other.name != name);
}

TEST_CASE("nothing is named while that is not allowed, or after it went stale", "[db]") {
    Statements statements;
    auto& known = statements["select 1"];
    statements.send(known);
    statements.send(known);
    CHECK(known.name.empty());
    statements.allow_preparing(true);
    known.stale = true;
    statements.send(known);
    CHECK(known.name.empty());
}

TEST_CASE("too many texts are forgotten at once", "[db]") {
    Statements statements;
    statements.allow_preparing(true);
    std::size_t named = 0;
    int texts = 0;
    while (!statements.make_room()) {
        auto& known = statements["select " + std::to_string(texts++)];
        statements.send(known);
        statements.send(known);
        named += known.name.empty() ? 0U : 1U;
        REQUIRE(texts < 10'000);
    }
    CHECK(named > 0);
    CHECK(named <= 64);
    CHECK_FALSE(statements.make_room());
    CHECK_FALSE(statements["select 0"].seen);
}

} // namespace
} // namespace interlock::db
