// The desk's bearer token: whoever holds the file may read the queue. Fails closed: no token, no
// desk.
#pragma once

#include "base/http_server.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <string>

namespace interlock::desk {

/// The first line of a file that holds a secret. permission_denied when others than its owner may
/// read it, invalid_input when there is nothing in it.
base::Result<std::string> read_private_line(const std::string& path);

/// Reads the token file, or makes it (0600) with a random token when it is absent.
/// permission_denied when others may read it, invalid_input when it is too short to be a secret.
base::Result<std::string> load_or_create_token(const std::string& path, base::Random& random);

/// Whether the request carries the token: `Authorization: Bearer`, or Basic with the token as the
/// password and any name, so that a browser can ask for it. Constant time; exactly one header.
bool carries_token(const base::HttpRequest& request, const std::string& token);

} // namespace interlock::desk
