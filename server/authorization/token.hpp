// Bearer tokens: JWTs in compact form (RFC 7519, RFC 9068), taken apart strictly, then believed
// only as far as a key of a configured issuer signed them.
//
// Errors say why for the log; they hold no part of the token, and clients never see them.
#pragma once

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "server/authorization/key_set.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::server {

/// A token taken apart; nothing in it is proven.
struct Token {
    std::string compact;
    std::string algorithm;
    std::optional<std::string> kid;
    std::string issuer;
    std::size_t signature_bytes = 0;
    std::shared_ptr<const base::Json> claims; // an object
};

/// Refuses what is not exactly three canonical base64url parts with strict JSON in the first two,
/// and headers that ask for what this server does not do.
base::Result<Token> read_token(std::string compact);

/// Whether a key among `keys` that fits the token's algorithm signed it. not_found: no such key.
base::Status
check_signature(const Token& token, const std::vector<std::string>& algorithms, const KeySet& keys);

/// The registered claims of a token whose signature holds.
struct Verified {
    std::string subject;
    base::Time expires; // with the skew: from then on the token is refused
};

/// Code expired when it is only too late. `resource` is normal_resource().
base::Result<Verified> check_claims(
    const base::Json& claims,
    const std::string& resource,
    base::Time now,
    std::chrono::seconds clock_skew
);

} // namespace interlock::server
