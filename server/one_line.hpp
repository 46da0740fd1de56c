// One JSON text as one line, for transports whose messages end at a line's end.
#pragma once

#include <string>
#include <string_view>

namespace interlock::server {

/// The same JSON value without any character that some reader takes for the end of a line: CR and
/// LF (white space between tokens) become spaces; U+0085, U+2028 and U+2029, which line readers of
/// several languages split at, become \u escapes (valid JSON has them inside strings only).
std::string one_line(std::string_view json);

} // namespace interlock::server
