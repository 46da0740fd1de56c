// Absolute http and https URLs of a configuration, taken apart and compared.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::server {

struct Url {
    std::string scheme;    // "http" | "https", lower-case
    std::string authority; // host, or host:port unless usual, lower-case; IPv6 in brackets
    std::string path;      // from the first '/', as written; may be empty

    std::string origin() const { return scheme + "://" + authority; }
    std::string text() const { return origin() + path; }
    /// Whether the host is this machine: localhost or a loopback address.
    bool is_local() const;
};

/// invalid_input for anything but an http or https URL without user, query and fragment.
base::Result<Url> parse_url(std::string_view text);

/// Scheme and host in lower case, without the scheme's own port and a lone "/", the rest as it is:
/// two spellings of one resource are then equal.
std::string normal_resource(std::string_view text);

} // namespace interlock::server
