// Bytes that read as a decision are the only bytes of that decision.
#include "approval/decision.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void read_decision(std::string_view input) {
    namespace approval = interlock::approval;
    if (const auto decision = approval::parse_decision(input)) {
        interlock::test::must_hold(approval::decision_bytes(*decision) == input);
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(decision, read_decision)
