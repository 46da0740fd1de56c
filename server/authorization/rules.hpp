// From verified claims to who a caller is here: identity, database role, scopes, toolsets.
#pragma once

#include "base/json.hpp"
#include "server/access.hpp"
#include "server/authorization/options.hpp"

#include <optional>
#include <set>
#include <string>

namespace interlock::server {

/// The scope that stands for all; "interlock:<domain>" is one domain's.
inline constexpr const char* whole_scope = "interlock";

/// Scopes of this server in `scope` (space-separated) and `scp` (text or list), closed under
/// implication; others are dropped.
std::set<std::string> scopes_of(const base::Json& claims);

/// The first rule that matches; nullptr without one.
const IdentityRule* matching_rule(
    const std::vector<IdentityRule>& rules, const std::string& issuer, const base::Json& claims
);

/// What a caller with these verified claims may do; nullopt without a rule.
std::optional<Access> access_of(
    const AuthorizationOptions& options,
    const Issuer& issuer,
    const std::string& subject,
    const base::Json& claims
);

} // namespace interlock::server
