#include "base/limits.hpp"
#include "tests/runbooks/release_plan.hpp"
#include "tests/runbooks/samples.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

std::string joined(const runbooks::Plan& plan) {
    std::string out;
    for (const auto& sentence : runbooks::blast_radius(plan)) {
        out += sentence + "\n";
    }
    return out;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE(
    "the blast radius names the target, the session, the locks and the way back", "[runbooks]"
) {
    const auto text = joined(test::release_plan());
    CHECK(holds(text, "database app of target main, a PostgreSQL 15 primary"));
    CHECK(holds(text, "pid = 4242, backend_start = 2026-11-21T02:55:10.123456Z"));
    CHECK(holds(text, "none on relations"));
    CHECK(holds(text, "waits at most 500 ms for a lock and runs at most 10000 ms"));
    CHECK(holds(text, "cannot be undone: An ended session"));
    CHECK(holds(text, "The effect ends with one session."));
    CHECK(holds(joined(test::sample_plan()), "can be undone by the inverse in the plan"));
}

TEST_CASE("the blast radius fits a presentation and holds only printable ASCII", "[runbooks]") {
    auto plan = test::release_plan();
    plan.target.database = "app\n\u202e\x1b[8m";
    runbooks::Presentation presentation;
    presentation.blast_radius = runbooks::blast_radius(plan);
    CHECK(check_presentation(presentation).ok());
    for (const auto& sentence : presentation.blast_radius) {
        for (const char c : sentence) {
            CHECK((c >= ' ' && c <= '~'));
        }
    }
}

TEST_CASE("every step of a long plan is told, as far as a presentation reaches", "[runbooks]") {
    auto plan = test::sample_plan();
    plan.steps.assign(base::limits::plan_steps_max, plan.steps[0]);
    CHECK(runbooks::blast_radius(plan).size() <= base::limits::blast_radius_sentences_max);
}

} // namespace interlock
