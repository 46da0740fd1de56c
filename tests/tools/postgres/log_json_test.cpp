#include "tests/tools/postgres/log_bench.hpp"

#include <catch2/catch.hpp>

using interlock::test::LogBench;
using interlock::tools::LogFormat;
using interlock::tools::LogLevel;

TEST_CASE("a line of jsonlog is taken apart", "[tools]") {
    LogBench bench{LogFormat::json};
    const auto& read = bench.read(
        R"({"timestamp":"2026-11-21 21:36:07.123 UTC","user":"ann","dbname":"shop","pid":7,)"
        R"("session_id":"6741.7","line_num":3,"txid":811,"error_severity":"ERROR",)"
        R"("state_code":"23505","message":"a \"b\"\n\u0001c \\","detail":"the detail",)"
        R"("statement":"insert\tinto t","application_name":"my app","query_id":-12})"
        "\n"
    );
    REQUIRE(read.entries.size() == 1);
    const auto& entry = read.entries[0];
    CHECK(entry.level == LogLevel::error);
    CHECK(entry.sqlstate == "23505");
    CHECK(entry.message == "a \"b\"\n c \\");
    CHECK(entry.detail == "the detail");
    CHECK(entry.statement == "insert\tinto t");
    CHECK(entry.pid == "7");
    CHECK(read.times[0].has_value());
}

TEST_CASE("lines that are no such object are told and nothing else", "[tools]") {
    LogBench bench{LogFormat::json};
    const auto& read = bench.read(
        "{\n"
        "{}\n"
        "\n"
        R"({"timestamp":"2026-11-21 21:36:07.123 UTC","error_severity":"LOG","message":"x)"
        "\n"
        R"({"timestamp":"2026-11-21 21:36:07.123 UTC","error_severity":"LOG"} x)"
        "\n"
        R"({"timestamp":["2026-11-21 21:36:07.123 UTC"],"error_severity":"LOG"})"
        "\n"
        R"({"a":{"error_severity":"PANIC"}})"
        "\n"
        R"({"message":"no severity"})"
        "\n"
    );
    CHECK(read.entries.empty());
    CHECK(read.asked.empty());
    CHECK(read.strange == 8);
}

TEST_CASE("what a session wrote stays within its value", "[tools]") {
    LogBench bench{LogFormat::json};
    const auto& read =
        bench.read(R"({"timestamp":"2026-11-21 21:36:07.123 UTC","error_severity":"LOG",)"
                   R"("message":"\",\"error_severity\":\"PANIC\"}"})"
                   "\n");
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].level == LogLevel::log);
    CHECK(read.entries[0].message == R"(","error_severity":"PANIC"})");
}
