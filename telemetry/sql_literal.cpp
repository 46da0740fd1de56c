#include "telemetry/sql_literal.hpp"

#include <algorithm>
#include <cstdint>

namespace interlock::telemetry {
namespace {

enum class Form { none, plain, escape, unicode, dollar };

struct Opening {
    Form form = Form::none;
    std::size_t body = 0; // first byte of the content
    std::string_view close = {};
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char at_or_nul(std::string_view text, std::size_t at) {
    return at < text.size() ? text[at] : '\0';
}

/// $$ or $tag$; the tag is an identifier without a dollar.
Opening dollar_opening(std::string_view text, std::size_t at) {
    constexpr std::size_t tag_max = 63;
    std::size_t i = at + 1;
    while (i < text.size() && i - at <= tag_max && is_word_character(text[i])) {
        ++i;
    }
    const char first = at_or_nul(text, at + 1);
    if (at_or_nul(text, i) != '$' || (first >= '0' && first <= '9')) {
        return {};
    }
    return {Form::dollar, i + 1, text.substr(at, i + 1 - at)};
}

Opening opening_at(std::string_view text, std::size_t at) {
    const char first = lower(at_or_nul(text, at));
    const char second = at_or_nul(text, at + 1);
    if (first == '\'') {
        return {Form::plain, at + 1, "'"};
    }
    if (first == '$') {
        return dollar_opening(text, at);
    }
    if (second == '\'' && first == 'e') {
        return {Form::escape, at + 2, "'"};
    }
    if (second == '\'' && (first == 'n' || first == 'b' || first == 'x')) {
        return {Form::plain, at + 2, "'"};
    }
    const char third = at_or_nul(text, at + 2);
    if (first == 'u' && second == '&' && (third == '\'' || third == '"')) {
        return {Form::unicode, at + 3, third == '"' ? "\"" : "'"};
    }
    return {};
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xC0U | (code >> 6U));
        add(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        add(0xE0U | (code >> 12U));
        add(0x80U | ((code >> 6U) & 0x3FU));
        add(0x80U | (code & 0x3FU));
    } else {
        add(0xF0U | ((code >> 18U) & 7U));
        add(0x80U | ((code >> 12U) & 0x3FU));
        add(0x80U | ((code >> 6U) & 0x3FU));
        add(0x80U | (code & 0x3FU));
    }
}

/// Digits of `base` from `at`, at most `most`; how many there were.
std::size_t read_digits(
    std::string_view text, std::size_t at, std::size_t most, std::uint32_t base, std::uint32_t& code
) {
    std::size_t count = 0;
    code = 0;
    for (; count < most && at + count < text.size(); ++count) {
        const char c = lower(text[at + count]);
        const std::uint32_t digit = c >= '0' && c <= '9' ? static_cast<std::uint32_t>(c - '0')
                                    : c >= 'a' && c <= 'f'
                                        ? static_cast<std::uint32_t>(c - 'a') + 10
                                        : 99;
        if (digit >= base) {
            break;
        }
        code = code * base + digit;
    }
    return count;
}

/// One escape behind the backslash at `at`: \n, \x41, \101, A in E''; \0041, \+000041 in U&''.
/// Its length without the backslash.
std::size_t read_escape(std::string_view text, std::size_t at, Form form, std::string* decoded) {
    std::uint32_t code = 0;
    std::size_t used = 0;
    const char kind = at_or_nul(text, at + 1);
    if (form == Form::unicode) {
        used = kind == '+' ? 1 + read_digits(text, at + 2, 6, 16, code)
                           : read_digits(text, at + 1, 4, 16, code);
    } else if (lower(kind) == 'x') {
        used = 1 + read_digits(text, at + 2, 2, 16, code);
    } else if (kind == 'u' || kind == 'U') {
        used = 1 + read_digits(text, at + 2, kind == 'u' ? 4 : 8, 16, code);
    } else if (kind >= '0' && kind <= '7') {
        used = read_digits(text, at + 1, 3, 8, code);
    }
    if (used == 0 || (used == 1 && code == 0)) { // a letter that stands for itself or for a blank
        if (decoded != nullptr && kind != '\0') {
            *decoded += kind == 'n' || kind == 't' || kind == 'r' ? ' ' : kind;
        }
        return 1;
    }
    if (decoded != nullptr) {
        append_utf8(*decoded, code);
    }
    return used;
}

/// The rest of one literal; the position behind it.
std::size_t read_body(
    std::string_view text,
    const Opening& opening,
    Backslash backslash,
    std::string* decoded,
    bool& escaped
) {
    if (opening.form == Form::dollar) {
        const std::size_t close = text.find(opening.close, opening.body);
        const std::size_t end = std::min(close, text.size());
        if (decoded != nullptr) {
            *decoded += text.substr(opening.body, end - opening.body);
        }
        return close == std::string_view::npos ? text.size() : close + opening.close.size();
    }
    const char quote = opening.close.front();
    const bool escapes = opening.form != Form::plain || backslash == Backslash::escapes;
    for (std::size_t i = opening.body; i < text.size(); ++i) {
        if (text[i] == '\\' && escapes) {
            escaped = true;
            i += read_escape(text, i, opening.form, decoded);
            continue;
        }
        if (text[i] == quote) {
            if (at_or_nul(text, i + 1) != quote) {
                return i + 1;
            }
            ++i; // doubled: one quote of the content
        }
        if (decoded != nullptr) {
            *decoded += text[i];
        }
    }
    return text.size();
}

/// Behind blanks, comments and || between two pieces of one value.
std::size_t skip_join(std::string_view text, std::size_t at, bool& unclear) {
    std::size_t i = skip_blanks(text, at, unclear);
    if (at_or_nul(text, i) == '|' && at_or_nul(text, i + 1) == '|') {
        i = skip_blanks(text, i + 2, unclear);
    }
    return i;
}

} // namespace

bool is_word_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::size_t skip_blanks(std::string_view text, std::size_t at, bool& unclear) {
    std::size_t i = at;
    while (i < text.size()) {
        if (is_blank(text[i])) {
            ++i;
            continue;
        }
        const std::string_view ahead = text.substr(i, comment_bytes_max);
        const bool line = ahead.starts_with("--");
        if (!line && !ahead.starts_with("/*")) {
            break;
        }
        const std::size_t end = line ? ahead.find('\n') : ahead.find("*/", 2);
        if (end == std::string_view::npos) {
            unclear = true;
            break;
        }
        i += end + (line ? 1 : 2);
    }
    return i;
}

LiteralChain
read_literals(std::string_view text, std::size_t at, Backslash backslash, std::string* decoded) {
    LiteralChain chain{.end = at, .pieces = 0, .escaped = false, .read = 0};
    std::size_t next = at;
    for (;;) {
        const Opening opening = opening_at(text, next);
        if (opening.form == Form::none) {
            return chain;
        }
        chain.end = read_body(text, opening, backslash, decoded, chain.escaped);
        ++chain.pieces;
        bool unclear = false;
        next = skip_join(text, chain.end, unclear);
        chain.read = next - at + (unclear ? comment_bytes_max : 0);
        if (next == chain.end) {
            return chain; // nothing between: what follows is no piece of this value
        }
    }
}

} // namespace interlock::telemetry
