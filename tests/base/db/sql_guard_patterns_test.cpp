#include "base/db/sql_guard_patterns.hpp"

#include <catch2/catch.hpp>

namespace interlock::db::patterns {
namespace {

TEST_CASE("repetitions multiply within each other and add up beside each other", "[db][guard]") {
    CHECK(states("abc{") == 0);
    CHECK(states("{\"a\": 1}") == 0);
    CHECK(states("a{3}") == 3);
    CHECK(states("(ab){1,10}") == 20);
    CHECK(states("((a{10}){10}){10}") == 1'000);
    CHECK(states("(a{9}){9}|(a{9}){9}") == 163);
    CHECK(states("\\d{4}-[0-9]{2}") == 7);
}

TEST_CASE("white space and comments do not hide a repetition", "[db][guard]") {
    CHECK(states("(?x)( a {10} ) {10}") >= 100);
    CHECK(states("(a(?#x){10})(?#y){10}") >= 100);
    CHECK(states("(a #x\n{10}) {10}") >= 100);
}

TEST_CASE("a path's wildcards and products are counted through comments", "[db][guard]") {
    CHECK(path_facts("$.a[*].b[*]").wildcards == 2);
    CHECK(path_facts("$ . /* x */ ** . **").descents == 2);
    CHECK(path_facts("@ * @ / 2").products == 2);
}

} // namespace
} // namespace interlock::db::patterns
