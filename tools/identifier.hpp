// Names as SQL writes them, in both directions: a name that came from the database becomes text
// that stands for it and nothing else, in ASCII where it holds what a reader is not shown; such
// text, or what people type instead, becomes the name again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace interlock::tools {

/// A name that a reader sees as it is, quoted as `quoted` says; any other as U&"..." with escapes.
std::string sql_identifier(const std::string& name, const std::string& quoted);

/// `name` or `schema.name`, as they stand in the catalog.
struct NamedRelation {
    std::string schema; // "" = not given
    std::string name;
};
/// Reads identifiers as PostgreSQL does: without quotes folded to lower case, cut to 63 bytes.
/// None: not of that form (unbalanced quotes, more than two parts, an escape of no character).
std::optional<NamedRelation> read_relation_name(std::string_view text);

} // namespace interlock::tools
