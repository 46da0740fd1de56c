// Strict YAML for configuration and runbooks. Anchors, aliases, tags, merge keys, duplicate keys
// and second documents are refused; every scalar comes back as a JSON string, so that `no` stays
// "no" and the reader decides types by name (decode.hpp). An empty value, ~ and null are JSON null.
#pragma once

#include "base/json.hpp"

#include <string_view>

namespace interlock::base {

Result<Json> parse_yaml(std::string_view text);

} // namespace interlock::base
