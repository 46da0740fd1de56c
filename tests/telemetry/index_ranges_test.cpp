#include "telemetry/index_ranges.hpp"

#include <random>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

std::set<std::uint64_t> members(const IndexRanges& ranges) {
    std::set<std::uint64_t> all;
    for (const auto& range : ranges.ranges())
        for (auto index = range.first; index <= range.last; ++index)
            all.insert(index);
    return all;
}

TEST_CASE("indexes in any order become the fewest ranges", "[telemetry]") {
    IndexRanges ranges;
    for (const std::uint64_t index : {7U, 1U, 2U, 3U, 9U, 8U, 2U, 20U})
        ranges.add(index);
    CHECK(ranges.ranges() == std::vector<IndexRange>{{1, 3}, {7, 9}, {20, 20}});
    CHECK(ranges.count() == 7);
    CHECK(ranges.to_json().dump() == "[[1,3],[7,9],[20,20]]");
}

TEST_CASE("sets of indexes are told apart as sets are", "[telemetry]") {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        IndexRanges left;
        IndexRanges right;
        std::set<std::uint64_t> in_left;
        std::set<std::uint64_t> in_right;
        for (int i = 0; i < 30; ++i) {
            const auto index = random() % 50;
            (i % 2 == 0 ? left : right).add(index);
            (i % 2 == 0 ? in_left : in_right).insert(index);
        }
        std::set<std::uint64_t> without;
        std::set<std::uint64_t> both;
        for (const auto index : in_left)
            (in_right.contains(index) ? both : without).insert(index);
        REQUIRE(members(left.without(right)) == without);
        REQUIRE(members(left.within(right)) == both);
        const auto head = left.take(5);
        REQUIRE(head.count() == std::min<std::uint64_t>(5, in_left.size()));
        REQUIRE(head.count() + left.count() == in_left.size());
        REQUIRE(members(head.within(left)).empty());
    }
}

TEST_CASE("only ranges of indexes are read as such", "[telemetry]") {
    const auto read = [](const char* text) {
        return IndexRanges::from_json(base::Json::parse(text)).has_value();
    };
    CHECK(read("[]"));
    CHECK(read("[[0,0],[5,9]]"));
    CHECK_FALSE(read("{}"));
    CHECK_FALSE(read("[1]"));
    CHECK_FALSE(read("[[1]]"));
    CHECK_FALSE(read("[[2,1]]"));
    CHECK_FALSE(read("[[-1,1]]"));
    CHECK_FALSE(read("[[1,1.5]]"));
    CHECK_FALSE(read("[[1,2,3]]"));
    CHECK(IndexRanges().empty());
    CHECK(IndexRanges().take(3).empty());
}

} // namespace
} // namespace interlock::telemetry
