#include "base/limits.hpp"
#include "tests/support/fakes.hpp"
#include "tools/postgres/log_reader.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <catch2/catch.hpp>

namespace base = interlock::base;
namespace tools = interlock::tools;
using interlock::test::ManualClock;
using interlock::test::TemporaryDirectory;
using tools::LogLevel;
using tools::LogPattern;
using tools::LogQuestion;
using tools::LogReading;

namespace {

constexpr const char* prefix = "%m [%p] %q%u@%d ";

base::Time moment(const char* text) {
    return base::parse_time(text).value();
}

LogQuestion whole_day() {
    return {.from = moment("2026-11-21T00:00:00Z"), .to = moment("2026-11-21T23:59:59.999Z")};
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

LogReading read(
    const TemporaryDirectory& directory,
    const LogQuestion& question = whole_day(),
    const char* line_prefix = prefix
) {
    ManualClock clock;
    auto reading = tools::read_logs_directory(
        directory.path(), question, {.line_prefix = line_prefix, .zone = {}}, clock, {}
    );
    if (!reading) {
        FAIL(base::to_text(reading.error()));
    }
    return std::move(reading).value();
}

std::string two(long long number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
}

/// One entry a tenth of a second, from midnight on.
std::string line_at(long long tenths, const std::string& rest) {
    const long long seconds = tenths / 10;
    return "2026-11-21 " + two(seconds / 3'600) + ":" + two(seconds / 60 % 60) + ":" +
           two(seconds % 60) + "." + std::to_string(tenths % 10) + "00 UTC [42] ann@shop " + rest +
           "\n";
}

/// Kilobytes of a line of /proc/self/status.
long long own_kilobytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name + ":")) {
            return std::stoll(line.substr(name.size() + 1));
        }
    }
    return 0;
}

} // namespace

TEST_CASE("a pattern is parts in order, without regard to case", "[tools]") {
    CHECK(LogPattern{"DEADLOCK"}.matches("x deadlock detected"));
    CHECK(LogPattern{"dead*detect"}.matches("x deadlock detected"));
    CHECK(LogPattern{"*lock*"}.matches("x deadlock detected"));
    CHECK_FALSE(LogPattern{"detected*dead"}.matches("x deadlock detected"));
    CHECK_FALSE(LogPattern{"aa*aa"}.matches("aaa"));
    CHECK(LogPattern{""}.matches("x"));
    CHECK(LogPattern{"**"}.empty());
    CHECK(LogPattern{".+[("}.matches("a .+[( b"));
}

TEST_CASE("entries are counted by level in the window, and by kind as asked for", "[tools]") {
    const TemporaryDirectory directory;
    write(
        directory.file("a.log"),
        line_at(0, "LOG:  before") + line_at(6'000, "ERROR:  relation \"a\" does not exist") +
            line_at(6'001, "STATEMENT:  select * from a where b = 'hunter2'") +
            line_at(6'010, "ERROR:  relation \"b\" does not exist") +
            line_at(6'020, "LOG:  checkpoint complete") +
            line_at(6'030, "PANIC:  could not write") + line_at(9'000, "FATAL:  after")
    );
    LogQuestion question{
        .from = moment("2026-11-21T00:10:00Z"), .to = moment("2026-11-21T00:10:10Z")};
    auto reading = read(directory, question);
    CHECK(reading.entries == 4);
    CHECK(reading.matched == 4);
    CHECK(reading.levels[static_cast<std::size_t>(LogLevel::error)] == 2);
    const auto ranked = reading.tally.ranked();
    REQUIRE(ranked.size() == 3);
    CHECK(ranked[0]->level == LogLevel::panic);
    CHECK(ranked[1]->count == 2);
    CHECK(ranked[1]->sample.statement == "select * from a where b = 'hunter2'");

    question.level_min = LogLevel::error;
    CHECK(read(directory, question).matched == 3);
    question.pattern = "relation*\"A\"";
    CHECK(read(directory, question).matched == 1);
    question.pattern = "from a";
    CHECK(read(directory, question).matched == 1);
    question.pattern = "hunter2"; // is masked, so it cannot be asked for
    CHECK(read(directory, question).matched == 0);
    question.pattern = "";
    question.sqlstate = "42";
    reading = read(directory, question);
    CHECK(reading.matched == 0);
    CHECK(reading.no_sqlstates);
}

TEST_CASE("codes are filtered by class and by code", "[tools]") {
    const TemporaryDirectory directory;
    write(
        directory.file("a.log"),
        "2026-11-21 01:00:00.000 UTC 40P01 ERROR:  deadlock detected\n"
        "2026-11-21 01:00:00.000 UTC 40001 ERROR:  could not serialize\n"
        "2026-11-21 01:00:00.000 UTC 00000 LOG:  x\n"
    );
    auto question = whole_day();
    question.sqlstate = "40";
    CHECK(read(directory, question, "%m %e ").matched == 2);
    question.sqlstate = "40P01";
    const auto reading = read(directory, question, "%m %e ");
    CHECK(reading.matched == 1);
    CHECK_FALSE(reading.no_sqlstates);
}

TEST_CASE("rotated files are read as one log, twins once", "[tools]") {
    const TemporaryDirectory directory;
    write(directory.file("pg-1.log"), line_at(10, "LOG:  one"));
    write(directory.file("pg-2.log"), line_at(20, "LOG:  two"));
    const std::string json =
        R"({"timestamp":"2026-11-21 00:00:02.000 UTC","error_severity":"LOG","message":"two"})"
        "\n";
    write(directory.file("pg-2.json"), json);
    write(directory.file("notes.txt"), "bring milk\n");
    write(directory.file("empty.log"), "");
    write(directory.file("binary.log"), {"\0\1\2\3", 4});
    const auto reading = read(directory);
    CHECK(reading.entries == 2);
    CHECK(reading.files.size() == 2);
    CHECK(reading.refused.size() == 3); // the twin, the notes, the binary
    const auto last = std::filesystem::last_write_time(directory.file("pg-2.json"));
    std::filesystem::last_write_time(directory.file("pg-2.log"), last - std::chrono::minutes{2});
    CHECK(read(directory).files.size() == 3); // written at other times: not the same entries
}

TEST_CASE("what cannot be read as entries is counted", "[tools]") {
    const TemporaryDirectory directory;
    write(
        directory.file("a.log"),
        line_at(10, "LOG:  one") + "cp: no such file\n" +
            "2026-11-21 00:00:02.000 XYZT [1] LOG:  elsewhere\n" +
            "2026-11-21 00:00:03.000 UTC [1] FEHLER:  anderswo\n" + "\xff\xfe\x01 bad bytes\n" +
            line_at(40, "ERROR:  \xc3\x28 \xff bad") + "2026-11-21 00:00:05.000 UTC [1] LOG:  torn"
    );
    const auto reading = read(directory);
    CHECK(reading.entries == 4);
    CHECK(reading.untimed == 1);
    CHECK(reading.unknown_zone == "XYZT");
    CHECK(reading.unreadable == 2);
    CHECK(reading.torn);
    CHECK(reading.levels[static_cast<std::size_t>(LogLevel::other)] == 1);
}

TEST_CASE("a directory that is not there is an error", "[tools]") {
    ManualClock clock;
    const auto reading = tools::read_logs_directory(
        "/nonexistent", whole_day(), {.line_prefix = prefix, .zone = {}}, clock, {}
    );
    REQUIRE_FALSE(reading.ok());
    CHECK(reading.error().code == base::Errc::not_found);
    CHECK_FALSE(reading.error().remedy.empty());
}

TEST_CASE("a reading ends when its caller goes or its time is up", "[tools]") {
    const TemporaryDirectory directory;
    write(directory.file("a.log"), line_at(10, "LOG:  one"));
    ManualClock clock;
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = tools::read_logs_directory(
        directory.path(), whole_day(), {.line_prefix = prefix, .zone = {}}, clock, stop.get_token()
    );
    REQUIRE(stopped.ok());
    CHECK(stopped->stopped);
    CHECK(stopped->files.empty());
}

TEST_CASE("a big log costs one pass, little memory, and a narrow window little of it", "[tools]") {
    const TemporaryDirectory directory;
    constexpr long long entries = 400'000; // 50 MB
    {
        std::ofstream file(directory.file("a.log"), std::ios::binary);
        std::string chunk;
        for (long long i = 0; i < entries; ++i) {
            chunk += line_at(
                i,
                i % 1'000 == 0
                    ? "ERROR:  duplicate key value violates unique constraint \"orders_" +
                          std::to_string(i) + "_key\""
                    : "LOG:  duration: " + std::to_string(i) +
                          ".5 ms  statement: select note from app.orders where id = " +
                          std::to_string(i)
            );
            if (chunk.size() > 1'000'000) {
                file << chunk;
                chunk.clear();
            }
        }
        file << chunk;
    }
    const auto bytes = static_cast<long long>(std::filesystem::file_size(directory.file("a.log")));
    std::ofstream("/proc/self/clear_refs") << "5"; // the peak from now on
    const long long before = own_kilobytes("VmRSS");
    const auto began = base::SystemClock{}.ticks();
    const auto reading = read(directory);
    const std::chrono::duration<double> took = base::SystemClock{}.ticks() - began;
    const long long more = own_kilobytes("VmHWM") - before;
    std::cout << "read_logs: " << bytes / 1'000'000 << " MB in " << took.count() << " s, " << more
              << " KB more memory\n";
    CHECK(reading.entries == entries);
    CHECK(reading.tally.size() == 2);
    CHECK(more < 32 * 1024);
    REQUIRE(reading.files.size() == 1);
    CHECK(reading.files[0].read == bytes);

    const LogQuestion minute{
        .from = moment("2026-11-21T05:00:00Z"), .to = moment("2026-11-21T05:00:59.999Z")};
    const auto narrow = read(directory, minute);
    CHECK(narrow.entries == 600);
    CHECK(narrow.files[0].read < 4'000'000);
}

TEST_CASE("a log of kinds without end costs little memory", "[tools]") {
    const TemporaryDirectory directory;
    {
        std::ofstream file(directory.file("a.log"), std::ios::binary);
        const std::string text(1'500, 'x');
        for (long long i = 0; i < 10'000; ++i) {
            std::string word;
            for (long long rest = i; rest > 0; rest /= 20) {
                word += static_cast<char>('g' + rest % 20);
            }
            file << line_at(i, "ERROR:  kind " + word + " " + text)
                 << line_at(i, "DETAIL:  " + text) << line_at(i, "STATEMENT:  select '" + text);
        }
    }
    std::ofstream("/proc/self/clear_refs") << "5";
    const long long before = own_kilobytes("VmRSS");
    const auto reading = read(directory);
    CHECK(own_kilobytes("VmHWM") - before < 32 * 1024);
    CHECK(reading.entries == 10'000);
    CHECK(reading.tally.gave_way() > 0);
}

TEST_CASE("where in its statement an error was makes no other kind", "[tools]") {
    TemporaryDirectory directory;
    write(
        directory.file("a.log"),
        "2026-11-21 03:00:00.000 UTC [7] u@d ERROR:  syntax error at character 15\n"
        "2026-11-21 03:00:01.000 UTC [7] u@d ERROR:  syntax error\n"
        "2026-11-21 03:00:02.000 UTC [7] u@d ERROR:  syntax error at character 8 of it\n"
    );
    const auto reading = read(directory);
    const auto ranked = reading.tally.ranked();
    REQUIRE(ranked.size() == 2);
    CHECK(ranked[0]->count == 2);
    CHECK(ranked[0]->fingerprint == "syntax error");
}
