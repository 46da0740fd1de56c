// Nothing that was not sealed here opens, and what was sealed opens for its binding alone.
#include "server/request_state.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/fakes.hpp"

#include <string>

namespace {

namespace server = interlock::server;
using interlock::test::must_hold;

void open_state(std::string_view input) {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    const server::RequestStates states(clock, random);
    const server::StateBinding binding{"issuer subject", "tools/call", "a_tool", "{}"};
    must_hold(!states.open(binding, input).ok());

    std::string sealed = states.seal(binding, input.substr(0, 512));
    const auto opened = states.open(binding, sealed);
    must_hold(opened.ok() && opened.value() == input.substr(0, 512));
    must_hold(!states.open({"issuer other", "tools/call", "a_tool", "{}"}, sealed).ok());
    const std::size_t at = input.empty() ? 0 : static_cast<unsigned char>(input[0]) % sealed.size();
    sealed[at] = sealed[at] == 'A' ? 'B' : 'A';
    must_hold(!states.open(binding, sealed).ok());
}

} // namespace

INTERLOCK_FUZZ_TARGET(request_state, open_state)
