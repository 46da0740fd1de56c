#include "executor/resolution.hpp"
#include "tests/executor/scene.hpp"

#include <catch2/catch.hpp>

namespace interlock::executor {
namespace {

using enum StepFact;
using test::step;
using test::Undo;

/// Two steps; of the bounded plan neither has an inverse.
runbooks::Plan plan(Undo undo) {
    runbooks::Plan made;
    made.steps = {
        step("one", runbooks::StepClass::transactional, undo),
        step("two", runbooks::StepClass::transactional, undo)};
    return made;
}

} // namespace

TEST_CASE("what is known of the steps decides the course", "[executor]") {
    const auto [first, second, rolling_back, undo, course] =
        GENERATE(table<StepFact, StepFact, bool, Undo, Course>({
            {not_done, not_done, false, Undo::exists, Course::clean},
            {not_done, not_done, false, Undo::bounded, Course::clean},
            {done, done, false, Undo::exists, Course::verify},
            {done, done, false, Undo::bounded, Course::verify},
            {done, not_done, false, Undo::exists, Course::roll_back},
            {done, not_done, false, Undo::bounded, Course::human},
            {done, done, true, Undo::exists, Course::roll_back},
            {done, done, true, Undo::bounded, Course::human},
            {done, unknown, false, Undo::exists, Course::human},
            {unknown, not_done, false, Undo::exists, Course::human},
        }));
    const auto resolution = resolve(plan(undo), {first, second}, rolling_back);
    CHECK(resolution.course == course);
    CHECK_FALSE(resolution.reason.empty());
}

TEST_CASE("facts that do not fit the plan go to a person", "[executor]") {
    CHECK(resolve(plan(Undo::exists), {done}, false).course == Course::human);
    CHECK(resolve(plan(Undo::exists), {}, false).course == Course::human);
}

TEST_CASE("steps without an inverse are named", "[executor]") {
    CHECK(
        without_inverse(plan(Undo::bounded), {not_done, done}) == std::vector<std::string>{"two"}
    );
    CHECK(without_inverse(plan(Undo::exists), {done, done}).empty());
    auto broken = plan(Undo::exists);
    broken.steps[0].inverse.statement.reset(); // says it exists, and does not
    CHECK(without_inverse(broken, {done, done}) == std::vector<std::string>{"one"});
}

} // namespace interlock::executor
