#include "base/db/table.hpp"

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

Table sample() {
    return {
        .columns = {"id", "share", "alive", "note"},
        .rows =
            {{"42", "0.5", "t", "ok"},
             {std::nullopt, "x", "maybe", std::nullopt},
             {"9223372036854775808", "1e3", "0", ""}},
        .affected = 0};
}

TEST_CASE("a cell is read by row and column name", "[db]") {
    const auto table = sample();
    CHECK(table.column("note") == 3);
    CHECK(table.text(0, "note") == "ok");
    CHECK(table.integer(0, "id") == 42);
    CHECK(table.real(0, "share") == 0.5);
    CHECK(table.boolean(0, "alive") == true);
    CHECK_FALSE(table.empty());
}

TEST_CASE("NULL is not an empty text and has no number", "[db]") {
    const auto table = sample();
    CHECK(table.at(1, "note") == std::nullopt);
    CHECK(table.at(2, "note") == "");
    CHECK(table.text(1, "note", "none") == "none");
    CHECK(table.text(2, "note", "none").empty());
    CHECK(table.integer(1, "id") == std::nullopt);
}

TEST_CASE("text that is not wholly a number, or too large, is no number", "[db]") {
    const auto table = sample();
    CHECK(table.integer(2, "id") == std::nullopt);
    CHECK(table.real(1, "share") == std::nullopt);
    CHECK(table.integer(0, "share") == std::nullopt);
    CHECK(table.real(2, "share") == 1000.0);
}

TEST_CASE("booleans of both databases are understood, others are not", "[db]") {
    const auto table = sample();
    CHECK(table.boolean(1, "alive") == std::nullopt);
    CHECK(table.boolean(2, "alive") == false);
    CHECK(table.boolean(1, "note") == std::nullopt);
}

} // namespace
} // namespace interlock::db
