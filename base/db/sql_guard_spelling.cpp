#include "base/db/sql_guard_spelling.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace interlock::db {
namespace {

enum class Kind { word, number, quoted, space, symbol };

struct Piece {
    Kind kind;
    std::string text;
    std::size_t start;
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Cuts a text into pieces as PostgreSQL's lexer does, as far as it matters here.
class Lexer {
public:
    explicit Lexer(std::string_view sql) : sql_(sql) {}

    std::vector<Piece> pieces() {
        std::vector<Piece> found;
        while (at_ < sql_.size()) {
            const auto start = at_;
            const auto kind = next();
            found.push_back({kind, std::string{sql_.substr(start, at_ - start)}, start});
        }
        return found;
    }

private:
    char here(std::size_t ahead = 0) const {
        return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
    }

    Kind next() {
        const char c = here();
        if (is_space(c)) {
            ++at_;
            return Kind::space;
        }
        if (c == '\'' || c == '"') {
            quote(c, false);
            return Kind::quoted;
        }
        if (c == '-' && here(1) == '-') {
            at_ = std::min(sql_.find_first_of("\r\n", at_), sql_.size());
            return Kind::space;
        }
        if (c == '/' && here(1) == '*') {
            comment();
            return Kind::space;
        }
        if (c == '$' && dollar()) {
            return Kind::quoted;
        }
        if (is_digit(c) || (c == '.' && is_digit(here(1)))) {
            number();
            return Kind::number;
        }
        if (is_word(c)) {
            while (is_word(here()) || here() == '$') {
                ++at_;
            }
            const bool escapes = at_ - 1 < sql_.size() && (c == 'e' || c == 'E') &&
                                 (at_ < 2 || !is_word(sql_[at_ - 2]));
            if (escapes && here() == '\'') {
                quote('\'', true);
                return Kind::quoted;
            }
            return Kind::word;
        }
        ++at_;
        return Kind::symbol;
    }

    void quote(char mark, bool escapes) {
        for (++at_; at_ < sql_.size(); ++at_) {
            if ((escapes && here() == '\\') || (here() == mark && here(1) == mark)) {
                ++at_;
            } else if (here() == mark) {
                break;
            }
        }
        at_ = std::min(at_ + 1, sql_.size());
    }

    void comment() {
        int depth = 0;
        do {
            const bool opens = here() == '/' && here(1) == '*';
            const bool closes = here() == '*' && here(1) == '/';
            depth += opens ? 1 : closes ? -1 : 0;
            at_ += opens || closes ? 2 : 1;
        } while (depth > 0 && at_ < sql_.size());
        at_ = std::min(at_, sql_.size());
    }

    bool dollar() {
        auto end = at_ + 1;
        while (end < sql_.size() && is_word(sql_[end])) {
            ++end;
        }
        if (end >= sql_.size() || sql_[end] != '$' || is_digit(here(1))) {
            return false;
        }
        const auto tag = sql_.substr(at_, end + 1 - at_);
        const auto closed = sql_.find(tag, end + 1);
        at_ = closed == std::string_view::npos ? sql_.size() : closed + tag.size();
        return true;
    }

    /// Digits and what may stand between and behind them; 1..2 is 1 and .2 to nobody.
    void number() {
        const bool based = here() == '0' &&
                           std::string_view{"xXoObB"}.find(here(1)) != std::string_view::npos &&
                           here(1) != '\0';
        bool pointed = false;
        for (; at_ < sql_.size(); ++at_) {
            const char c = here();
            const bool exponent =
                !based && (c == 'e' || c == 'E') &&
                (is_digit(here(1)) || ((here(1) == '+' || here(1) == '-') && is_digit(here(2))));
            if (exponent) {
                ++at_; // its sign, or its first digit
            } else if (c == '.' && !based && !pointed && here(1) != '.') {
                pointed = true;
            } else if (!is_word(c)) {
                break;
            }
        }
    }

    std::string_view sql_;
    std::size_t at_ = 0;
};

/// The number in digits alone; nothing when it is none, or is plain already.
std::optional<std::string> plain_number(const std::string& text) {
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            digits += text[i];
        } else if (i + 1 == text.size() || !is_word(text[i + 1]) || text[i + 1] == '_') {
            return std::nullopt;
        }
    }
    const auto mark = digits.size() > 2 && digits[0] == '0' ? base::lower_ascii(digits)[1] : '0';
    const std::uint64_t base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base == 10) {
        const bool plain = digits.find_first_not_of("0123456789.eE+-") == std::string::npos;
        return plain && digits != text ? std::optional{digits} : std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : base::lower_ascii(digits.substr(2))) {
        const auto digit = static_cast<std::uint64_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
        if (digit >= base || value > (std::numeric_limits<std::uint64_t>::max() - digit) / base) {
            return std::nullopt;
        }
        value = value * base + digit;
    }
    return std::to_string(value);
}

class Writer {
public:
    explicit Writer(std::string_view sql) : pieces_(Lexer{sql}.pieces()) {}

    std::optional<std::string> run() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (pieces_[i].kind == Kind::number) {
                if (auto plain = plain_number(pieces_[i].text)) {
                    write(i, std::move(*plain));
                }
            } else if (is(i, "at") && is(after(i), "local")) {
                write(after(i), "time zone pg_catalog.current_setting('TimeZone')");
            } else if (is(i, "json_object") || is(i, "json_objectagg")) {
                constructor(i);
            }
        }
        if (!changed_) {
            return std::nullopt;
        }
        std::string all;
        for (const auto& piece : pieces_) {
            all += piece.text;
        }
        return all;
    }

private:
    void write(std::size_t i, std::string text) {
        pieces_[i].text = std::move(text);
        changed_ = true;
    }

    std::size_t after(std::size_t i) const {
        for (++i; i < pieces_.size() && pieces_[i].kind == Kind::space;) {
            ++i;
        }
        return i;
    }

    bool is(std::size_t i, std::string_view word) const {
        return i < pieces_.size() && pieces_[i].kind == Kind::word &&
               base::lower_ascii(pieces_[i].text) == word;
    }

    bool symbol(std::size_t i, std::string_view text) const {
        return i < pieces_.size() && pieces_[i].kind == Kind::symbol && pieces_[i].text == text;
    }

    /// key: value, and key VALUE value, RETURNING jsonb at the end. What else may stand in it has
    /// no older words, and stays.
    void constructor(std::size_t name) {
        const auto open = after(name);
        if (!symbol(open, "(")) {
            return;
        }
        int depth = 0;
        bool key = true;             // in front of a pair's separator
        std::size_t previous = open; // the piece before this one that is no space
        std::vector<std::size_t> separators;
        std::size_t returning = 0;
        for (std::size_t i = open; i < pieces_.size(); ++i) {
            if (pieces_[i].kind == Kind::space) {
                continue;
            }
            const bool opens = symbol(i, "(") || symbol(i, "[");
            const bool closes = symbol(i, ")") || symbol(i, "]");
            depth += opens ? 1 : closes ? -1 : 0;
            if (depth == 0) {
                break;
            }
            const bool first = previous == open || symbol(previous, ",");
            if (depth == 1 && symbol(i, ",")) {
                key = true;
            } else if (depth == 1 && key && !first && separates(i, previous)) {
                separators.push_back(i);
                key = false;
            } else if (depth == 1 && is(i, "returning") && symbol(after(after(i)), ")")) {
                returning = i;
            }
            previous = i;
        }
        if (separators.empty()) {
            return;
        }
        const bool aggregates = is(name, "json_objectagg");
        const bool binary = returning > 0 && is(after(returning), "jsonb");
        if (returning > 0 && (binary || is(after(returning), "json"))) {
            write(after(returning), "");
            write(returning, "");
        }
        for (const auto separator : separators) {
            write(separator, ",");
        }
        write(
            name,
            std::string{binary ? "jsonb_" : "json_"} + (aggregates ? "object_agg" : "build_object")
        );
    }

    bool separates(std::size_t i, std::size_t previous) const {
        const bool colon =
            symbol(i, ":") && !symbol(i + 1, ":") && !symbol(i - 1, ":") && !symbol(i + 1, "=");
        const bool ended = pieces_[previous].kind != Kind::symbol || symbol(previous, ")") ||
                           symbol(previous, "]");
        return colon || (is(i, "value") && ended);
    }

    std::vector<Piece> pieces_;
    bool changed_ = false;
};

} // namespace

std::optional<std::string> older_spelling(std::string_view sql) {
    return Writer{sql}.run();
}

std::optional<std::string> with_alias(std::string_view sql, std::size_t at, int number) {
    int depth = 0;
    for (const auto& piece : Lexer{sql}.pieces()) {
        if (piece.start < at || piece.kind != Kind::symbol) {
            continue;
        }
        depth += piece.text == "(" ? 1 : piece.text == ")" ? -1 : 0;
        if (depth == 0) {
            if (piece.text != ")") {
                return std::nullopt; // no bracket opens there
            }
            std::string all{sql.substr(0, piece.start + 1)};
            all += " as unnamed_subquery_" + std::to_string(number) + " ";
            all += sql.substr(piece.start + 1);
            return all;
        }
    }
    return std::nullopt;
}

} // namespace interlock::db
