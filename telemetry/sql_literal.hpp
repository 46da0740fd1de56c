// SQL's ways to write text, read out of any text: a log line or a message may quote half a
// statement, so that there is nothing to parse. The lexer of base/db/sql_text.hpp is for whole
// statements.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::telemetry {

/// Literals standing one after another ('a' 'b', which SQL joins), with comments, blanks or ||
/// between them.
struct LiteralChain {
    std::size_t end = 0;    // one past the last; the text's size when it is not closed
    std::size_t pieces = 0; // 0: no literal begins here
    bool escaped = false;   // holds E'' or U&'' escapes
    std::size_t read = 0;   // bytes that were looked at
};

enum class Backslash { plain, escapes }; // what it means in '...': see standard_conforming_strings

/// '...', E'', U&'', U&"", N'', B'', X'' and $tag$...$tag$ at `at`. `decoded`, when given, gets
/// the value. One pass.
LiteralChain read_literals(
    std::string_view text, std::size_t at, Backslash backslash, std::string* decoded = nullptr
);

/// No further than this for the end of a comment.
inline constexpr std::size_t comment_bytes_max = 1'024;

/// Behind blanks and comments. `unclear`: a comment does not end, or not within comment_bytes_max,
/// or its end of line was made a space; the answer is where it begins, and what follows may be
/// comment or code.
std::size_t skip_blanks(std::string_view text, std::size_t at, bool& unclear);

bool is_word_character(char c); // letters, digits, _ and all beyond ASCII
bool is_blank(char c);

} // namespace interlock::telemetry
