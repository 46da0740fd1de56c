#include "cli/audit_steps_check.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;
using Records = std::vector<StepRecord>;

bool says(const std::vector<std::string>& problems, const std::string& words) {
    return std::any_of(problems.begin(), problems.end(), [&](const auto& problem) {
        return problem.find(words) != std::string::npos;
    });
}

Json told(int index, const char* direction, const char* state, const char* known_by = "commit") {
    return {{"index", index}, {"direction", direction}, {"state", state}, {"known_by", known_by}};
}
Json outcome(long long fence, const std::vector<Json>& steps) {
    return {{"fence", fence}, {"steps", steps}};
}

const Records two_done{
    {1, 0, true, "INTENT", 1},
    {2, 0, true, "DONE", 1},
    {4, 1, true, "INTENT", 1},
    {5, 1, true, "DONE", 1}};

Records without(const Records& records, std::uint64_t leaf) {
    auto left = records;
    std::erase_if(left, [&](const auto& record) { return record.leaf == leaf; });
    return left;
}

} // namespace

TEST_CASE("a step's record is read as the executor writes it", "[cli]") {
    const Json payload = {{"index", "3"}, {"direction", "back"}, {"fence", "17"}};
    const auto read = read_step(9, "step.in_doubt", payload);
    REQUIRE(read);
    CHECK(read->leaf == 9);
    CHECK(read->index == 3);
    CHECK_FALSE(read->forward);
    CHECK(read->state == "IN_DOUBT");
    CHECK(read->fence == 17);
    CHECK_FALSE(read_step(9, "step.danced", payload));
    CHECK_FALSE(read_step(9, "step.done", Json::object()));
    CHECK_FALSE(read_step(9, "step.done", {{"index", "3x"}, {"direction", "back"}, {"fence", "1"}})
    );
}

TEST_CASE("a step begins before it ends, and ends once", "[cli]") {
    CHECK(check_step_order(two_done).empty());
    CHECK(says(check_step_order(without(two_done, 4)), "no record tells that it began"));
    CHECK(check_step_order(without(two_done, 5)).empty()); // that others tell
    auto twice = two_done;
    twice.push_back({6, 0, true, "FAILED", 1});
    CHECK(says(check_step_order(twice), "it had ended as DONE"));
    const Records begun_again{
        {1, 0, true, "INTENT", 1}, {2, 0, true, "INTENT", 2}, {3, 0, true, "DONE", 2}};
    CHECK(check_step_order(begun_again).empty());
    const Records found_out{
        {1, 0, true, "INTENT", 1}, {2, 0, true, "IN_DOUBT", 1}, {3, 0, true, "DONE", 2}};
    CHECK(check_step_order(found_out).empty());
    CHECK(check_step_order({{1, 0, true, "SKIPPED", 1}}).empty());
}

TEST_CASE("a plan whose steps are complete has each of them done", "[cli]") {
    CHECK(check_every_step(two_done, 2, "x").empty());
    CHECK(says(check_every_step(two_done, 3, "x"), "of its 3 steps 2 are recorded as done"));
    CHECK(says(check_every_step(without(two_done, 2), 2, "x"), "1 are recorded"));
    CHECK(says(check_every_step({}, 1, "x"), "0 are recorded"));
}

TEST_CASE("a plan that was rolled back has undone what it did", "[cli]") {
    CHECK(says(check_undone(two_done), "step 1 was undone"));
    auto undone = two_done;
    undone.push_back({7, 1, false, "DONE", 1});
    undone.push_back({9, 0, false, "DONE", 1});
    CHECK(check_undone(undone).empty());
    CHECK(says(check_undone(without(undone, 9)), "step 0 was undone"));
    CHECK(check_undone({{1, 0, true, "INTENT", 1}, {2, 0, true, "FAILED", 1}}).empty());
}

TEST_CASE("an outcome and the records of its executor tell the same", "[cli]") {
    const auto whole = outcome(1, {told(0, "forward", "DONE"), told(1, "forward", "DONE")});
    CHECK(check_outcome_steps(two_done, whole).empty());
    CHECK(says(check_outcome_steps(without(two_done, 5), whole), "step 1 is DONE, and no record"));
    CHECK(says(check_outcome_steps(without(two_done, 4), whole), "no record tells that it began"));
    CHECK(says(
        check_outcome_steps(two_done, outcome(1, {told(0, "forward", "DONE")})),
        "the outcome is silent"
    ));
    CHECK(says(
        check_outcome_steps(
            two_done, outcome(1, {told(0, "forward", "DONE"), told(1, "forward", "FAILED")})
        ),
        "step 1 is FAILED, and its record DONE"
    ));
    CHECK(says(check_outcome_steps(two_done, Json::object()), "does not tell which steps"));
    CHECK(says(check_outcome_steps(two_done, {{"fence", 1}}), "does not tell which steps"));
}

TEST_CASE("an outcome after an interruption tells what its own executor found", "[cli]") {
    const Records records{
        {1, 0, true, "INTENT", 1},
        {2, 0, true, "DONE", 1},
        {3, 1, true, "INTENT", 1},
        {5, 1, true, "DONE", 2}};
    CHECK(check_outcome_steps(records, outcome(2, {told(1, "forward", "DONE", "ledger")})).empty());
    // An inverse that did not happen is begun again, so that this has no record of its own.
    CHECK(
        check_outcome_steps(
            records,
            outcome(2, {told(1, "forward", "DONE", "ledger"), told(0, "back", "FAILED", "ledger")})
        )
            .empty()
    );
    CHECK_FALSE(
        check_outcome_steps(
            records,
            outcome(2, {told(1, "forward", "DONE", "ledger"), told(0, "back", "FAILED", "commit")})
        )
            .empty()
    );
}

TEST_CASE("the list of steps beside a plan is that of its records", "[cli]") {
    const Json list = {told(0, "forward", "DONE"), told(1, "forward", "DONE")};
    CHECK(check_listed_steps(two_done, list).empty());
    CHECK(says(check_listed_steps(without(two_done, 5), list), "the last record of it says INTENT")
    );
    CHECK(says(check_listed_steps({}, list), "says nothing"));
    CHECK(says(check_listed_steps(two_done, Json::array()), "steps.json is silent"));
}

TEST_CASE("what a list tells of a step beside its state is held against its record", "[cli]") {
    const Records records{
        {1, 0, true, "INTENT", 1, "T1", "{}"}, {2, 0, true, "DONE", 2, "T2", "found"}};
    const Json listed = {
        {"index", 0},
        {"direction", "forward"},
        {"state", "DONE"},
        {"fence", 2},
        {"at", "T2"},
        {"detail", "found"}};
    CHECK(check_listed_steps(records, Json::array({listed})).empty());
    for (const char* name : {"fence", "at", "detail"}) {
        auto other = listed;
        other[name] = "other";
        CHECK(says(check_listed_steps(records, Json::array({other})), "than record 2"));
    }
}

} // namespace interlock::cli
