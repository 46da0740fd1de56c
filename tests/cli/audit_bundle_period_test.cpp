#include "cli/audit_bundle_period.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

std::string at(int hour) {
    return "2026-11-21T" + std::string(hour < 10 ? "0" : "") + std::to_string(hour) +
           ":00:00.000000Z";
}

/// A log with a record every hour, from 0 to 9, of which a bundle holds some.
struct Held {
    std::map<std::uint64_t, std::string> times;
    std::set<std::uint64_t> whole;
    Held(std::uint64_t first, std::uint64_t last) {
        for (auto index = first; index <= last; ++index) {
            times[index] = at(static_cast<int>(index));
            whole.insert(index);
        }
    }
    PeriodReport check(const std::string& from, const std::string& to) const {
        return check_period({from, to}, {times, whole, 10});
    }
};

bool says(const std::vector<std::string>& list, const std::string& words) {
    return list.size() == 1 && list.front().find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a period with its neighbours is whole", "[cli]") {
    Held held(2, 6);
    held.whole = {3, 4, 5};
    const auto found = held.check(at(3), at(6));
    CHECK(found.problems.empty());
    CHECK(found.not_known.empty());
    CHECK(found.first == 3);
    CHECK(found.last == 5);
    CHECK(Held(0, 9).check("", "").problems.empty());
    CHECK(Held(0, 4).check("", at(4)).problems.empty());
    CHECK(Held(4, 9).check(at(5), "").problems.empty());
}

TEST_CASE("what is missing of a period, or beside it, is told", "[cli]") {
    CHECK(says(Held(3, 6).check(at(3), at(6)).problems, "the first ones may be missing"));
    CHECK(says(Held(2, 5).check(at(3), at(6)).problems, "the last ones may be missing"));
    CHECK(says(Held(1, 9).check("", "").problems, "The period begins with the log"));
    CHECK(says(Held(0, 8).check("", "").problems, "The period ends with the checkpoint"));
    CHECK(says(Held(2, 6).check(at(8), at(9)).problems, "holds no record of the period"));
    CHECK(says(Held(2, 6).check("yesterday", at(6)).problems, "The manifest's period is none"));
    Held gap(2, 6);
    gap.times.erase(4);
    CHECK(says(gap.check(at(3), at(6)).problems, "Between the records 3 and 5"));
    Held header(2, 6);
    header.whole = {3, 5};
    CHECK(says(header.check(at(3), at(6)).problems, "Record 4 is of the period, and only"));
}

TEST_CASE("what a bundle of a period cannot know is told as that", "[cli]") {
    CHECK(says(Held(2, 9).check(at(3), "2026-11-22T00:00:00.000000Z").not_known, "ends within"));
    Held set_back(2, 6);
    set_back.times[2] = at(7);
    CHECK(says(set_back.check(at(3), at(6)).not_known, "a clock was set"));
    Held set_on(2, 6);
    set_on.times[6] = at(1);
    CHECK(says(set_on.check(at(3), at(6)).not_known, "a clock was set"));
}

} // namespace interlock::cli
