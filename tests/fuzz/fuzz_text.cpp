// Whatever comes in, what goes to a reader is valid UTF-8 without control characters, and cutting
// never splits a character.
#include "base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void make_harmless(std::string_view input) {
    namespace base = interlock::base;
    const auto clean = base::sanitize(input);
    interlock::test::must_hold(base::is_utf8(clean));
    for (const char c : clean) {
        const auto byte = static_cast<unsigned char>(c);
        interlock::test::must_hold(byte >= 0x20 && byte != 0x7f);
    }
    interlock::test::must_hold(base::sanitize(clean) == clean);
    interlock::test::must_hold(base::is_utf8(base::cut_middle(clean, 40)));
    interlock::test::must_hold(base::is_utf8(base::cut_bytes(clean, 17)));
    for (const char c : base::escape_non_ascii(input)) {
        interlock::test::must_hold(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f));
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(text, make_harmless)
