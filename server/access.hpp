// What a caller may do here, as the transport proved it: who it is, which scopes its token carries,
// which toolsets it is shown. Made once a request, before its body is read.
#pragma once

#include "base/clock.hpp"
#include "telemetry/identity.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace interlock::server {

struct Access {
    telemetry::Identity identity; // `client` is filled in from what the message says
    /// Of the token, closed under implication; nullopt: no authorization is in force (stdio,
    /// loopback), everything offered is allowed.
    std::optional<std::set<std::string>> scopes;
    /// Domains this caller is shown (its rule's, and what the URL's ?toolsets= leaves of them);
    /// nullopt = all.
    std::optional<std::set<std::string>> toolsets;
    /// Of the token: what is read after this time needs another one; nullopt = never.
    std::optional<base::Time> expires = {};

    bool shows(const std::string& domain) const {
        return !toolsets || domain.empty() || toolsets->contains(domain);
    }
    bool allows(const std::string& scope) const {
        return !scopes || scope.empty() || scopes->contains(scope);
    }
};

} // namespace interlock::server
