// How authorization is configured: issuers and their keys, the audience, rules.
#pragma once

#include "base/decode.hpp"
#include "base/result.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace interlock::server {

struct Issuer {
    std::string issuer;                  // exactly the token's iss
    std::string jwks;                    // https URL (http on loopback only), or a file's path
    std::vector<std::string> algorithms; // pinned, of signature_algorithms(); never none or HS*
    bool private_network = false;        // the URL may lead to a private address
    /// Put before every sub. With several issuers they must differ: two issuers may give the same
    /// sub to two people, and everything a caller owns here hangs on the subject.
    std::string subject_prefix = {};

    friend bool operator==(const Issuer&, const Issuer&) = default;
};

/// The first rule whose claims all match maps the caller; "*" stands for any value.
struct IdentityRule {
    std::string issuer; // "" = the only one
    /// name -> value, or one element of an array claim. A name that is not there is a path, its
    /// parts divided by dots: "realm_access.roles".
    std::map<std::string, std::string> claims;
    std::string database_role;         // SET LOCAL ROLE on targets
    std::vector<std::string> toolsets; // empty = all
};

struct AuthorizationOptions {
    std::string resource; // canonical URI of this server, the audience: "https://host/mcp"
    std::vector<Issuer> issuers;
    std::vector<IdentityRule> rules;
    std::chrono::seconds clock_skew{30};
};

/// What issuers may sign with here.
const std::vector<std::string>& signature_algorithms();

/// Domains of tools: each is a toolset and has a scope.
const std::vector<std::string>& tool_domains();

/// Whether `jwks` is to be fetched; else it is a file.
bool is_key_url(const std::string& jwks);

/// Reads the `authorization` mapping; problems are collected in the decoder.
AuthorizationOptions read_authorization_options(base::Decoder& decoder);

/// The rules that options made in other ways than by the decoder must keep, too.
base::Status check_authorization_options(const AuthorizationOptions& options);

} // namespace interlock::server
