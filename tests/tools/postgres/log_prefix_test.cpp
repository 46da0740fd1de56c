#include "tools/postgres/log_prefix.hpp"

#include <catch2/catch.hpp>

using interlock::tools::LogPrefix;
using interlock::tools::LogTimeReader;
using interlock::tools::LogZone;

namespace {

struct Matched {
    LogPrefix::Fields fields;
    std::string rest;
};

Matched match(std::string_view setting, std::string_view line) {
    LogTimeReader times{LogZone{}};
    Matched out;
    out.rest = line.substr(LogPrefix{setting}.match(line, times, out.fields));
    return out;
}

} // namespace

TEST_CASE("prefixes of many shapes are taken apart", "[tools]") {
    const auto usual =
        match("%m [%p] %q%u@%d ", "2026-11-21 21:36:07.123 UTC [4242] ann@shop ERROR:  x");
    CHECK(usual.rest == "ERROR:  x");
    CHECK(usual.fields.pid == "4242");
    CHECK(usual.fields.user == "ann");
    CHECK(usual.fields.database == "shop");
    CHECK(usual.fields.timed);

    const auto full = match(
        "%t:%r:%u@%d:[%p]: %e %a %c-%l %v/%x %Q ",
        "2026-11-21 21:36:07 UTC:10.0.0.1(5432):ann@shop:[7]: 40P01 my_app 6741a.1f-3 3/12/0 -77 "
        "LOG:  x"
    );
    CHECK(full.rest == "LOG:  x");
    CHECK(full.fields.sqlstate == "40P01");
    CHECK(full.fields.application == "my_app");

    const auto padded = match("%10p|%-8u|", "      4242|ann     |LOG:  x");
    CHECK(padded.rest == "LOG:  x");
    CHECK(padded.fields.pid == "4242");

    const auto epoch = match("%n %% ", "1795000000.250 % LOG:  x");
    CHECK(epoch.rest == "LOG:  x");
    REQUIRE(epoch.fields.at.has_value());
    CHECK(interlock::base::format_time(*epoch.fields.at) == "2026-11-18T11:06:40.250000Z");
}

TEST_CASE("a background process has the part before %q only", "[tools]") {
    const auto matched = match("%m [%p] %q%u@%d ", "2026-11-21 21:36:07.123 UTC [12] LOG:  x@y");
    CHECK(matched.rest == "LOG:  x@y");
    CHECK(matched.fields.pid == "12");
    CHECK(matched.fields.user.empty());
}

TEST_CASE("a prefix says what it has", "[tools]") {
    CHECK(LogPrefix{"%m [%p] "}.has_time());
    CHECK(LogPrefix{"%t "}.has_time());
    CHECK_FALSE(LogPrefix{"[%p] "}.has_time());
    CHECK(LogPrefix{"%e"}.has('e'));
    CHECK_FALSE(LogPrefix{"%%e"}.has('e'));
    CHECK(match("", "LOG:  x").rest == "LOG:  x");
    CHECK(match("%", "LOG:  x").rest == "LOG:  x");
    CHECK(match("%5", "LOG:  x").rest == "LOG:  x");
}
