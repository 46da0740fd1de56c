// base64url without padding (RFC 4648 section 5), as JOSE writes it.
#pragma once

#include "base/digest.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace interlock::server {

/// Strict: no padding, no other alphabet, no stray bits, so that one value has one spelling.
inline base::Result<std::string> from_base64url(std::string_view text) {
    const base::Error malformed{base::Errc::invalid_input, "This is not base64url.", ""};
    if (text.find_first_of("+/=") != std::string_view::npos || text.size() % 4 == 1) {
        return malformed;
    }
    std::string standard(text);
    std::replace(standard.begin(), standard.end(), '-', '+');
    std::replace(standard.begin(), standard.end(), '_', '/');
    standard.append((4 - standard.size() % 4) % 4, '=');
    auto bytes = base::from_base64(standard);
    if (!bytes || base::base64(*bytes) != standard) {
        return malformed;
    }
    return bytes;
}

} // namespace interlock::server
