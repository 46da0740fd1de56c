#include "cli/audit_erasures.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("of each erased payload it is known when, by whom and why", "[cli]") {
    RecordedErasures erasures;
    erasures.take(50, "T1", "os:eve", R"({"reason":"why","payloads":[[3,5],[9,9]]})");
    erasures.take(60, "T2", "os:bob", R"({"reason":"other","payloads":[[20,21]]})");
    CHECK(erasures.of(3) == "erased on T1, by os:eve: why");
    CHECK(erasures.of(5) == erasures.of(9));
    CHECK(erasures.of(21) == "erased on T2, by os:bob: other");
    for (const std::uint64_t other : {0U, 2U, 6U, 10U, 22U})
        CHECK(erasures.of(other).empty());
    CHECK(erasures.ranges().count() == 6);
}

TEST_CASE("a record that names no payloads before it tells of no erasure", "[cli]") {
    RecordedErasures erasures;
    for (const char* payload :
         {"",
          "[]",
          "{}",
          R"({"payloads":[]})",
          R"({"payloads":[[7,7]]})",
          R"({"payloads":[[9,8]]})"})
        erasures.take(7, "T", "os:eve", payload);
    CHECK(erasures.ranges().empty());
    CHECK(erasures.of(7).empty());
}

} // namespace interlock::cli
