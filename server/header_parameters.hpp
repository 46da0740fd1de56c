// x-mcp-header: tool arguments that are mirrored in HTTP headers so that proxies can route by them.
// A body and a header that disagree would let one party see another call than the one that runs.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "server/era.hpp"
#include "server/offer.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace interlock::server {

/// The annotations of an input schema. invalid_input when one is not a unique RFC 9110 token, not
/// on a string, integer or boolean, or not reachable from the root by `properties` alone.
base::Result<std::vector<HeaderParameter>> read_header_parameters(const base::Json& schema);

/// Why headers and arguments disagree (-32020); nullopt when they agree. `headers`: all Mcp-Param-*
/// headers, names in lower case.
std::optional<RpcError> check_header_parameters(
    const std::vector<HeaderParameter>& parameters,
    const base::Json& arguments,
    const std::vector<std::pair<std::string, std::string>>& headers
);

} // namespace interlock::server
