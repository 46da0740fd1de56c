#include "tests/tools/postgres/log_bench.hpp"

#include <catch2/catch.hpp>

using interlock::test::LogBench;
using interlock::tools::LogFormat;
using interlock::tools::LogLevel;

TEST_CASE("an entry of the text format is joined from its lines", "[tools]") {
    LogBench bench{LogFormat::text};
    const auto& read = bench.read(
        "2026-11-21 21:36:07.123 UTC [7] ann@shop ERROR:  duplicate key\n"
        "2026-11-21 21:36:07.123 UTC [7] ann@shop DETAIL:  Key (id)=(1) already exists.\n"
        "2026-11-21 21:36:07.123 UTC [7] ann@shop CONTEXT:  a\n"
        "\tb\n"
        "2026-11-21 21:36:07.123 UTC [7] ann@shop STATEMENT:  insert\n"
        "\t  into t\n"
        "\tvalues (1)\n"
        "2026-11-21 21:36:08.000 UTC [9] LOG:  checkpoint starting: time\n"
    );
    REQUIRE(read.entries.size() == 2);
    const auto& first = read.entries[0];
    CHECK(first.level == LogLevel::error);
    CHECK(first.message == "duplicate key");
    CHECK(first.detail == "Key (id)=(1) already exists.");
    CHECK(first.context == "a\nb");
    CHECK(first.statement == "insert\n  into t\nvalues (1)");
    CHECK(first.user == "ann");
    CHECK(first.pid == "7");
    CHECK(read.entries[1].message == "checkpoint starting: time");
    CHECK(read.strange == 0);
}

TEST_CASE("only what is wanted is put together", "[tools]") {
    LogBench bench{LogFormat::text};
    bench.sink.least = LogLevel::error;
    const auto& read = bench.read("2026-11-21 21:36:07.123 UTC [7] LOG:  one\n"
                                  "2026-11-21 21:36:07.123 UTC [7] DETAIL:  of one\n"
                                  "2026-11-21 21:36:07.123 UTC [7] FATAL:  two\n");
    CHECK(read.asked == std::vector{LogLevel::log, LogLevel::fatal});
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].detail.empty());
}

TEST_CASE("what a session wrote is no entry of its own", "[tools]") {
    LogBench bench{LogFormat::text};
    const auto& read =
        bench.read("2026-11-21 21:36:07.123 UTC [7] ann@shop LOG:  statement: select 1\n"
                   "\t2026-11-21 21:36:07.123 UTC [7] ann@shop PANIC:  forged\n");
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].level == LogLevel::log);
}

TEST_CASE("a details line of another process, or of nothing, is not joined", "[tools]") {
    LogBench bench{LogFormat::text};
    const auto& read =
        bench.read("2026-11-21 21:36:07.123 UTC [7] ann@shop STATEMENT:  of an entry before\n"
                   "2026-11-21 21:36:07.123 UTC [7] ann@shop ERROR:  one\n"
                   "2026-11-21 21:36:07.123 UTC [8] ann@shop DETAIL:  of another\n"
                   "\tand more of it\n"
                   "cp: cannot stat 'x': No such file or directory\n"
                   "2026-11-21 21:36:07.123 UTC [7] ann@shop DETAIL:  too late\n");
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].detail.empty());
    CHECK(read.entries[0].message == "one");
    CHECK(read.strange == 1);
}

TEST_CASE("a prefix other than the configured one is guessed", "[tools]") {
    LogBench bench{LogFormat::text, "%m [%p] %q%u@%d "};
    const auto& read =
        bench.read("db=shop,user=ann 2026-11-21 21:36:07 UTC [77-1] ERROR:  42P01: no such thing\n"
                   "2026-11-21 21:36:08 UTC:10.0.0.1(5):ann@shop:[78]:FATAL:  b\n"
                   "2026-11-21 21:36:09.001 UTC [79] an n@sh op LOG:  name with blanks\n");
    REQUIRE(read.entries.size() == 3);
    CHECK(read.entries[0].sqlstate == "42P01");
    CHECK(read.entries[0].message == "no such thing");
    CHECK(read.entries[0].pid == "77");
    CHECK(read.times[0].has_value());
    CHECK(read.entries[1].level == LogLevel::fatal);
    CHECK(read.entries[1].pid == "78");
    CHECK(read.entries[2].message == "name with blanks");
}

TEST_CASE("an application's name may have blanks where it ends the prefix", "[tools]") {
    LogBench bench{LogFormat::text, "%m [%p] %q%u@%d %a "};
    const auto& read =
        bench.read("2026-11-21 21:36:07.123 UTC [7] ann@shop DBeaver 23 - Main LOG:  x\n");
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].application == "DBeaver 23 - Main");
    CHECK(read.entries[0].message == "x");
}

TEST_CASE("words of another language are entries of a level of their own", "[tools]") {
    LogBench bench{LogFormat::text};
    const auto& read = bench.read("2026-11-21 21:36:07.123 UTC [7] ann@shop FEHLER:  eins\n");
    REQUIRE(read.entries.size() == 1);
    CHECK(read.entries[0].level == LogLevel::other);
}
