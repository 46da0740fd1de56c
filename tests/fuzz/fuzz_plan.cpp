// Bytes that read as a plan are the only bytes of that plan.
#include "runbooks/plan.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void read_plan(std::string_view input) {
    namespace runbooks = interlock::runbooks;
    if (const auto plan = runbooks::parse_plan(input)) {
        interlock::test::must_hold(runbooks::plan_bytes(*plan) == input);
    }
    (void)runbooks::parse_presentation(input);
}

} // namespace

INTERLOCK_FUZZ_TARGET(plan, read_plan)
