#include "tools/counters.hpp"

#include <chrono>

#include <catch2/catch.hpp>

namespace base = interlock::base;
namespace db = interlock::db;
namespace tools = interlock::tools;
using std::chrono::seconds;

namespace {

constexpr std::array sections{&tools::server_counters, &tools::archiver_counters};
const db::ServerFacts facts{150018, "15.18", false, "", "shop", "diag"};

db::Rows rows(std::vector<std::string> columns, std::vector<std::vector<db::Cell>> cells) {
    db::Rows out;
    out.table.columns = std::move(columns);
    out.table.rows = std::move(cells);
    return out;
}

db::ReadResults counted(const db::Cell& started, const db::Cell& archived, const db::Cell& reset) {
    db::ReadResults results;
    results.emplace_back(
        rows({"object", "started", "lsn", "in_recovery"}, {{"", started, "4096", "0"}})
    );
    results.emplace_back(rows(
        {"object", "archived_count", "failed_count", "stats_reset"}, {{"", archived, {}, reset}}
    ));
    return results;
}

tools::Sample
sample(const db::Cell& started, const db::Cell& archived, const db::Cell& reset, seconds at) {
    std::vector<tools::NotExamined> gaps;
    auto out = tools::Sample::decode(sections, facts, counted(started, archived, reset), gaps);
    CHECK(gaps.empty());
    out.at += at;
    return out;
}

} // namespace

TEST_CASE("counters are found by view, object and name", "[tools]") {
    const auto one = sample("100.5", "7", "50", seconds{0});
    CHECK(one.value("archiver", "", "archived_count") == 7);
    CHECK(one.value("server", "", "started") == 100.5);
    CHECK_FALSE(one.value("archiver", "", "failed_count")); // null
    CHECK_FALSE(one.value("archiver", "", "nothing"));
    CHECK_FALSE(one.value("wal", "", "wal_bytes"));
    CHECK_FALSE(tools::Sample{}.value("wal", "", "wal_bytes"));
    CHECK(one.objects("archiver") == std::vector<std::string>{""});
    CHECK(one.objects("io").empty());
    CHECK(one.size() == 6);
}

TEST_CASE("a window shows what was counted in between, as a rate", "[tools]") {
    const tools::Window window{
        sample("100", "7", "50", seconds{0}), sample("100", "27", "50", seconds{10}), true};
    CHECK(window.seconds() == 10);
    CHECK(window.grown("archiver", "", "archived_count") == 20);
    CHECK(window.per_second("archiver", "", "archived_count") == 2);
    CHECK(window.grown_in_all("archiver", "archived_count") == 20);
    CHECK_FALSE(window.grown_in_all("archiver", "failed_count"));
    CHECK(window.text() == "10 s up to now");
}

TEST_CASE("counters that began anew give no rate", "[tools]") {
    const auto older = sample("100", "27", "50", seconds{0});
    const tools::Window fallen{older, sample("100", "7", "50", seconds{10})};
    CHECK_FALSE(fallen.grown("archiver", "", "archived_count"));
    const tools::Window reset{older, sample("100", "40", "105", seconds{10})};
    CHECK_FALSE(reset.grown("archiver", "", "archived_count"));
    CHECK_FALSE(reset.grown_in_all("archiver", "archived_count"));
    CHECK_THAT(reset.text(), Catch::Contains("two samples"));
}

TEST_CASE("samples of two runs of a server cannot be compared", "[tools]") {
    const auto older = sample("100", "7", "50", seconds{0});
    CHECK(tools::comparable(older, sample("100", "8", "50", seconds{1})));
    CHECK_FALSE(tools::comparable(older, sample("101", "8", "50", seconds{1})));
    CHECK_FALSE(tools::comparable(older, older));
    CHECK_FALSE(tools::comparable(tools::Sample{}, tools::Sample{}));
}

TEST_CASE("a view that cannot be read is told and leaves the others", "[tools]") {
    auto results = counted("100", "7", "50");
    results[1] = base::Error{base::Errc::permission_denied, "No.", ""};
    std::vector<tools::NotExamined> gaps;
    const auto one = tools::Sample::decode(sections, facts, results, gaps);
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].what == "counters of archiver");
    CHECK(gaps[0].why == "permission_denied: No.");
    CHECK(one.value("server", "", "lsn") == 4096);
}

TEST_CASE("a view of a later version is not asked for, and told", "[tools]") {
    constexpr std::array later{&tools::io_counters};
    CHECK(tools::counter_queries(later, facts).empty());
    std::vector<tools::NotExamined> gaps;
    CHECK(tools::Sample::decode(later, facts, {}, gaps).size() == 0);
    REQUIRE(gaps.size() == 1);
    CHECK_THAT(gaps[0].why, Catch::Contains("from version 16 on; this one is 15"));
}
