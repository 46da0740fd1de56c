#include "telemetry/redaction_rules.hpp"

#include "telemetry/sql_literal.hpp"

#include <algorithm>
#include <array>

namespace interlock::telemetry {
namespace {

using Found = std::optional<Match>;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return lower(c) >= 'a' && lower(c) <= 'z';
}
bool is_alnum(char c) {
    return is_digit(c) || is_letter(c);
}
bool is_hex(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
bool is_token(char c) { // base64url
    return is_alnum(c) || c == '-' || c == '_';
}
bool is_quote(char c) {
    return c == '\'' || c == '"' || c == '`';
}

char before(const Reading& in, std::size_t at) {
    return at == 0 ? '\0' : in.text[at - 1];
}

template <class Predicate>
std::size_t skip(Reading& in, std::size_t at, Predicate wanted) {
    std::size_t end = at;
    while (end < in.text.size() && wanted(in.text[end])) {
        ++end;
    }
    in.work += end - at;
    return end;
}

bool word_at(const Reading& in, std::size_t at, std::string_view word) {
    if (in.text.size() < at + word.size()) {
        return false;
    }
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (lower(in.text[at + i]) != word[i]) {
            return false;
        }
    }
    return !is_word_character(in.at(at + word.size()));
}

std::size_t skip_gap(Reading& in, std::size_t at, bool& unclear) {
    const std::size_t end = skip_blanks(in.text, at, unclear);
    in.work += end - at + (unclear ? comment_bytes_max : 0);
    return end;
}

/// Values that hide nothing: placeholders, NULL, and what somebody has starred out.
bool hides_nothing(std::string_view value) {
    constexpr std::array<std::string_view, 8> words{
        "?", "%s", "null", "none", "true", "false", "default", "<unset>"};
    const auto same = [&](std::string_view word) {
        return std::equal(word.begin(), word.end(), value.begin(), value.end(), [](char a, char b) {
            return a == lower(b);
        });
    };
    if (value.empty() || std::any_of(words.begin(), words.end(), same)) {
        return true;
    }
    if (value.find_first_not_of("*") == std::string_view::npos) {
        return true;
    }
    const bool parameter = value.front() == '$' && value.size() > 1 &&
                           value.find_first_not_of("0123456789,;)", 1) == std::string_view::npos;
    return parameter;
}

/// The value itself, or nothing when it is a label already or hides nothing.
Found whole_value(Reading& in, std::size_t from, std::size_t to) {
    const std::string_view value = in.text.substr(from, to - from);
    const std::string_view label = label_at(in.text, from);
    if ((!label.empty() && label.size() == value.size()) || hides_nothing(value)) {
        return std::nullopt;
    }
    return Match{from, to};
}

/// "..." with backslashes; the quotes stay.
Found double_quoted(Reading& in, std::size_t at) {
    std::size_t i = at + 1;
    for (; i < in.text.size() && in.text[i] != '"'; ++i) {
        i += in.text[i] == '\\' ? 1U : 0U;
    }
    const std::size_t end = std::min(i, in.text.size());
    in.work += end - at;
    return whole_value(in, at + 1, end);
}

/// A value inside a quoted text: \"...\", \'...\' or ''...''; the quotes stay.
Found quoted_again(Reading& in, std::size_t at) {
    const std::string_view quotes = in.text.substr(at, 2);
    const std::size_t close = in.text.find(quotes, at + 2);
    const std::size_t end = std::min(close, in.text.size());
    in.work += end - at;
    return whole_value(in, at + 2, end);
}

Found bare_value(Reading& in, std::size_t at) {
    std::size_t i = at;
    while (i < in.text.size() && !is_blank(in.text[i]) && !is_quote(in.text[i])) {
        i += in.text[i] == '\\' && i + 1 < in.text.size() &&
                     static_cast<unsigned char>(in.text[i + 1]) < 0x80
                 ? 2U
                 : 1U;
    }
    const std::size_t end = std::min(i, in.text.size());
    in.work += end - at;
    return whole_value(in, at, end);
}

Found literal_value(Reading& in, std::size_t at, Backslash backslash) {
    const LiteralChain chain = read_literals(in.text, at, backslash);
    in.work += chain.read;
    return chain.pieces > 0 ? Found{Match{at, chain.end}} : std::nullopt;
}

bool begins_quoted_again(const Reading& in, std::size_t at) {
    const char first = in.at(at);
    const char second = in.at(at + 1);
    const bool backslashed = first == '\\' && (second == '"' || second == '\'');
    return backslashed || (first == '\'' && second == '\'' && !is_blank(in.at(at + 2)) &&
                           in.at(at + 2) != '\0' && in.at(at + 2) != ')');
}

/// Behind a sign: whatever stands there.
Found value_after_sign(Reading& in, std::size_t at) {
    if (in.bare_is_code) {
        return in.at(at) == '"' ? double_quoted(in, at) : std::nullopt;
    }
    if (begins_quoted_again(in, at)) {
        return quoted_again(in, at);
    }
    if (in.at(at) == '"') {
        return double_quoted(in, at);
    }
    if (auto literal = literal_value(in, at, Backslash::escapes)) {
        return literal;
    }
    return bare_value(in, at);
}

/// How many bytes of =, :, :=, => stand here; a cast is none.
std::size_t sign_length(const Reading& in, std::size_t at) {
    const char first = in.at(at);
    const char second = in.at(at + 1);
    if ((first == ':' && second == '=') || (first == '=' && second == '>')) {
        return 2;
    }
    return first == '=' || (first == ':' && second != ':') ? 1 : 0;
}

/// password=..., "password": "...", PASSWORD '...', password('...').
Found named_value(Reading& in, std::size_t at, std::size_t behind) {
    std::size_t i = skip(in, behind, is_digit); // password2
    if (is_word_character(in.at(i)) && !word_at(in, i, "_hash")) {
        return std::nullopt;
    }
    i += word_at(in, i, "_hash") ? 5U : 0U;
    if (in.at(i) == '\\' && is_quote(in.at(i + 1))) {
        i += 2;
    } else if (is_quote(in.at(i)) && is_quote(before(in, at))) {
        ++i; // the key itself is quoted
    }
    bool unclear = false;
    std::size_t value = skip_gap(in, i, unclear);
    const std::size_t sign = sign_length(in, value);
    if (unclear && !in.bare_is_code) {
        return Match{value, in.text.size()};
    }
    if (sign > 0) {
        value = skip_gap(in, value + sign, unclear);
        return unclear && !in.bare_is_code ? Found{Match{value, in.text.size()}}
                                           : value_after_sign(in, value);
    }
    if (in.bare_is_code) {
        return std::nullopt;
    }
    if (in.at(value) == '(') {
        value = skip_gap(in, value + 1, unclear);
    }
    return begins_quoted_again(in, value) ? quoted_again(in, value)
                                          : literal_value(in, value, Backslash::escapes);
}

/// pwd is a directory, too.
Found short_named_value(Reading& in, std::size_t at, std::size_t behind) {
    const auto found = named_value(in, at, behind);
    return found && in.at(found->from) != '/' && !is_word_character(before(in, at)) ? found
                                                                                    : std::nullopt;
}

bool is_inline_blank(char c) {
    return c == ' ' || c == '\t';
}

/// Where the line ends that is here; a header goes on in the next when that begins with a blank.
std::size_t end_of_header(Reading& in, std::size_t at) {
    std::size_t end = at;
    while (end < in.text.size() &&
           ((in.text[end] != '\n' && in.text[end] != '\r') || is_inline_blank(in.at(end + 1)))) {
        ++end;
    }
    in.work += end - at;
    return end;
}

/// Where a header ends that somebody has put in quotes: -H 'Authorization: Token abc'. npos when
/// its name does not begin behind a quote.
std::size_t end_of_quoted_header(Reading& in, std::size_t at, std::size_t value) {
    constexpr std::size_t name_max = 32; // Proxy-Authorization and its like
    std::size_t begin = at;
    while (begin > 0 && at - begin < name_max && is_token(in.text[begin - 1])) {
        --begin;
    }
    const char quote = before(in, begin);
    if (!is_quote(quote)) {
        return std::string_view::npos;
    }
    const std::size_t close = std::min(in.text.find(quote, value), in.text.size());
    in.work += close - value;
    const bool escaped = begin > 1 && in.text[begin - 2] == '\\' && close > value;
    return escaped && in.text[close - 1] == '\\' ? close - 1 : close;
}

/// Behind a scheme that is known to be one, whose name tells nothing; `at` when there is none.
std::size_t skip_scheme(Reading& in, std::size_t at, bool& one_word) {
    struct Scheme {
        std::string_view name;
        bool one_word; // a token follows, and no list of parameters
    };
    constexpr std::array schemes{
        Scheme{"bearer", true},
        Scheme{"basic", true},
        Scheme{"negotiate", true},
        Scheme{"ntlm", true},
        Scheme{"dpop", true},
        Scheme{"digest", false},
        Scheme{"aws4-hmac-sha256", false}};
    for (const Scheme& scheme : schemes) {
        if (word_at(in, at, scheme.name) && is_inline_blank(in.at(at + scheme.name.size()))) {
            one_word = scheme.one_word;
            return skip(in, at + scheme.name.size(), is_inline_blank);
        }
    }
    return at;
}

/// Authorization: Basic abc=. Of a scheme that is not known, nobody can say which of its words is
/// the secret: all go, up to the end of the value.
Found authorization(Reading& in, std::size_t at, std::size_t behind) {
    std::size_t value = behind;
    const bool escaped = in.at(value) == '\\' && is_quote(in.at(value + 1));
    const bool quoted_name = escaped || (is_quote(in.at(value)) && is_quote(before(in, at)));
    value += escaped ? 2U : quoted_name ? 1U : 0U;
    value = skip(in, value, is_blank);
    const bool listed = quoted_name && in.at(value) == ','; // ["Authorization", "Token abc"]
    const std::size_t sign = listed ? 1 : sign_length(in, value);
    if (sign == 0) {
        return std::nullopt;
    }
    value = skip(in, value + sign, is_blank);
    if (listed && !is_quote(in.at(value)) && in.at(value) != '\\') {
        return std::nullopt;
    }
    bool one_word = false;
    const bool again = begins_quoted_again(in, value);
    if (again || in.at(value) == '"') {
        auto inside = again ? quoted_again(in, value) : double_quoted(in, value);
        const std::size_t from = inside ? skip_scheme(in, inside->from, one_word) : 0;
        return inside && from < inside->to ? whole_value(in, from, inside->to) : inside;
    }
    if (quoted_name) {
        return value_after_sign(in, value); // one literal, or a word that is none
    }
    if (auto literal = literal_value(in, value, Backslash::escapes)) {
        return literal;
    }
    std::size_t end = end_of_quoted_header(in, at, value);
    end = end == std::string_view::npos ? end_of_header(in, value) : end;
    const std::size_t from = skip_scheme(in, value, one_word);
    if (one_word && from < end) {
        auto word = value_after_sign(in, from);
        if (word && word->to > end) {
            word->to = end;
        }
        return word;
    }
    while (end > from && is_blank(in.text[end - 1])) {
        --end;
    }
    return whole_value(in, from, std::max(from, end));
}

Found bearer(Reading& in, std::size_t at, std::size_t behind) {
    constexpr std::size_t shortest = 16;
    if (is_word_character(before(in, at)) || !is_blank(in.at(behind))) {
        return std::nullopt;
    }
    const std::size_t from = skip(in, behind, is_blank);
    const std::size_t to = skip(in, from, [](char c) {
        return is_token(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
    });
    const std::string_view token = in.text.substr(from, to - from);
    const bool digits = std::any_of(token.begin(), token.end(), is_digit);
    return token.size() >= shortest && digits ? Found{Match{from, to}} : std::nullopt;
}

/// IDENTIFIED BY '...'; a bare word only where a user is being made.
Found identified_by(Reading& in, std::size_t at, std::size_t behind) {
    constexpr std::size_t look_back = 80;
    bool unclear = false;
    std::size_t i = skip_gap(in, behind, unclear);
    if (!word_at(in, i, "by")) {
        return std::nullopt;
    }
    i = skip_gap(in, i + 2, unclear);
    for (const std::string_view word : {"password", "values"}) {
        if (word_at(in, i, word)) {
            i = skip_gap(in, i + word.size(), unclear);
        }
    }
    if (unclear) {
        return Match{i, in.text.size()};
    }
    if (in.at(i) == '"') {
        return double_quoted(in, i);
    }
    if (auto literal = literal_value(in, i, Backslash::escapes)) {
        return literal;
    }
    const std::size_t from = at > look_back ? at - look_back : 0;
    in.work += at - from;
    for (std::size_t w = from; w < at; ++w) {
        if ((w == 0 || !is_word_character(in.text[w - 1])) &&
            (word_at(in, w, "user") || word_at(in, w, "role"))) {
            return bare_value(in, i);
        }
    }
    return std::nullopt;
}

/// CREATE SUBSCRIPTION ... CONNECTION '...'
Found connection_text(Reading& in, std::size_t, std::size_t behind) {
    bool unclear = false;
    const std::size_t i = skip_gap(in, behind, unclear);
    const auto literal = literal_value(in, i, Backslash::escapes);
    if (!literal) {
        return std::nullopt;
    }
    const std::string_view shown = in.text.substr(literal->from, literal->to - literal->from);
    const bool telling = shown.find('=') != std::string_view::npos ||
                         shown.find("://") != std::string_view::npos ||
                         shown.find('\\') != std::string_view::npos;
    return telling ? literal : std::nullopt;
}

/// COPY ... CREDENTIALS [AS] ['('] '...'
Found credentials(Reading& in, std::size_t at, std::size_t behind) {
    bool unclear = false;
    std::size_t i = skip_gap(in, behind, unclear);
    if (word_at(in, i, "as")) {
        i = skip_gap(in, i + 2, unclear);
    }
    if (sign_length(in, i) > 0) {
        return named_value(in, at, behind);
    }
    return literal_value(in, i, Backslash::escapes);
}

/// crypt('...', ...), pgp_sym_encrypt(...), dblink(...): what is in the argument list.
Found key_function(Reading& in, std::size_t, std::size_t behind) {
    const std::size_t word = skip(in, behind, is_word_character);
    if (word > behind && in.text[behind] != '_' && in.text[behind - 1] != '_') {
        return std::nullopt; // dblink_exec( and pgp_sym_encrypt(, but not encryption(
    }
    bool unclear = false;
    const std::size_t i = skip_gap(in, word, unclear);
    return in.at(i) == '(' ? Found{Match{i + 1, i + 1, true}} : std::nullopt;
}

/// scheme://user:password@host: the password.
Found uri_password(Reading& in, std::size_t at, std::size_t behind) {
    if (!is_alnum(before(in, at))) {
        return std::nullopt;
    }
    const auto inside = [](char c) { return !is_blank(c) && !is_quote(c) && c != '<' && c != '>'; };
    const std::size_t end = skip(in, behind, inside);
    const std::string_view rest = in.text.substr(behind, end - behind);
    const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos || colon > path) {
        return std::nullopt;
    }
    const std::size_t last = rest.rfind('@'); // a password may hold @ and / as they are
    if (rest.substr(0, path).find('@') == std::string_view::npos) {
        const std::string_view port = rest.substr(colon + 1);
        const bool is_port = port.empty() || is_digit(port.front());
        const bool cut = last == std::string_view::npos && end == in.text.size();
        const bool only_ports =
            port.find_first_not_of("0123456789,;.)]:") == std::string_view::npos;
        if ((is_port && path != rest.size()) || (last == std::string_view::npos && !cut) ||
            (cut && (only_ports || path != rest.size() || rest.front() == '['))) {
            return std::nullopt;
        }
    }
    const std::size_t to = last == std::string_view::npos ? rest.size() : last;
    return colon < to ? whole_value(in, behind + colon + 1, behind + to) : std::nullopt;
}

Found scram(Reading& in, std::size_t at, std::size_t behind) {
    if (!is_digit(in.at(behind))) {
        return std::nullopt;
    }
    return Match{at, skip(in, behind, [](char c) {
                     return is_alnum(c) || c == '+' || c == '/' || c == '=' || c == ':' || c == '$';
                 })};
}

Found md5_password(Reading& in, std::size_t at, std::size_t behind) {
    const std::size_t end = skip(in, behind, is_hex);
    return end - behind == 32 && !is_alnum(in.at(end)) && !is_alnum(before(in, at))
               ? Found{Match{at, end}}
               : std::nullopt;
}

/// AKIA and ASIA key ids; sixteen letters and digits behind.
Found aws_key(Reading& in, std::size_t at, std::size_t behind) {
    const std::size_t end = skip(in, behind, is_alnum);
    if (end - behind != 16 || is_alnum(before(in, at)) ||
        (lower(in.text[at + 1]) == 's' && in.text[at] != 'A')) {
        return std::nullopt;
    }
    return Match{at, end};
}

/// Tokens that a service marks with a prefix. A name of words with hyphens is none: somewhere a
/// run of letters and digits must look drawn by lot.
Found prefixed_token(Reading& in, std::size_t at, std::size_t behind) {
    constexpr std::size_t run_min = 8;
    constexpr std::size_t long_run = 20;
    constexpr std::size_t token_min = 10;
    if (is_alnum(before(in, at))) {
        return std::nullopt;
    }
    const std::size_t end = skip(in, behind, is_token);
    if (end - behind < token_min) {
        return std::nullopt;
    }
    std::size_t digits = 0;
    std::size_t letters = 0;
    for (std::size_t i = behind; i < end; ++i) {
        const char c = in.text[i];
        digits = is_alnum(c) ? digits + (is_digit(c) ? 1U : 0U) : 0;
        letters = is_alnum(c) ? letters + (is_letter(c) ? 1U : 0U) : 0;
        const std::size_t run = digits + letters;
        if (run >= long_run || (run >= run_min && digits > 0 && letters > 0)) {
            return Match{at, end};
        }
    }
    return std::nullopt;
}

/// xoxb-2411-2411-AbC: short runs, but digits at once.
Found slack_token(Reading& in, std::size_t at, std::size_t behind) {
    const std::size_t end = skip(in, behind, is_token);
    return end - behind >= 10 && !is_alnum(before(in, at)) &&
                   std::any_of(
                       in.text.begin() + static_cast<std::ptrdiff_t>(behind),
                       in.text.begin() + static_cast<std::ptrdiff_t>(end),
                       is_digit
                   )
               ? Found{Match{at, end}}
               : std::nullopt;
}

/// Header and payload are enough: the text may be cut before the signature.
Found jwt(Reading& in, std::size_t at, std::size_t behind) {
    constexpr std::size_t segment_min = 10;
    if (is_alnum(before(in, at))) {
        return std::nullopt;
    }
    const std::size_t head = skip(in, behind, is_token);
    if (head - at < segment_min || in.at(head) != '.') {
        return std::nullopt;
    }
    const std::size_t payload = skip(in, head + 1, is_token);
    const bool object = lower(in.at(head + 1)) == 'e' && lower(in.at(head + 2)) == 'y';
    if (in.at(payload) != '.') {
        return object ? Found{Match{at, payload}} : std::nullopt;
    }
    if (payload - head - 1 < segment_min && !object) {
        return std::nullopt;
    }
    std::size_t end = payload; // JWE has five segments
    while (in.at(end) == '.' && end < in.text.size()) {
        const std::size_t next = skip(in, end + 1, is_token);
        if (next == end + 1 && in.at(next) != '.') {
            break;
        }
        end = next;
    }
    return Match{at, end};
}

/// From BEGIN to the end mark, or to the end of a text that was cut.
Found pem(Reading& in, std::size_t at, std::size_t behind) {
    const std::size_t dashes = in.text.find("-----", behind);
    if (dashes == std::string_view::npos) {
        return Match{at, in.text.size()};
    }
    std::size_t end = dashes + 5;
    for (;;) {
        end = in.text.find("-----", end);
        if (end == std::string_view::npos) {
            in.work += in.text.size() - at;
            return Match{at, in.text.size()};
        }
        const bool closes = word_at(in, end + 5, "end");
        end += 5;
        if (closes) {
            const std::size_t last = in.text.find("-----", end);
            const std::size_t to = last == std::string_view::npos ? in.text.size() : last + 5;
            in.work += to - at;
            return Match{at, to};
        }
    }
}

bool passes_luhn(std::string_view digits) {
    int sum = 0;
    bool twice = false;
    for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
        const int digit = digits[i] - '0';
        sum += twice ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
    }
    return sum % 10 == 0;
}

/// Number ranges and lengths that payment cards have; they keep times, queryids and system
/// identifiers from being taken for one.
bool is_card_range(std::string_view digits) {
    const auto number = [&](std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            value = value * 10 + (digits[i] - '0');
        }
        return value;
    };
    const std::size_t size = digits.size();
    const int two = number(2);
    const int four = number(4);
    switch (digits[0]) {
    case '2':
        return size == 16 && ((four >= 2200 && four <= 2204) || (four >= 2221 && four <= 2720));
    case '3':
        return two == 34 || two == 37 ? size == 15
               : two == 35            ? size >= 16
                           : (two == 30 || two == 36 || two == 38 || two == 39) && size >= 14;
    case '4':
        return size == 13 || size == 16 || size == 19;
    case '5':
        return two >= 51 && two <= 55 ? size == 16 : two == 50 || two >= 56;
    case '6':
        return true;
    default:
        return false;
    }
}

/// 13 to 19 digits in one run, or in the groups printed on cards, with a valid check digit.
Found card(Reading& in, std::size_t at, std::size_t) {
    constexpr std::size_t digits_min = 13;
    constexpr std::size_t digits_max = 19;
    const char left = before(in, at);
    if (is_alnum(left) || ((left == '-' || left == '.') && at > 1 && is_digit(in.text[at - 2]))) {
        return std::nullopt;
    }
    std::string_view::size_type i = at;
    char digits[digits_max + 1]{};
    std::size_t count = 0;
    std::array<std::size_t, 6> groups{};
    std::size_t group = 0;
    char separator = '\0';
    for (; count <= digits_max; ++i) {
        const char c = in.at(i);
        if (is_digit(c)) {
            if (count == digits_max) {
                return std::nullopt;
            }
            digits[count++] = c;
            ++groups[group];
            continue;
        }
        const bool separates = (c == ' ' || c == '-') && (separator == '\0' || separator == c) &&
                               is_digit(in.at(i + 1)) && groups[group] >= 4 &&
                               group + 1 < groups.size() && count < digits_min;
        if (!separates && !((c == ' ' || c == '-') && separator == c && count == 16 &&
                            is_digit(in.at(i + 1)) && group == 3)) {
            break;
        }
        separator = c;
        ++group;
    }
    in.work += i - at;
    const std::string_view number{digits, count};
    if (count < digits_min || is_alnum(in.at(i)) || !is_card_range(number) ||
        !passes_luhn(number)) {
        return std::nullopt;
    }
    using Groups = std::array<std::size_t, 6>;
    const bool printed = group == 0 || groups == Groups{4, 4, 4, 4} ||
                         groups == Groups{4, 4, 4, 4, 3} || groups == Groups{4, 6, 5} ||
                         groups == Groups{4, 6, 4};
    return printed ? Found{Match{at, i}} : std::nullopt;
}

/// local@domain.tld; systemd's name@instance.service is none.
Found email(Reading& in, std::size_t at, std::size_t behind) {
    constexpr std::size_t local_max = 64;
    constexpr std::size_t domain_max = 253;
    const auto local = [](char c) {
        return is_alnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-' ||
               static_cast<unsigned char>(c) >= 0x80;
    };
    std::size_t from = at;
    while (from > 0 && at - from < local_max && local(in.text[from - 1])) {
        --from;
    }
    // Never begin inside a character.
    while (from < at && (static_cast<unsigned char>(in.text[from]) & 0xC0U) == 0x80U) {
        ++from;
    }
    std::size_t to = behind;
    std::size_t label = behind; // the last part of the domain
    while (to < in.text.size() && to - behind < domain_max) {
        const char c = in.text[to];
        if (c == '.' && is_alnum(in.at(to + 1)) && to > label) {
            label = to + 1;
        } else if (!is_alnum(c) && !(c == '-' && to > label)) {
            break;
        }
        ++to;
    }
    in.work += to - from;
    const std::string_view last = in.text.substr(label, to - label);
    const bool letters = std::all_of(last.begin(), last.end(), is_letter);
    if (from == at || label == behind || last.size() < 2 || !letters) {
        return std::nullopt;
    }
    for (const std::string_view unit : {"service", "socket", "timer", "target", "slice", "scope"}) {
        if (word_at(in, label, unit)) {
            return std::nullopt;
        }
    }
    return Match{from, to};
}

/// A literal with escapes, or in pieces, whose value holds a secret.
Found hidden_in_literal(Reading& in, std::size_t at, std::size_t) {
    if (in.nested || (in.text[at] != '\'' && is_word_character(before(in, at)))) {
        return std::nullopt;
    }
    const LiteralChain chain = read_literals(in.text, at, Backslash::plain);
    in.work += chain.read;
    if (chain.pieces < 2 && !chain.escaped) {
        const bool other_escape = word_at(in, skip(in, chain.end, is_blank), "uescape");
        return other_escape && chain.pieces > 0 ? Found{Match{at, chain.end}} : std::nullopt;
    }
    std::string decoded;
    read_literals(in.text, at, Backslash::plain, &decoded);
    in.work += 4 * decoded.size();
    return holds_secret(decoded) ? Found{Match{at, chain.end}} : std::nullopt;
}

Found ipv4(Reading& in, std::size_t at, std::size_t) {
    if (is_word_character(before(in, at)) || before(in, at) == '.') {
        return std::nullopt;
    }
    std::size_t i = at;
    for (int part = 0; part < 4; ++part) {
        int value = 0;
        std::size_t digits = 0;
        for (; digits < 3 && is_digit(in.at(i)); ++i, ++digits) {
            value = value * 10 + (in.text[i] - '0');
        }
        if (digits == 0 || value > 255 || (part < 3 && in.at(i) != '.')) {
            return std::nullopt;
        }
        i += part < 3 ? 1U : 0U;
    }
    const bool ends = !is_word_character(in.at(i)) && !(in.at(i) == '.' && is_digit(in.at(i + 1)));
    return ends ? Found{Match{at, i}} : std::nullopt;
}

} // namespace

const std::vector<RedactionRule>& redaction_rules() {
    static const std::vector<std::string_view> digits{
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    static const std::vector<RedactionRule> rules{
        {.name = "password",
         .label = "[redacted:password]",
         .triggers = {"password", "passwd", "passphrase"}, // PGPASSWORD= ends so, too
         .find = named_value},
        {.name = "pwd", .label = "[redacted:pwd]", .triggers = {"pwd"}, .find = short_named_value},
        {.name = "identified-by",
         .label = "[redacted:identified-by]",
         .triggers = {"identified"},
         .find = identified_by,
         .in_sql = false},
        {.name = "connection",
         .label = "[redacted:connection]",
         .triggers = {"connection"},
         .find = connection_text,
         .in_sql = false},
        {.name = "credentials",
         .label = "[redacted:credentials]",
         .triggers = {"credentials"},
         .find = credentials,
         .in_sql = false},
        {.name = "key",
         .label = "[redacted:key]",
         .triggers =
             {"secret_access_key",
              "secretaccesskey",
              "secret_key",
              "client_secret",
              "access_token",
              "auth_token",
              "refresh_token",
              "api_key",
              "apikey",
              "api-key"},
         .find = named_value},
        {.name = "authorization",
         .label = "[redacted:authorization]",
         .triggers = {"authorization"},
         .find = authorization,
         .in_sql = false},
        {.name = "bearer",
         .label = "[redacted:bearer]",
         .triggers = {"bearer"},
         .find = bearer,
         .in_sql = false},
        {.name = "function-secret",
         .label = "[redacted:function-secret]",
         .triggers = {"crypt", "encrypt", "decrypt", "pgp_sym_", "pgp_pub_", "hmac", "dblink"},
         .find = key_function,
         .in_sql = false},
        {.name = "uri-password",
         .label = "[redacted:uri-password]",
         .triggers = {"://"},
         .find = uri_password},
        {.name = "scram",
         .label = "[redacted:scram]",
         .triggers = {"scram-sha-256$"},
         .find = scram},
        {.name = "md5-password",
         .label = "[redacted:md5-password]",
         .triggers = {"md5"},
         .find = md5_password},
        {.name = "aws-key",
         .label = "[redacted:aws-key]",
         .triggers = {"akia", "asia"},
         .find = aws_key},
        {.name = "token",
         .label = "[redacted:token]",
         .triggers =
             {"sk-",
              "sk_live_",
              "sk_test_",
              "rk_live_",
              "ghp_",
              "gho_",
              "ghu_",
              "ghs_",
              "ghr_",
              "github_pat_",
              "glpat-",
              "npm_",
              "hvs.",
              "aiza"},
         .find = prefixed_token},
        {.name = "slack-token",
         .label = "[redacted:slack-token]",
         .triggers = {"xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xoxe-"},
         .find = slack_token},
        {.name = "jwt", .label = "[redacted:jwt]", .triggers = {"eyj"}, .find = jwt},
        {.name = "pem", .label = "[redacted:pem]", .triggers = {"-----begin"}, .find = pem},
        {.name = "card", .label = "[redacted:card]", .triggers = digits, .find = card},
        {.name = "e-mail", .label = "[redacted:e-mail]", .triggers = {"@", "%40"}, .find = email},
        {.name = "literal",
         .label = "[redacted:literal]",
         .triggers = {"'", "e'", "u&'", "u&\"", "n'"},
         .find = hidden_in_literal},
        {.name = "ipv4",
         .label = "[redacted:ipv4]",
         .triggers = digits,
         .find = ipv4,
         .optional = true},
    };
    return rules;
}

std::string_view label_at(std::string_view text, std::size_t at) {
    constexpr std::string_view opening = "[redacted:";
    if (text.substr(std::min(at, text.size()), opening.size()) != opening) {
        return {};
    }
    const std::string_view here = text.substr(at);
    for (const RedactionRule& rule : redaction_rules()) {
        if (here.starts_with(rule.label)) {
            return rule.label;
        }
    }
    constexpr std::string_view tangled = "[redacted:tangled]";
    return here.starts_with(tangled) ? tangled : std::string_view{};
}

} // namespace interlock::telemetry
