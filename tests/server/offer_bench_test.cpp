#include "tests/server/offer_bench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {

base::Json json_of(const std::string& text) {
    return value_or_throw(base::parse_json(text, base::limits::evidence_bytes_max));
}

} // namespace interlock::test

TEST_CASE("the bench is loud when it fails", "[server]") {
    interlock::test::OfferBench bench;
    CHECK(interlock::test::json_of("[1]").size() == 1);
    CHECK_THROWS(interlock::test::json_of("[1"));
    CHECK_THROWS(bench.tool("approve_plan"));
    CHECK_THROWS(bench.prompt("approve_plan"));
}
