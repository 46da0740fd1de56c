#include "tools/postgres/log_tally.hpp"

#include <catch2/catch.hpp>

using interlock::tools::LogEntry;
using interlock::tools::LogKind;
using interlock::tools::LogLevel;
using interlock::tools::LogTally;

namespace {

LogEntry entry(LogLevel level, const std::string& message, long long at = 0) {
    LogEntry out;
    out.level = level;
    out.message = message;
    out.at = interlock::base::Time{std::chrono::seconds{at}};
    return out;
}

} // namespace

TEST_CASE("kinds are counted, the most urgent first, then the most frequent", "[tools]") {
    LogTally tally;
    for (int i = 0; i < 10; ++i) {
        tally.add(entry(LogLevel::log, "l" + std::to_string(i), i), "l");
    }
    tally.add(entry(LogLevel::error, "a"), "a");
    tally.add(entry(LogLevel::error, "b", 7), "b");
    tally.add(entry(LogLevel::error, "b", 3), "b");
    tally.add(entry(LogLevel::panic, "p"), "p");
    const auto ranked = tally.ranked();
    REQUIRE(ranked.size() == 4);
    CHECK(ranked[0]->fingerprint == "p");
    CHECK(ranked[1]->fingerprint == "b");
    CHECK(ranked[1]->count == 2);
    CHECK(ranked[1]->first->time_since_epoch() == std::chrono::seconds{3});
    CHECK(ranked[1]->last->time_since_epoch() == std::chrono::seconds{7});
    CHECK(ranked[2]->fingerprint == "a");
    CHECK(ranked[3]->count == 10);
    CHECK(ranked[3]->sample.message == "l0");
    CHECK(tally.gave_way() == 0);
}

TEST_CASE("one code apart is one kind apart", "[tools]") {
    LogTally tally;
    auto one = entry(LogLevel::error, "x");
    one.sqlstate = "40001";
    tally.add(one, "x");
    one.sqlstate = "40P01";
    tally.add(one, "x");
    CHECK(tally.size() == 2);
}

TEST_CASE("a flood of kinds leaves the frequent ones, with how far counts may be off", "[tools]") {
    constexpr int flood = 20'000;
    constexpr int frequent = 2'000;
    LogTally tally;
    tally.add(entry(LogLevel::panic, "once"), "once");
    for (int i = 0; i < flood; ++i) {
        const std::string rare = "rare " + std::to_string(i);
        tally.add(entry(LogLevel::error, rare), rare);
        if (i % (flood / frequent) == 0) {
            tally.add(entry(LogLevel::error, "frequent"), "frequent");
        }
    }
    const auto ranked = tally.ranked();
    CHECK(ranked.size() < 1'000);
    CHECK(ranked[0]->fingerprint == "once"); // another level's flood takes nothing from it
    CHECK(ranked[1]->fingerprint == "frequent");
    CHECK(ranked[1]->count >= frequent);
    CHECK(ranked[1]->count - ranked[1]->too_high <= frequent);
    CHECK(tally.gave_way() > 0);
    long long sum = 0;
    for (const LogKind* kind : ranked) {
        sum += kind->level == LogLevel::error ? kind->count : 0;
    }
    CHECK(sum == flood + frequent); // nothing is lost, only not told apart
}
