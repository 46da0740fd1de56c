#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_tree.hpp"

#include <optional>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

/// What `select <expression>` asks for.
base::Json expression(const std::string& sql) {
    return parse_sql_tree(sql).value(
    )["stmts"][0]["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"];
}

std::optional<double> value(const std::string& text) {
    const auto sql = "select " + text;
    const auto tree = expression(sql);
    return constants::evaluate(sql, &tree);
}

std::optional<double> most(const std::string& text) {
    const auto sql = "select " + text;
    return constants::magnitude(sql, expression(sql));
}

TEST_CASE("numbers are read in every way that PostgreSQL writes them", "[db][guard]") {
    CHECK(value("7") == 7);
    CHECK(value("-7") == -7);
    CHECK(value("'12'::int") == 12);
    CHECK(value("'1_000'::int") == 1'000);
    CHECK(value("'0x10'::int") == 16);
    CHECK(value("'0b101'::int") == 5);
    CHECK(value("x'ff'::int") == 255);
    CHECK(value("('1' || '00')::int") == 100);
    CHECK(value("2 * 3 + 2 ^ 4") == 22);
    CHECK(value("greatest(3, 5)") == 5);
    CHECK(value("length('abc')") == 3);
    CHECK_FALSE(value("a + 1").has_value());
    CHECK_FALSE(value("7 / 2").has_value()); // of integers or not
}

TEST_CASE("what is not known may still be bounded", "[db][guard]") {
    CHECK(most("ceil(random() * 10)") == 11);
    CHECK(most("coalesce(2, 30)") == 30);
    CHECK(most("7 / 2") == 7);
    CHECK_FALSE(most("a * 2").has_value());
    CHECK_FALSE(most("random() + a").has_value());
}

TEST_CASE("spans and moments are seconds", "[db][guard]") {
    const auto span = [](const std::string& text) {
        const auto sql = "select " + text;
        return constants::span(sql, expression(sql));
    };
    CHECK(span("interval '5 minutes'") == 300);
    CHECK(span("'1 day 02:00:00'") == 93'600);
    CHECK(span("interval '250 ms' * 4") == 1);
    CHECK(span("make_interval(hours => 2)") == 7'200);
    CHECK_FALSE(span("interval '5' minute").has_value());
    CHECK_FALSE(span("a").has_value());
    const auto apart = [](const std::string& from, const std::string& to) {
        const auto moment = [](const std::string& text) {
            const auto sql = "select " + text;
            return constants::moment(sql, expression(sql));
        };
        return std::abs(moment(to).value() - moment(from).value());
    };
    CHECK(apart("now() - interval '1 hour'", "now()") == Approx(3'600));
    CHECK(
        apart("date '2026-01-01'", "'2027-01-01'::timestamp") ==
        Approx(365.0 * 86'400).epsilon(0.01)
    );
    CHECK(apart("current_date - 7", "current_date") == Approx(7 * 86'400));
}

TEST_CASE("text of constants is one text", "[db][guard]") {
    CHECK(constants::text(expression("select 'a' || 'b'")) == "ab");
    CHECK(constants::text(expression("select concat('a', 'b')::text")) == "ab");
    CHECK_FALSE(constants::text(expression("select 'a' || x")).has_value());
}

} // namespace
} // namespace interlock::db
