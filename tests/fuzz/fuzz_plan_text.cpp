// A plan that somebody pasted, as text or as JSON: read or refused, in time, and judged without a
// number that is none.
#include "tests/fuzz/fuzz.hpp"
#include "tools/postgres/plan_reader.hpp"

namespace {

void read_and_judge(std::string_view input) {
    namespace tools = interlock::tools;
    const bool looks_like_one = tools::is_plan(input);
    const auto plan = tools::read_plan(input);
    if (!plan) {
        interlock::test::must_hold(!plan.error().what.empty() && !plan.error().remedy.empty());
        return;
    }
    interlock::test::must_hold(looks_like_one && !plan->nodes.empty());
    interlock::test::must_hold(plan->fingerprint.size() == 16);
    for (std::size_t i = 0; i < plan->nodes.size(); ++i) {
        interlock::test::must_hold(plan->nodes[i].parent <= i);
    }
    for (const auto& finding : tools::judge_plan(*plan)) {
        interlock::test::must_hold(finding.object.find('\n') == std::string::npos);
    }
    interlock::test::must_hold(tools::compare_plans(*plan, *plan).empty());
}

} // namespace

INTERLOCK_FUZZ_TARGET(plan_text, read_and_judge)
