// Strict JSON. Reading refuses what two parsers could read differently: duplicate keys, invalid
// UTF-8, lone surrogates, numbers beyond a double, more depth than the limit. Include
// <nlohmann/json.hpp> only in .cpp files; headers use this one.
#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace interlock::base {

/// Objects keep their keys sorted, so the same value always renders to the same bytes.
using Json = nlohmann::json;

/// Parses one JSON text. invalid_input names the position; limit_exceeded names the limit. A text
/// may hold one value for every limits::json_bytes_per_value of `bytes_max`.
Result<Json> parse_json(
    std::string_view text,
    std::size_t bytes_max = limits::json_bytes_max,
    int depth_max = limits::json_depth_max
);
/// The most memory that the tree of a text so long can take, when it was parsed with the defaults.
std::size_t json_tree_bytes(std::size_t text_bytes);
/// Compact text; strings that are not UTF-8 have their bad bytes replaced.
std::string render_json(const Json& value);
/// Indented by two, for people.
std::string render_json_pretty(const Json& value);

// Member access without exceptions. Absent or of another type: nullptr / nullopt.
const Json* member(const Json& object, std::string_view key);
std::optional<std::string> string_member(const Json& object, std::string_view key);
std::optional<long long> integer_member(const Json& object, std::string_view key);
std::optional<bool> boolean_member(const Json& object, std::string_view key);

} // namespace interlock::base
