// The text a modern client carries between the rounds of one call. It passes through hands we do
// not trust, so it is authenticated, and bound to caller, method, name and arguments and to an
// expiry: a state can be used by nobody else, for nothing else, and not for ever.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::server {

/// What a state is bound to.
struct StateBinding {
    std::string subject; // issuer and subject of the caller
    std::string method;
    std::string name;      // tool, prompt or uri
    std::string arguments; // canonical JSON text of the call's arguments
};

class RequestStates {
public:
    /// A fresh key: states of another process are refused, unless `key` (32 bytes) is shared.
    RequestStates(base::Clock& clock, base::Random& random, std::string key = {});
    std::string seal(const StateBinding& binding, std::string_view state) const;
    /// invalid_input for anything that was not sealed here, for this binding, within
    /// limits::request_state_lifetime: one message for all of them.
    base::Result<std::string> open(const StateBinding& binding, std::string_view sealed) const;

private:
    base::Clock& clock_;
    std::string key_;
};

} // namespace interlock::server
