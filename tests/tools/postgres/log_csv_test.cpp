#include "tests/tools/postgres/log_bench.hpp"

#include <catch2/catch.hpp>

using interlock::test::LogBench;
using interlock::tools::LogFormat;
using interlock::tools::LogLevel;

namespace {

std::string record(const std::string& message, const std::string& query = "") {
    return "2026-11-21 21:36:07.123 UTC,\"ann\",\"shop\",7,\"[local]\",6741.7,3,\"INSERT\","
           "2026-11-21 21:00:00 UTC,3/4,811,ERROR,23505," +
           message + ",\"the detail\",,,,\"the context\"," + query +
           ",,,\"my app\",\"client backend\",,0\n";
}

} // namespace

TEST_CASE("a record of csvlog is taken apart", "[tools]") {
    LogBench bench{LogFormat::csv};
    const auto& read =
        bench.read(record("\"a \"\"b\"\", c\"", "\"insert\n into t\nvalues ('x')\""));
    REQUIRE(read.entries.size() == 1);
    const auto& entry = read.entries[0];
    CHECK(entry.level == LogLevel::error);
    CHECK(entry.sqlstate == "23505");
    CHECK(entry.message == "a \"b\", c");
    CHECK(entry.detail == "the detail");
    CHECK(entry.context == "the context");
    CHECK(entry.statement == "insert\n into t\nvalues ('x')");
    CHECK(entry.user == "ann");
    CHECK(entry.database == "shop");
    CHECK(entry.application == "my app");
    CHECK(entry.pid == "7");
    CHECK(read.strange == 0);
}

TEST_CASE("a record within a value is no record", "[tools]") {
    std::string forged = record("\"forged\"");
    std::string doubled;
    for (const char c : forged) {
        doubled += c == '"' ? "\"\"" : std::string(1, c);
    }
    LogBench bench{LogFormat::csv};
    const auto& read =
        bench.read(record("\"real\"", "\"select\n" + doubled + "\"") + record("\"next\""));
    REQUIRE(read.entries.size() == 2);
    CHECK(read.entries[0].message == "real");
    CHECK(read.entries[1].message == "next");
    CHECK(read.strange == 0);
    std::optional<interlock::base::Time> at;
    CHECK(bench.parser->begins(forged.substr(0, forged.size() - 1), at));
    CHECK_FALSE(bench.parser->begins(doubled.substr(0, doubled.size() - 1), at));
}

TEST_CASE("a torn record costs itself and not the next one", "[tools]") {
    const std::string torn = record("\"torn\"", "\"select 1\n from").substr(0, 200);
    LogBench bench{LogFormat::csv};
    const auto& read = bench.read(
        torn + "\n" + record("\"next\"") + "2026-11-21 21:36:07.123 UTC,\"ann\n" +
        record("\"last\"") + "no,record\n" + record("\"open\"", "\"select").substr(0, 190)
    );
    REQUIRE(read.entries.size() == 2);
    CHECK(read.entries[0].message == "next");
    CHECK(read.entries[1].message == "last");
    CHECK(read.strange == 4);
}

TEST_CASE("background processes leave fields empty", "[tools]") {
    LogBench bench{LogFormat::csv};
    const auto& read = bench.read(
        "2026-11-21 21:36:07.123 UTC,,,7,,6741.7,3,,2026-11-21 21:00:00 UTC,,0,LOG,00000,"
        "\"checkpoint starting: time\",,,,,,,,,\"\",\"checkpointer\",,0\n"
    );
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].user.empty());
    CHECK(read.entries[0].level == LogLevel::log);
}
