#include "base/db/pq_session.hpp"

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

TEST_CASE("a message of libpq is told on one line, without its place and hints", "[db]") {
    CHECK(
        readable_message("FATAL:  28P01: no\n\tIs the server running?\nLOCATION:  f, x.c:1\nmore\n"
        ) == "FATAL:  28P01: no; more"
    );
    CHECK(readable_message(std::string(100'000, 'x')).size() < 10'000);
}

TEST_CASE("a NUL in a statement or a value is refused", "[db]") {
    CHECK(refuse_nul({"s", "select $1"}, {"a", std::nullopt}).ok());
    CHECK_FALSE(refuse_nul({"s", std::string_view("a\0b", 3)}, {}).ok());
    CHECK_FALSE(refuse_nul({"s", "select $1"}, {std::string("a\0b", 3)}).ok());
}

} // namespace
} // namespace interlock::db
