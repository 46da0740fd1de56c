// What a schema must be so that every client can use it: an object at its root, in the one dialect
// that MCP takes for granted, complete in itself. Checked when an offer is compiled, never in a
// request.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <string_view>

namespace interlock::server {

/// The schema, parsed. invalid_input when it is no JSON object schema of JSON Schema 2020-12, or a
/// reference in it leads out of it or nowhere.
base::Result<base::Json> read_offered_schema(std::string_view text);

} // namespace interlock::server
