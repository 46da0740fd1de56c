#include "server/sameness.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace interlock::server {
namespace {

constexpr std::array<std::string_view, 6> of_this_answer{
    "id", "evidence", "whole", "cut", "at", "age"};
constexpr std::array<std::string_view, 3> of_the_clock{"_at", "_ms", "_seconds"};
constexpr std::array<std::string_view, 9> sentences{
    "summary", "value", "because", "against", "meaning", "what", "why", "would_tell", "detail"};

template <class List>
bool is_one_of(const List& list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

bool counts(std::string_view name) {
    return !is_one_of(of_this_answer, name) &&
           std::none_of(of_the_clock.begin(), of_the_clock.end(), [&](std::string_view end) {
               return name.ends_with(end);
           });
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || c == 'E';
}

/// Reads a packet as it was rendered and writes what counts of it, without making a tree: this is
/// done for every answer of every call. Strings keep their escapes, because only sameness is asked.
/// Unambiguous enough for a fingerprint: brackets and separators cannot be told apart from text,
/// but nobody gains by making two results look the same but who wants to be stopped.
class Stable {
public:
    explicit Stable(std::string_view text) : text_(text) { out_.reserve(text.size()); }

    /// nullopt: this is no packet.
    std::optional<std::string> read() {
        skip_blanks();
        if (at() != '{' || !value(false, 0)) {
            return std::nullopt;
        }
        skip_blanks();
        return place_ == text_.size() ? std::optional(std::move(out_)) : std::nullopt;
    }

private:
    char at() const { return place_ < text_.size() ? text_[place_] : '\0'; }
    void skip_blanks() {
        while (at() == ' ' || at() == '\n' || at() == '\t' || at() == '\r') {
            ++place_;
        }
    }
    bool take(char wanted) {
        skip_blanks();
        if (at() != wanted) {
            return false;
        }
        ++place_;
        return true;
    }

    /// Between the quotes; nullopt when there are none.
    std::optional<std::string_view> string() {
        if (at() != '"') {
            return std::nullopt;
        }
        const std::size_t begin = place_ + 1;
        std::size_t end = begin;
        while (end < text_.size() && text_[end] != '"') {
            end += text_[end] == '\\' ? 2U : 1U;
        }
        if (end >= text_.size()) {
            return std::nullopt;
        }
        place_ = end + 1;
        return text_.substr(begin, end - begin);
    }

    bool value(bool sentence, int depth) {
        skip_blanks();
        if (depth > base::limits::json_depth_max) {
            return false;
        }
        switch (at()) {
        case '{':
            return object(depth);
        case '[':
            return array(sentence, depth);
        case '"': {
            const auto text = string();
            if (text) {
                append(*text, sentence);
            }
            return text.has_value();
        }
        default:
            return scalar(sentence);
        }
    }

    bool object(int depth) {
        ++place_;
        out_ += '{';
        for (bool first = true; !take('}'); first = false) {
            if (!first && !take(',')) {
                return false;
            }
            skip_blanks();
            const auto name = string();
            if (!name || !take(':')) {
                return false;
            }
            const std::size_t before = out_.size();
            out_.append(*name).append(1, '=');
            if (!value(is_one_of(sentences, *name), depth + 1)) {
                return false;
            }
            if (!counts(*name)) {
                out_.resize(before);
            }
        }
        out_ += '}';
        return true;
    }

    bool array(bool sentence, int depth) {
        ++place_;
        out_ += '[';
        for (bool first = true; !take(']'); first = false) {
            if ((!first && !take(',')) || !value(sentence, depth + 1)) {
                return false;
            }
        }
        out_ += ']';
        return true;
    }

    /// A number, true, false, null.
    bool scalar(bool sentence) {
        std::size_t end = place_;
        while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) ||
                                      text_[end] == '-' || text_[end] == '+' || text_[end] == '.')
        ) {
            ++end;
        }
        const auto token = text_.substr(place_, end - place_);
        place_ = end;
        const bool number = !token.empty() && (token.front() == '-' || is_digit(token.front()));
        if (!sentence || !number) {
            out_ += token;
        }
        out_ += ';';
        return number || token == "true" || token == "false" || token == "null";
    }

    void append(std::string_view text, bool sentence) {
        if (sentence) {
            std::copy_if(text.begin(), text.end(), std::back_inserter(out_), [](char c) {
                return !is_digit(c) && c != '.';
            });
        } else {
            out_ += text;
        }
        out_ += ';';
    }

    const std::string_view text_;
    std::size_t place_ = 0;
    std::string out_;
};

} // namespace

std::string text_fingerprint(std::string_view text) {
    return base::hex(base::sha256(text));
}

std::string call_fingerprint(std::string_view tool, std::string_view arguments) {
    std::string both(tool);
    both += '\n';
    both += arguments;
    return text_fingerprint(both);
}

std::string result_fingerprint(const ToolAnswer& answer) {
    const auto stable = Stable(answer.structured).read();
    return text_fingerprint(stable ? *stable : answer.content);
}

} // namespace interlock::server
