#include "tests/tools/shop.hpp"
#include "tools/assess.hpp"
#include "tools/run.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace tools = interlock::tools;
using interlock::test::Shop;
using nlohmann::json;
using tools::Severity;

namespace {

const std::vector<tools::Column>& number_columns() {
    static const std::vector<tools::Column> declared{
        {.name = "n", .type = tools::ColumnType::integer}};
    return declared;
}

constexpr tools::Section numbers{
    .name = "numbers",
    .columns = number_columns,
    .editions =
        {{{.sql = {"numbers_14", "select 14 as n union all select 0"}},
          {.since = 150000, .sql = {"numbers_15", "select 15 as n union all select 0"}},
          {.since = 990000, .sql = {"numbers_99", "select 99 as n"}}}},
    .would_tell = "how many"};
constexpr tools::Section future{
    .name = "future",
    .columns = number_columns,
    .editions = {{{.since = 990000, .sql = {"future", "select n from a_view_of_tomorrow"}}}},
    .would_tell = "what comes"};
constexpr tools::Section broken{
    .name = "broken",
    .columns = number_columns,
    .editions = {{{.sql = {"broken", "select n from app.nothing"}}}},
    .would_tell = "what broke"};
constexpr std::array sections{&numbers, &future, &broken};

base::Result<tools::Output> read_numbers(tools::Context& context, const tools::Call& call) {
    tools::Evidence evidence;
    evidence.tool = "numbers";
    evidence.summary = "Numbers.";
    INTERLOCK_TRY(
        const auto read,
        tools::read_sections(
            context,
            call,
            {.target = "shop", .tool = "numbers"},
            {{.section = future}, {.section = numbers, .rows_max = 1}, {.section = broken}},
            evidence
        )
    );
    REQUIRE(read.size() == 3);
    CHECK_FALSE(read[0]);
    REQUIRE(read[1]);
    CHECK(read[1]->integer(0, "n") == 15);
    CHECK_FALSE(read[2]);
    return tools::publish(context, call, std::move(evidence));
}

} // namespace

TEST_CASE("each edition of a statement is for the versions until the next", "[tools]") {
    const auto statements = tools::statements_of(sections);
    REQUIRE(statements.size() == 5);
    CHECK(statements[0].version_max == 149999);
    CHECK(statements[1].version_min == 150000);
    CHECK(statements[1].version_max == 989999);
    CHECK(statements[2].version_max == 0);
    CHECK(statements[3].version_min == 990000);
    CHECK(statements[3].would_tell == "what comes");
    CHECK(statements[4].version_max == 0);
    CHECK(statements[4].columns == &number_columns());
}

TEST_CASE("a value is judged from its thresholds on", "[tools]") {
    constexpr tools::Threshold threshold{.warning = 70, .critical = 85};
    CHECK_FALSE(tools::judge(69.9, threshold));
    CHECK(tools::judge(70, threshold) == Severity::warning);
    CHECK(tools::judge(85, threshold) == Severity::critical);
    CHECK(threshold.passed(Severity::warning) == 70);
    CHECK(threshold.passed(Severity::critical) == 85);
}

TEST_CASE(
    "a section is read as the server knows it, or leaves a gap that says why", "[tools][live]"
) {
    Shop shop;
    const tools::Tool numbers_tool{
        .name = "numbers",
        .title = "Numbers",
        .summary = "Numbers.",
        .domain = "postgres",
        .output_schema = [] { return tools::packet_schema(sections); },
        .run = read_numbers};
    const auto packet = json::parse(shop.bench().call(numbers_tool).structured);
    CHECK(packet["rows"]["future"].empty()); // there, though empty: the schema promises it
    CHECK(packet["rows"]["numbers"] == json::parse(R"([{"n":15}])"));
    CHECK(packet["rows"]["broken"].empty());
    CHECK(packet["source"]["target"] == "shop");
    const auto& gaps = packet["not_examined"];
    REQUIRE(gaps.size() == 3);
    CHECK(gaps[0]["what"] == "future");
    CHECK(gaps[0]["why"] == "not_supported: PostgreSQL has it from version 99 on; this one is 15");
    CHECK(gaps[1]["what"] == "numbers beyond the first 1");
    CHECK(gaps[2]["what"] == "broken");
    CHECK(gaps[2]["would_tell"] == "what broke");
}
