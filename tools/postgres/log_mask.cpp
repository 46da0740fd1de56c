#include "tools/postgres/log_mask.hpp"

#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/sql_literal.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

constexpr std::string_view gone = "?";

// What a byte is: every byte of a big log is looked up here, some of them twice.
constexpr unsigned digit = 1;
constexpr unsigned hex_letter = 2;
constexpr unsigned word_letter = 4; // beyond ASCII, too
constexpr unsigned blank = 8;
constexpr unsigned begins_prefix = 16; // of a literal: E'', U&''

constexpr std::array<unsigned char, 256> make_kinds() {
    std::array<unsigned char, 256> kinds{};
    for (unsigned i = 0; i < kinds.size(); ++i) {
        const bool is_number = i >= '0' && i <= '9';
        const unsigned lower = i | 0x20U;
        const bool is_letter = lower >= 'a' && lower <= 'z' && i < 0x80;
        unsigned kind = is_number ? digit | word_letter : 0;
        kind |= is_letter || i == '_' || i >= 0x80 ? word_letter : 0;
        kind |= is_letter && lower <= 'f' ? hex_letter : 0;
        kind |= i == ' ' || (i >= '\t' && i <= '\r') ? blank : 0;
        kind |= is_letter && std::string_view{"ebxnu"}.find(static_cast<char>(lower)) !=
                                 std::string_view::npos
                    ? begins_prefix
                    : 0;
        kinds[i] = static_cast<unsigned char>(kind);
    }
    return kinds;
}
constexpr std::array<unsigned char, 256> kinds = make_kinds();

unsigned kind_of(char c) {
    return kinds[static_cast<unsigned char>(c)];
}

bool is_digit(char c) {
    return (kind_of(c) & digit) != 0;
}

bool is_word_character(char c) {
    return (kind_of(c) & word_letter) != 0;
}

bool is_blank(char c) {
    return (kind_of(c) & blank) != 0;
}

/// What the server quotes where it means a name, a path or a setting.
bool looks_like_a_name(std::string_view text) {
    return !text.empty() && !is_digit(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (is_word_character(c) && static_cast<unsigned char>(c) < 0x80) || c == '.' ||
                      c == '-' || c == '/' || c == '$';
           });
}

/// Where SQL begins in a message; npos: nowhere.
std::size_t sql_begin(std::string_view message) {
    std::size_t at = 0;
    if (message.starts_with("duration: ")) {
        const std::size_t unit = message.find(" ms  ");
        if (unit == std::string_view::npos) {
            return unit;
        }
        at = unit + 5;
    }
    const std::string_view rest = message.substr(at);
    for (const std::string_view whole : {"statement: ", "plan:", "AUDIT: "}) {
        if (rest.starts_with(whole)) {
            return at + whole.size();
        }
    }
    for (const std::string_view named : {"execute ", "parse ", "bind ", "fastpath function call"}) {
        if (rest.starts_with(named)) {
            const std::size_t colon = rest.find(": ");
            return colon == std::string_view::npos ? colon : at + colon + 2;
        }
    }
    return std::string_view::npos;
}

/// The masked text under construction: bounded, blanks in a row become one space.
class Masked {
public:
    Masked(std::string& out, std::size_t bytes_max)
        : out_{out}, begin_{out.size()}, end_{out.size() + bytes_max} {}
    bool full() const { return out_.size() >= end_; }
    void add(char c) {
        if (is_blank(c)) {
            c = ' ';
        }
        if (!full() && !(c == ' ' && last_ == ' ')) {
            out_ += c;
            last_ = c;
        }
    }
    void add(std::string_view text) {
        for (const char c : text) {
            add(c);
        }
    }
    /// Without blanks.
    void add_word(std::string_view word) {
        if (!full() && !word.empty()) {
            out_ += word.substr(0, end_ - out_.size());
            last_ = word.back();
        }
    }
    /// In the place of a value. A list of them is one: how long it is makes no other kind.
    void hide() {
        const std::string_view done = std::string_view{out_}.substr(begin_);
        const std::size_t comma = done.ends_with(", ") ? 2 : done.ends_with(",") ? 1 : 0;
        if (comma > 0 && done.substr(0, done.size() - comma).ends_with(gone)) {
            out_.resize(out_.size() - comma);
            last_ = gone.back();
        } else {
            add(gone);
        }
    }

private:
    std::string& out_;
    std::size_t begin_;
    std::size_t end_;
    char last_ = '\0';
};

class Masker {
public:
    Masker(std::string_view text, LogMask mask, bool sql, Masked& out)
        : text_{text}, mask_{mask}, sql_{sql}, out_{out} {}

    void run() {
        while (at_ < text_.size() && !out_.full()) {
            const char c = text_[at_];
            const unsigned kind = kind_of(c);
            if ((kind & word_letter) != 0) {
                const bool may_be =
                    (kind & begins_prefix) != 0 && (next() == '\'' || next() == '&');
                if (!may_be || !literal()) {
                    word();
                }
            } else if ((kind & blank) != 0) {
                out_.add(' ');
                ++at_;
            } else {
                sign(c);
            }
        }
    }

private:
    char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }

    /// Neither of a word nor blank.
    void sign(char c) {
        const bool behind_word = at_ > 0 && is_word_character(text_[at_ - 1]);
        if (c == '\'' && (sql_ || !behind_word) && literal()) { // not the one of "can't"
            return;
        }
        if (c == '$' && is_digit(next())) { // a parameter
            const std::size_t end = text_.find_first_not_of("0123456789", at_ + 1);
            out_.add_word(text_.substr(at_, end - at_));
            at_ = std::min(end, text_.size());
        } else if (c == '$' && !behind_word && literal()) {
            return;
        } else if (c == '"' && !sql_) {
            quoted();
        } else if (sql_ && (c == '-' || c == '/') && comment()) {
            return;
        } else if (c == '(' && !sql_ && holds_values()) {
            parentheses();
        } else {
            out_.add(c);
            ++at_;
        }
    }

    bool literal() {
        const auto chain =
            telemetry::read_literals(text_, at_, telemetry::Backslash::plain, nullptr);
        if (chain.pieces == 0) {
            return false;
        }
        out_.hide();
        at_ = std::max(chain.end, at_ + 1);
        return true;
    }

    bool comment() {
        const std::string_view rest = text_.substr(at_);
        if (rest.starts_with("--")) {
            at_ = std::min(text_.find('\n', at_), text_.size());
            return true;
        }
        if (rest.starts_with("/*")) {
            const std::size_t end = text_.find("*/", at_ + 2);
            at_ = end == std::string_view::npos ? text_.size() : end + 2;
            return true;
        }
        return false;
    }

    /// "name" stays for a search; what stands behind a colon is a value.
    void quoted() {
        const std::size_t end = text_.find('"', at_ + 1);
        const std::string_view inside =
            text_.substr(at_ + 1, end == std::string_view::npos ? end : end - at_ - 1);
        const bool value = at_ >= 2 && text_.substr(at_ - 2, 2) == ": ";
        out_.add('"');
        if (mask_ == LogMask::search && !value && looks_like_a_name(inside)) {
            out_.add(inside);
        } else {
            out_.hide();
        }
        out_.add('"');
        at_ = end == std::string_view::npos ? text_.size() : end + 1;
    }

    /// "Key (email)=(x)", "Failing row contains (x, y)".
    bool holds_values() const {
        const std::string_view before = text_.substr(0, at_);
        return before.ends_with(")=") || before.ends_with(" contains ");
    }

    /// Values may hold anything, so all up to the last closing one goes.
    void parentheses() {
        const std::size_t end = text_.substr(0, text_.find('\n', at_)).rfind(')');
        out_.add('(');
        out_.hide();
        out_.add(')');
        at_ = end == std::string_view::npos || end < at_ ? text_.size() : end + 1;
    }

    /// Up to the end of letters and digits; a number takes its fraction along.
    void word() {
        const bool number = is_digit(text_[at_]);
        std::size_t end = at_;
        unsigned any = 0;
        unsigned all = digit | hex_letter;
        for (; end < text_.size(); ++end) {
            const unsigned kind = kind_of(text_[end]);
            const bool point =
                number && text_[end] == '.' && end + 1 < text_.size() && is_digit(text_[end + 1]);
            if ((kind & word_letter) == 0 && !point) {
                break;
            }
            any |= kind;
            all &= (kind & (digit | hex_letter)) != 0 ? all : 0;
        }
        const std::string_view whole = text_.substr(at_, end - at_);
        at_ = end;
        constexpr std::size_t hex_chars_min = 6;
        const bool digits = (any & digit) != 0;
        if (number) {
            hide_number(whole);
        } else if (mask_ != LogMask::fingerprint || !digits) {
            out_.add_word(whole);
        } else if (all != 0 && whole.size() >= hex_chars_min) {
            out_.hide();
        } else {
            name_without_digits(whole);
        }
    }

    void hide_number(std::string_view whole) {
        if (sql_ || mask_ == LogMask::fingerprint) {
            out_.hide();
        } else {
            out_.add_word(whole);
        }
    }

    void name_without_digits(std::string_view whole) {
        for (std::size_t i = 0; i < whole.size(); ++i) {
            if (!is_digit(whole[i])) {
                out_.add(whole[i]);
            } else if (i == 0 || !is_digit(whole[i - 1])) {
                out_.hide();
            }
        }
    }

    std::string_view text_;
    LogMask mask_;
    bool sql_;
    Masked& out_;
    std::size_t at_ = 0;
};

std::string prose(std::string_view text) {
    std::string out;
    mask_log_text(text, LogMask::search, false, base::limits::log_field_bytes_max, out);
    return out;
}

std::string sql_of_plan(std::string_view text) {
    std::string out;
    mask_log_text(text, LogMask::search, true, base::limits::log_field_bytes_max, out);
    return out;
}

/// One line of a DETAIL or CONTEXT.
std::string shown_line(std::string_view line) {
    for (const std::string_view opening : {"SQL statement \"", "SQL expression \""}) {
        if (line.starts_with(opening)) {
            const std::size_t end = std::max(line.rfind('"'), opening.size());
            return std::string{opening} +
                   db::mask_literals(line.substr(opening.size(), end - opening.size())) + '"';
        }
    }
    if (line.starts_with("Process ")) { // of a deadlock: what each process was running
        const std::size_t colon = line.find(": ");
        if (colon != std::string_view::npos && line.find_first_not_of("0123456789", 8) == colon) {
            return std::string{line.substr(0, colon + 2)} +
                   db::mask_literals(line.substr(colon + 2));
        }
    }
    return prose(line);
}

} // namespace

void mask_log_text(
    std::string_view text, LogMask mask, bool sql, std::size_t bytes_max, std::string& out
) {
    Masked masked{out, bytes_max};
    Masker{text, mask, sql, masked}.run();
}

void mask_log_message(
    std::string_view message, LogMask mask, std::size_t bytes_max, std::string& out
) {
    const std::size_t sql = std::min(sql_begin(message), message.size());
    Masked masked{out, bytes_max};
    Masker{message.substr(0, sql), mask, false, masked}.run();
    Masker{message.substr(sql), mask, true, masked}.run();
}

std::string shown_log_message(std::string_view message) {
    const std::size_t sql = sql_begin(message);
    if (sql == std::string_view::npos) {
        return base::sanitize(prose(message));
    }
    const std::string_view head = message.substr(0, sql);
    const std::string_view rest = message.substr(sql);
    return base::sanitize(
        prose(head) + (head.ends_with("plan:") || head.ends_with("AUDIT: ")
                           ? sql_of_plan(rest)
                           : db::mask_literals(rest))
    );
}

std::string shown_log_detail(std::string_view detail) {
    std::string out;
    while (!detail.empty()) {
        const std::size_t end = std::min(detail.find('\n'), detail.size());
        out += (out.empty() ? "" : " ") + shown_line(detail.substr(0, end));
        detail.remove_prefix(std::min(end + 1, detail.size()));
    }
    return base::sanitize(out);
}

std::string shown_log_statement(std::string_view statement) {
    return base::sanitize(db::mask_literals(statement));
}

} // namespace interlock::tools
