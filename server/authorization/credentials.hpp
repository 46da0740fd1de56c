// Where a bearer token may stand in a request: in one Authorization header, and nowhere else
// (RFC 6750).
#pragma once

#include "base/http_server.hpp"

#include <string>
#include <variant>

namespace interlock::server {

struct CredentialsMisuse {
    const char* why; // a sentence of ours for the client
};

/// The token, not yet looked at; "" when none came, or credentials of another scheme.
std::variant<std::string, CredentialsMisuse> read_credentials(const base::HttpRequest& request);

} // namespace interlock::server
