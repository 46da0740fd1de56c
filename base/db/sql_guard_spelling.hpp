// Syntax that servers since 16 read and the parser here does not, written in words that both read
// alike. What comes out is judged and sent, so that a misunderstanding can change what a statement
// says and never what is allowed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::db {

/// 1_000 and 0xff as plain numbers, AT LOCAL as AT TIME ZONE, JSON_OBJECT(k: v) as
/// json_build_object(k, v). Nothing when there is none of them.
std::optional<std::string> older_spelling(std::string_view sql);

/// A name behind the bracket that opens at byte `at`: FROM (SELECT ...) has one on older servers.
std::optional<std::string> with_alias(std::string_view sql, std::size_t at, int number);

} // namespace interlock::db
