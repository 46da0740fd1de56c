// Measuring is tested with the tools that do it: tables_test.cpp, indexes_test.cpp.
#include "tools/postgres/bloat.hpp"

#include <catch2/catch.hpp>

namespace db = interlock::db;
namespace tools = interlock::tools;
using tools::Severity;

namespace {

tools::Evidence judged(std::vector<db::Cell> row) {
    const db::Table bloat{
        .columns = {"relation", "bytes", "wasted_bytes", "wasted_percent", "exact", "unknown"},
        .rows = {std::move(row)}};
    tools::Evidence evidence;
    tools::judge_bloat(bloat, "table", "relation", "Rewrite it.", evidence);
    return evidence;
}

} // namespace

TEST_CASE("bloat counts when it is much and a large share", "[tools]") {
    CHECK(judged({"app.t", "200000000", "90000000", "45", "f", {}}).findings.empty());
    CHECK(judged({"app.t", "900000000", "110000000", "12", "f", {}}).findings.empty());
    const auto much = judged({"app.t", "200000000", "110000000", "55", "f", {}});
    REQUIRE(much.findings.size() == 1);
    CHECK(much.findings[0].severity == Severity::warning); // the share alone would be critical
    CHECK(much.findings[0].value == "55 % of 200000000 bytes is free space, by estimate");
    const auto huge = judged({"app.t", "20000000000", "11000000000", "55", "t", {}});
    REQUIRE(huge.findings.size() == 1);
    CHECK(huge.findings[0].severity == Severity::critical);
    CHECK(huge.findings[0].value == "55 % of 20000000000 bytes is free space");
}

TEST_CASE("bloat that nobody could estimate is a gap with its reason, not health", "[tools]") {
    const std::vector<std::pair<std::string, std::string>> reasons{
        {"widths", "pg_stats"},
        {"locked", "ACCESS EXCLUSIVE"},
        {"never analyzed", "no statistics"},
        {"old", "older than their files"}};
    for (const auto& [why, told] : reasons) {
        const auto unknown =
            judged({"app.t", "200000000", std::nullopt, std::nullopt, "f", std::string{why}});
        CHECK(unknown.findings.empty());
        REQUIRE(unknown.not_examined.size() == 1);
        CHECK(unknown.not_examined[0].what == "bloat of 1 table");
        CHECK_THAT(unknown.not_examined[0].why, Catch::Contains(told));
    }
}
