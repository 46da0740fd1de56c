// Text of strangers, redacted: redacting again changes nothing, the result stays within its bound
// and stays UTF-8, and SQL shows no quoted literal.
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

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
    interlock::test::must_hold(sql.find('\'') == std::string::npos);
}

} // namespace

INTERLOCK_FUZZ_TARGET(redaction, redact_twice)
