#include "telemetry/gzip.hpp"
#include "tests/telemetry/collector.hpp"

#include <random>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

TEST_CASE("what is packed comes out as it went in", "[telemetry]") {
    std::mt19937 random(7);
    for (const std::size_t length : {0U, 1U, 100U, 70'000U, 1'000'000U}) {
        std::string plain(length, '\0');
        for (char& c : plain)
            c = static_cast<char>(random() % 7 + 'a');
        const auto packed = gzip(plain);
        REQUIRE(packed);
        CHECK(packed->substr(0, 2) == "\x1f\x8b");
        CHECK(test::gunzip(*packed) == plain);
    }
}

TEST_CASE("text that repeats itself becomes much smaller", "[telemetry]") {
    std::string plain;
    for (int i = 0; i < 500; ++i)
        plain += R"({"key":"mcp.method.name","value":{"stringValue":"tools/call"}},)";
    const auto packed = gzip(plain);
    REQUIRE(packed);
    CHECK(packed->size() * 20 < plain.size());
}

} // namespace
} // namespace interlock::telemetry
