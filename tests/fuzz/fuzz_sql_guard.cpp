// SQL of strangers before the guard: it answers everything, and what it allows it allows again when
// it is sent without what surrounded it.
#include "base/db/sql_guard.hpp"
#include "base/db/sql_text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void guard(std::string_view input) {
    const auto answer = interlock::db::guard_sql(input);
    interlock::test::must_hold(answer.verdict.allowed == answer.statement.has_value());
    interlock::test::must_hold(!answer.verdict.family.empty() && !answer.verdict.reason.empty());
    if (answer.statement) {
        interlock::test::must_hold(interlock::db::check_sql_caps(input).ok());
        const auto again = interlock::db::guard_sql(answer.statement->text());
        interlock::test::must_hold(again.verdict.allowed);
        interlock::test::must_hold(again.statement->text() == answer.statement->text());
        for (const auto& relation : answer.statement->relations()) {
            interlock::test::must_hold(relation.offset < answer.statement->text().size());
        }
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(sql_guard, guard)
