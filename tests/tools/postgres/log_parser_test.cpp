#include "base/limits.hpp"
#include "tests/tools/postgres/log_bench.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
using interlock::test::LogBench;
using tools::LogFormat;
using tools::LogLevel;

namespace {

std::string detected(std::string_view head) {
    LogBench bench{LogFormat::text};
    const auto format = tools::detect_log_format(head, {bench.times, bench.prefix, bench.sink});
    CHECK(bench.sink.asked.empty());
    return format ? tools::name(*format) : "none";
}

} // namespace

TEST_CASE("a format is known by the beginning of a file", "[tools]") {
    CHECK(detected("2026-11-21 21:36:07.123 UTC [7] LOG:  x\n") == "stderr");
    CHECK(
        detected("torn end of a text\n2026-11-21 21:36:07.123 UTC,,,7,,6741.7,3,,"
                 "2026-11-21 21:00:00 UTC,,0,LOG,00000,\"x\",,,,,,,,,\"\"\n") == "csvlog"
    );
    CHECK(
        detected(R"({"timestamp":"2026-11-21 21:36:07.123 UTC","error_severity":"LOG"})"
                 "\n") == "jsonlog"
    );
    CHECK(detected("just prose\nand more\n") == "none");
    CHECK(detected("") == "none");
    CHECK(detected({"\0\0\0\0", 4}) == "none");
    CHECK(
        detected("\xff\xfe"
                 "2\x31\n") == "none"
    );
}

TEST_CASE("levels are ranked as a reader needs them", "[tools]") {
    CHECK(tools::log_level("ERROR") > tools::log_level("LOG"));
    CHECK(tools::log_level("PANIC") > tools::log_level("FATAL"));
    CHECK(tools::log_level("NOTICE") == LogLevel::log);
    CHECK(tools::log_level("DEBUG3") == LogLevel::debug);
    CHECK(tools::log_level("DEBUG9") == LogLevel::other);
    CHECK(tools::log_level("ERREUR") == LogLevel::other);
    CHECK(tools::name(LogLevel::fatal) == "FATAL");
}

TEST_CASE("a field keeps its beginning, on a character's boundary", "[tools]") {
    std::string field;
    for (int i = 0; i < 3'000; ++i) {
        tools::append_field(field, "\xC3\xA9");
    }
    CHECK(field.size() == interlock::base::limits::log_field_bytes_max);
    tools::LogEntry entry;
    entry.message = "x";
    entry.at = interlock::base::Time{};
    entry.clear();
    CHECK(entry.message.empty());
    CHECK_FALSE(entry.at.has_value());
}
