#include "base/db/sql_tree.hpp"

#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

TEST_CASE("text becomes a tree, or an error with its place", "[db]") {
    const auto tree = parse_sql_tree("select 1; select 2");
    REQUIRE(tree.ok());
    CHECK((*tree)["stmts"].size() == 2);
    const auto broken = parse_sql_tree("select 1 fro m x");
    REQUIRE_FALSE(broken.ok());
    CHECK(broken.error().code == base::Errc::invalid_input);
    CHECK(broken.error().what.find("character") != std::string::npos);
}

TEST_CASE("a tree that is too deep is refused, not walked", "[db]") {
    std::string deep = "select ";
    for (int i = 0; i < 3'500; ++i) {
        deep += "- ";
    }
    const auto tree = parse_sql_tree(deep + "a");
    REQUIRE_FALSE(tree.ok());
    CHECK(tree.error().code == base::Errc::limit_exceeded);
}

TEST_CASE("several threads may ask at once", "[db]") {
    std::vector<std::jthread> threads;
    std::vector<int> good(4);
    for (std::size_t i = 0; i < good.size(); ++i) {
        threads.emplace_back([&good, i] {
            for (int n = 0; n < 50; ++n) {
                good[i] += parse_sql_tree("select " + std::to_string(n)).ok() ? 1 : 0;
            }
        });
    }
    threads.clear();
    CHECK(good == std::vector<int>(4, 50));
}

TEST_CASE("a name is quoted where it could deceive", "[db]") {
    CHECK(quote_identifier("orders") == "orders");
    CHECK(quote_identifier("a.b") == "\"a.b\"");
    CHECK(quote_identifier("A") == "\"A\"");
    CHECK(quote_identifier("1a") == "\"1a\"");
    CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
    CHECK(quote_identifier("") == "\"\"");
    CHECK(dotted(nullptr).parts == 0);
}

} // namespace
} // namespace interlock::db
