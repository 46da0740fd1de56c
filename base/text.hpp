// Text safety. Everything from a database, a log, a model or a chat is hostile: these functions
// make it harmless to a terminal, a page, a log line and a model, and cut it on character
// boundaries.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::base {

bool is_utf8(std::string_view text);
/// Number of code points of valid UTF-8; bytes that are not count one each.
std::size_t count_characters(std::string_view text);

/// Removes what can deceive a reader: C0 and C1 controls (newline and tab become a space unless
/// `keep_newlines`), ANSI/OSC sequences, bidi controls, zero-width and tag characters, variation
/// selectors, invalid UTF-8 (U+FFFD). The result is valid UTF-8.
std::string sanitize(std::string_view hostile, bool keep_newlines = false);

/// Shows every non-ASCII and control character as \u{hex}: what an approver sees of a plan.
/// Newlines and tabs stay.
std::string escape_non_ascii(std::string_view text);

/// At most `characters_max` characters: head and tail kept, the middle replaced by
/// "[... N characters left out ...]". Never splits a character.
std::string cut_middle(std::string_view text, std::size_t characters_max);
/// Bytes of the well-formed character that `text` (not empty) begins with; 0 when it begins with
/// none.
std::size_t character_length(std::string_view text);
/// The longest prefix of at most `bytes_max` bytes that ends on a character boundary.
std::string_view cut_bytes(std::string_view text, std::size_t bytes_max);

/// & < > " ' as entities, for HTML text and attributes.
std::string escape_html(std::string_view text);

/// A token of RFC 9110, section 5.6.2: what names of header fields are made of.
bool is_token_character(char letter);
bool is_token(std::string_view text);

std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);

} // namespace interlock::base
