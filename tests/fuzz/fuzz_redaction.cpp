// Text of strangers, redacted: redacting again changes nothing, the result stays within its bound
// and stays UTF-8, and SQL shows no quoted literal.
#include "base/db/sql_text.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

bool shows_a_literal(std::string_view masked) {
    bool in_name = false;
    for (const char c : masked) {
        in_name = in_name != (c == '"');
        if (c == '\'' && !in_name) {
            return true;
        }
    }
    return false;
}

void redact_twice(std::string_view input) {
    namespace base = interlock::base;
    namespace telemetry = interlock::telemetry;
    const auto text = base::sanitize(input);
    for (const bool ipv4 : {false, true}) {
        const auto shown = telemetry::redact(text, {.ipv4 = ipv4});
        interlock::test::must_hold(telemetry::redact(shown, {.ipv4 = ipv4}) == shown);
        interlock::test::must_hold(base::is_utf8(shown));
        interlock::test::must_hold(shown.size() <= 8 * text.size() + 64);
    }
    const auto sql = telemetry::safe_sql(input);
    auto again = sql;
    telemetry::redact_masked_sql_in(again);
    interlock::test::must_hold(again == sql);
    interlock::test::must_hold(!shows_a_literal(interlock::db::mask_literals(input)));
}

} // namespace

INTERLOCK_FUZZ_TARGET(redaction, redact_twice)
