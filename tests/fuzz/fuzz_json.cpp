// What the strict reader accepts renders to text that it accepts again, to the same value.
#include "base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

namespace {

void read_and_render(std::string_view input) {
    namespace base = interlock::base;
    const auto value = base::parse_json(input);
    if (!value) {
        return;
    }
    const auto again =
        base::parse_json(base::render_json(*value), 8 * base::limits::json_bytes_max);
    interlock::test::must_hold(again.ok());
    interlock::test::must_hold(again.value() == value.value());
}

} // namespace

INTERLOCK_FUZZ_TARGET(json, read_and_render)
