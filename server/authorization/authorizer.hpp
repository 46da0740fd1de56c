// An OAuth 2.1 resource server: who a bearer token says its bearer is, and what it may do here.
// Tokens are JWTs of configured issuers, verified against pinned keys and algorithms; identity maps
// to a database role by rules over verified claims, and without a rule there is no call.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "server/authorization/options.hpp"
#include "server/http_endpoint.hpp"

#include <memory>

namespace interlock::server {

class Authorizer : public Gatekeeper {
public:
    /// Begins to fetch keys, on a thread for each issuer, and refuses every token of an issuer
    /// until its keys are there. An Error is a mistake in the options.
    static base::Result<std::unique_ptr<Authorizer>>
    start(AuthorizationOptions options, base::Clock& clock);
    /// "" when every issuer's keys are there; else which are not, and why. For /readyz.
    virtual std::string unready() const = 0;
    /// Fetches and reads all keys again, now; returns at once.
    virtual void reload() = 0;
    /// The same, under other options from now on: issuers, rules, resource. Tokens are judged
    /// anew; issuers that did not change keep the keys they have. On an Error all stays as it was.
    virtual base::Status reload(AuthorizationOptions options) = 0;
};

} // namespace interlock::server
