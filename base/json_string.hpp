// One JSON string, written without a tree: most of what a server says is long text with little in
// it to escape.
#pragma once

#include <string>
#include <string_view>

namespace interlock::base {

/// Appends `text` in quotes, as render_json (base/json.hpp) would write it, bad bytes replaced.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

} // namespace interlock::base
