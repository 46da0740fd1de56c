// Query text of strangers: masking leaves no quoted literal behind and never throws; facts are only
// given for text within the caps.
#include "base/db/sql_text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void mask_and_judge(std::string_view input) {
    const auto masked = interlock::db::mask_literals(input);
    interlock::test::must_hold(masked.find('\'') == std::string::npos);
    interlock::test::must_hold(masked.find('\n') == std::string::npos);
    const auto facts = interlock::db::statement_facts(input);
    if (facts) {
        interlock::test::must_hold(interlock::db::check_sql_caps(input).ok());
        interlock::test::must_hold(facts->statements >= 0);
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(sql_text, mask_and_judge)
