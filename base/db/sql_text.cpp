#include "base/db/sql_text.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>

#include <pg_query.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

constexpr std::string_view unreadable = "<unreadable statement>";
constexpr std::string_view masked_remark = "/* literals masked from $";

// Token numbers of libpg_query's pg_query.proto, which are those of PostgreSQL 15's grammar.
namespace token_number {
constexpr std::uint64_t uident = 259;
constexpr std::uint64_t fconst = 260;
constexpr std::uint64_t sconst = 261;
constexpr std::uint64_t usconst = 262;
constexpr std::uint64_t bconst = 263;
constexpr std::uint64_t xconst = 264;
constexpr std::uint64_t iconst = 266;
constexpr std::uint64_t param = 267;
constexpr std::uint64_t sql_comment = 275;
constexpr std::uint64_t c_comment = 276;
} // namespace token_number

struct Token {
    std::size_t start = 0;
    std::size_t end = 0; // one past the last byte
    std::uint64_t number = 0;
};

struct Scan {
    std::vector<Token> tokens;
    std::optional<std::size_t> stopped_at; // byte offset of a lexical error; then no tokens
};

/// The scanner answers in protobuf. Its two messages need varints and lengths only, so a reader of
/// forty lines stands here instead of a code generator.
class Protobuf {
public:
    explicit Protobuf(std::string_view bytes) : bytes_(bytes) {}

    /// Moves to the next field; false at the end or at bytes that make no sense.
    bool next() {
        if (at_ >= bytes_.size()) {
            return false;
        }
        const auto key = varint();
        field_ = key >> 3;
        if ((key & 7) == 0) {
            value_ = varint();
            return true;
        }
        if ((key & 7) != 2) {
            return false;
        }
        const auto length = varint();
        if (length > bytes_.size() - at_) {
            return false;
        }
        message_ = bytes_.substr(at_, length);
        at_ += length;
        return true;
    }
    std::uint64_t field() const { return field_; }
    std::uint64_t value() const { return value_; }
    std::string_view message() const { return message_; }

private:
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; at_ < bytes_.size() && shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(bytes_[at_++]);
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0) {
                break;
            }
        }
        return value;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::uint64_t field_ = 0;
    std::uint64_t value_ = 0;
    std::string_view message_;
};

std::vector<Token> read_tokens(std::string_view bytes) {
    std::vector<Token> tokens;
    Protobuf result{bytes};
    while (result.next()) {
        if (result.field() != 2) {
            continue;
        }
        Token token;
        Protobuf fields{result.message()};
        while (fields.next()) {
            switch (fields.field()) {
            case 1:
                token.start = fields.value();
                break;
            case 2:
                token.end = fields.value();
                break;
            case 4:
                token.number = fields.value();
                break;
            default:
                break;
            }
        }
        tokens.push_back(token);
    }
    return tokens;
}

/// The lexer reports positions in characters; this is the byte where character `index` begins.
std::size_t byte_offset(std::string_view sql, std::size_t index) {
    std::size_t at = 0;
    for (; index > 0 && at < sql.size(); --index) {
        const auto lead = static_cast<unsigned char>(sql[at]);
        at += lead >= 0xf0 ? 4U : lead >= 0xe0 ? 3U : lead >= 0xc0 ? 2U : 1U;
    }
    return std::min(at, sql.size());
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

Scan scan(const std::string& sql) {
    const auto result = pg_query_scan(sql.c_str());
    Scan found;
    if (result.error != nullptr) {
        const auto position = std::max(result.error->cursorpos, 1);
        found.stopped_at = byte_offset(sql, static_cast<std::size_t>(position - 1));
    } else {
        found.tokens = read_tokens({result.pbuf.data, result.pbuf.len});
    }
    pg_query_free_scan_result(result);
    for (std::size_t i = 0; i < found.tokens.size(); ++i) {
        auto& token = found.tokens[i];
        if (token.start > token.end || token.end > sql.size()) {
            return {{}, std::size_t{0}};
        }
        // The scanner tells only the U of U&"name"; the rest reaches to the next token.
        if (token.number == token_number::uident) {
            const bool last = i + 1 == found.tokens.size();
            token.end = std::max(token.end, last ? sql.size() : found.tokens[i + 1].start);
            while (token.end > token.start && is_space(sql[token.end - 1])) {
                --token.end;
            }
        }
    }
    return found;
}

/// How deep the lexer will nest comments, in one pass that ignores quotes: it may count a comment
/// that is part of a string, and counts at most one too few (when such a one seems to be closed by
/// the operator in front of a real comment).
int comment_depth_max(std::string_view sql) {
    int depth = 0;
    int deepest = 0;
    for (std::size_t i = 0; i + 1 < sql.size(); ++i) {
        if (sql[i] == '/' && sql[i + 1] == '*') {
            deepest = std::max(deepest, ++depth);
            ++i;
        } else if (sql[i] == '*' && sql[i + 1] == '/' && depth > 0) {
            --depth;
            ++i;
        }
    }
    return deepest;
}

std::size_t operator_steps(std::string_view sql) {
    constexpr std::string_view operator_characters = "~!@#^&|`?+-*/%<=>";
    std::size_t steps = 0;
    std::size_t run = 0;
    for (const char c : sql) {
        run = operator_characters.find(c) == std::string_view::npos ? 0 : run + 1;
        steps += 2 * run;
    }
    return steps;
}

bool is_literal(std::uint64_t number) {
    namespace n = token_number;
    return number == n::fconst || number == n::sconst || number == n::usconst ||
           number == n::bconst || number == n::xconst || number == n::iconst;
}

bool is_comment(std::uint64_t number) {
    return number == token_number::sql_comment || number == token_number::c_comment;
}

/// 'text\' ends here for us and for a server with standard_conforming_strings; without that
/// setting the string goes on. Nothing after it can be trusted to be code.
bool ambiguous_end(std::string_view literal) {
    return literal.size() >= 3 && literal.front() == '\'' && literal.ends_with("\\'");
}

int highest_parameter(std::string_view sql, const std::vector<Token>& tokens) {
    int highest = 0;
    for (const auto& token : tokens) {
        if (token.number == token_number::param && token.end > token.start) {
            int number = 0;
            std::from_chars(sql.data() + token.start + 1, sql.data() + token.end, number);
            highest = std::max(highest, number);
        }
    }
    return std::min(highest, 1'000'000);
}

bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

std::ptrdiff_t quotes(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return c == '"' || c == '\''; });
}

/// Writes the tokens back, one space where there was any space or comment. True if it reached the
/// end, false if it had to stop at an ambiguous literal.
bool write_masked(std::string_view sql, const std::vector<Token>& tokens, std::string& out) {
    int parameter = highest_parameter(sql, tokens);
    std::size_t end = 0;
    bool space = false;
    bool after_literal = false;
    for (const auto& token : tokens) {
        space = space || token.start > end;
        end = token.end;
        if (is_comment(token.number)) {
            space = true;
            continue;
        }
        const auto text = sql.substr(token.start, token.end - token.start);
        const bool literal = is_literal(token.number);
        const bool would_join =
            !out.empty() && is_word(out.back()) && (literal || (after_literal && is_word(text[0])));
        if (!out.empty() && (space || would_join)) {
            out += ' ';
        }
        if (literal) {
            out += '$' + std::to_string(++parameter);
        } else {
            out += text;
        }
        if (token.number == token_number::sconst && ambiguous_end(text)) {
            return false;
        }
        space = false;
        after_literal = literal;
    }
    return true;
}

/// Types whose name may stand in front of a string, to make a constant of it. Names of columns too,
/// but no parameter can follow a column.
constexpr std::array<std::string_view, 38> constant_types{
    "bigint", "bit",       "bool",     "boolean", "box",      "bpchar",    "bytea",
    "char",   "character", "cidr",     "circle",  "date",     "decimal",   "double precision",
    "float",  "inet",      "int",      "integer", "interval", "json",      "jsonb",
    "line",   "macaddr",   "money",    "numeric", "path",     "point",     "polygon",
    "real",   "regclass",  "smallint", "text",    "time",     "timestamp", "timestamptz",
    "timetz", "uuid",      "varchar"};

/// A statement's tokens without comments, to look around a parameter.
class Words {
public:
    Words(std::string_view sql, const std::vector<Token>& tokens) : sql_{sql} {
        std::copy_if(
            tokens.begin(),
            tokens.end(),
            std::back_inserter(tokens_),
            [](const Token& token) { return !is_comment(token.number); }
        );
    }
    std::size_t size() const { return tokens_.size(); }
    const Token& token(std::size_t i) const { return tokens_[i]; }
    std::string text(std::size_t i) const {
        return std::string{sql_.substr(tokens_[i].start, tokens_[i].end - tokens_[i].start)};
    }
    /// Whether the word so many places in front of `i` is one of these.
    bool before(std::size_t i, std::size_t places, std::string_view word) const {
        return i >= places && base::lower_ascii(text(i - places)) == word;
    }
    /// Where the type in front of the parameter at `i` begins.
    std::optional<std::size_t> type_before(std::size_t i) const;

private:
    /// Past "(3)" or "(10, 2)" in front of `i`, if it stands there.
    std::size_t past_precision(std::size_t i) const {
        constexpr std::size_t words_max = 5; // both brackets, two numbers and a comma
        if (!before(i, 1, ")")) {
            return i;
        }
        for (std::size_t back = 2; back <= words_max; ++back) {
            if (before(i, back, "(")) {
                return i - back;
            }
        }
        return i;
    }

    std::string_view sql_;
    std::vector<Token> tokens_;
};

std::optional<std::size_t> Words::type_before(std::size_t i) const {
    if (before(i, 1, "zone") && before(i, 2, "time") &&
        (before(i, 3, "with") || before(i, 3, "without"))) {
        const std::size_t at = past_precision(i - 3);
        const bool timed = before(at, 1, "time") || before(at, 1, "timestamp");
        return timed ? std::optional{at - 1} : std::nullopt; // "at time zone $1" is none
    }
    const std::size_t at = past_precision(i);
    if (at == 0) {
        return std::nullopt;
    }
    std::string name = base::lower_ascii(text(at - 1));
    if (at > 1 && (name == "precision" || name == "varying")) {
        name = base::lower_ascii(text(at - 2));
        const bool known = name == "double" || name == "bit" || name == "character";
        return known ? std::optional{at - 2} : std::nullopt;
    }
    const bool known =
        std::find(constant_types.begin(), constant_types.end(), name) != constant_types.end();
    return known ? std::optional{at - 1} : std::nullopt;
}

/// What stands instead of a part of a text.
struct Edit {
    std::size_t start = 0;
    std::size_t end = 0;
    std::string text;
};

/// In the order of the text, and none over another.
std::vector<Edit> casts_of(const Words& words) {
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const Token& token = words.token(i);
        if (token.number != token_number::param) {
            continue;
        }
        if (words.before(i, 1, "(") && words.before(i, 2, "extract") && i + 1 < words.size() &&
            words.before(i + 1, 0, "from")) {
            const Token& name = words.token(i - 2);
            const Token& from = words.token(i + 1);
            edits.push_back({name.start, name.end, "pg_catalog.extract"});
            edits.push_back({from.start, from.end, ","});
        } else if (const auto type = words.type_before(i)) {
            edits.push_back(
                {words.token(*type).start, words.token(*type).start, words.text(i) + "::"}
            );
            edits.push_back({token.start, token.end, ""});
        }
    }
    return edits;
}

struct Masked {
    std::string text;
    int first_literal = 0; // number of its $n; 0: there is none
};

/// Anywhere in a text, also in a literal: what a terminal obeys, and what makes a reader see other
/// text or other line ends than there are.
bool hides_text(char32_t c) {
    const bool line = c == '\t' || c == '\n' || c == '\r' || c == '\f';
    return (c < 0x20 && !line) || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe007f);
}

/// Outside of literals: spaces that PostgreSQL takes for letters, letters of no width, and the wide
/// forms of ASCII.
bool looks_like_ascii(char32_t c) {
    return c == 0xa0 || c == 0xad || c == 0x1680 || c == 0x180e || (c >= 0x2000 && c <= 0x200f) ||
           c == 0x202f || (c >= 0x205f && c <= 0x2065) || c == 0x3000 || c == 0x3164 ||
           (c >= 0xff00 && c <= 0xffef) || (c >= 0xfe00 && c <= 0xfe0f);
}

struct Character {
    char32_t code = 0;
    std::size_t length = 1;
};

/// The one at a byte of well-formed UTF-8.
Character character_at(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = std::max<std::size_t>(base::character_length(text.substr(at)), 1);
    char32_t code = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        code = (code << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
    }
    return {code, length};
}

/// Where in well-formed UTF-8 the first character of a kind begins; its size if there is none.
std::size_t first_character(std::string_view text, bool (*kind)(char32_t)) {
    for (std::size_t at = 0; at < text.size();) {
        const auto found = character_at(text, at);
        if (kind(found.code)) {
            return at;
        }
        at += found.length;
    }
    return text.size();
}

/// As people look it up: U+00A0.
std::string code_point(char32_t code) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (; code > 0 || text.size() < 4; code >>= 4U) {
        text.insert(text.begin(), digits[code & 0xfU]);
    }
    return "U+" + text;
}

} // namespace

base::Status check_sql_caps(std::string_view sql) {
    if (sql.size() > limits::sql_bytes_max) {
        return Error{
            Errc::limit_exceeded,
            "The statement has " + std::to_string(sql.size()) + " bytes; the limit is " +
                std::to_string(limits::sql_bytes_max) + ".",
            "Shorten it."};
    }
    if (sql.find('\0') != std::string_view::npos) {
        return Error{Errc::invalid_input, "The statement holds a NUL character.", "Remove it."};
    }
    if (!base::is_utf8(sql)) {
        return Error{Errc::invalid_input, "The statement is not valid UTF-8.", "Send it as UTF-8."};
    }
    if (comment_depth_max(sql) > limits::sql_comment_depth_max) {
        return Error{
            Errc::limit_exceeded,
            "Comments in the statement nest deeper than " +
                std::to_string(limits::sql_comment_depth_max) + ".",
            "Remove the comments."};
    }
    if (operator_steps(sql) > limits::sql_operator_steps_max) {
        return Error{
            Errc::limit_exceeded,
            "The statement holds too long a run of operator characters.",
            "Remove comments that stand one after another."};
    }
    // Text that cannot be lexed has no tokens to count; the parser will say what is wrong with it.
    const auto count = scan(std::string{sql}).tokens.size();
    if (count > limits::sql_tokens_max) {
        return Error{
            Errc::limit_exceeded,
            "The statement has " + std::to_string(count) + " tokens; the limit is " +
                std::to_string(limits::sql_tokens_max) + ".",
            "Split or simplify it."};
    }
    return base::done;
}

base::Status check_sql_shape(std::string_view sql) {
    const auto refused = [&](std::size_t at) {
        return Error{
            Errc::invalid_input,
            "The statement holds a character that deceives its reader: " +
                code_point(character_at(sql, at).code) + " at byte " + std::to_string(at + 1) + ".",
            "Write it in plain letters, digits, spaces and line ends."};
    };
    if (const auto at = first_character(sql, hides_text); at < sql.size()) {
        return refused(at);
    }
    int brackets = 0;
    for (const auto& token : scan(std::string{sql}).tokens) {
        const auto text = sql.substr(token.start, token.end - token.start);
        if (text == "(" || text == "[") {
            ++brackets;
        } else if (text == ")" || text == "]") {
            --brackets;
        }
        if (brackets > limits::sql_brackets_max) {
            return Error{
                Errc::limit_exceeded,
                "More than " + std::to_string(limits::sql_brackets_max) +
                    " brackets are open at once.",
                "Simplify the statement."};
        }
        if (is_literal(token.number) || is_comment(token.number) || text.starts_with('"')) {
            continue;
        }
        if (const auto at = first_character(text, looks_like_ascii); at < text.size()) {
            return refused(token.start + at);
        }
    }
    return base::done;
}

std::string blank_comments(std::string_view sql) {
    std::string text{sql};
    for (const auto& token : scan(text).tokens) {
        if (is_comment(token.number)) {
            std::fill(
                text.begin() + static_cast<std::ptrdiff_t>(token.start),
                text.begin() + static_cast<std::ptrdiff_t>(token.end),
                ' '
            );
        }
    }
    return text;
}

namespace {

Masked mask(std::string_view sql) {
    constexpr int attempts_max = 8; // each attempt ends before the error of the one before
    Masked nothing{std::string{unreadable}, 0};
    bool whole = sql.size() <= limits::sql_bytes_max;
    std::string text{base::cut_bytes(sql, limits::sql_bytes_max)};
    if (text.find('\0') != std::string::npos ||
        comment_depth_max(text) > limits::sql_comment_depth_max ||
        operator_steps(text) > limits::sql_operator_steps_max) {
        return nothing;
    }
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        const auto found = scan(text);
        if (found.stopped_at) {
            // Cut in the middle of a literal or comment: all before it is still good.
            text.resize(std::min(*found.stopped_at, text.empty() ? 0 : text.size() - 1));
            whole = false;
            continue;
        }
        std::string masked;
        whole = write_masked(text, found.tokens, masked) && whole;
        if (masked.empty()) {
            return whole ? Masked{} : nothing;
        }
        auto shown = base::sanitize(masked);
        if (quotes(shown) != quotes(masked)) {
            text = std::move(shown); // a control sequence took one along: read as it will be seen
            continue;
        }
        const bool literals =
            std::any_of(found.tokens.begin(), found.tokens.end(), [](const Token& token) {
                return is_literal(token.number);
            });
        return {
            whole ? shown : shown + " ...",
            literals ? highest_parameter(text, found.tokens) + 1 : 0};
    }
    return nothing;
}

} // namespace

std::string mask_literals(std::string_view sql) {
    return mask(sql).text;
}

std::string mask_literals_visibly(std::string_view sql) {
    const Masked masked = mask(sql);
    return masked.first_literal == 0 ? masked.text
                                     : masked.text + " " + std::string{masked_remark} +
                                           std::to_string(masked.first_literal) + " on */";
}

bool tells_masked_literals(std::string_view sql) {
    return sql.find(masked_remark) != std::string_view::npos;
}

std::string cast_parameters(std::string_view sql) {
    if (!check_sql_caps(sql)) {
        return std::string{sql};
    }
    const std::string text{sql};
    const auto edits = casts_of(Words{sql, scan(text).tokens});
    std::string out;
    std::size_t at = 0;
    for (const Edit& edit : edits) {
        out.append(text, at, edit.start - at).append(edit.text);
        at = edit.end;
    }
    return out.append(text, at);
}

} // namespace interlock::db
