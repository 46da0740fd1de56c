#include "server/sameness.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

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

void append(std::string& out, const Json& value, bool sentence);

void append_members(std::string& out, const Json& object) {
    for (const auto& [name, member] : object.items()) {
        if (counts(name)) {
            out += name;
            out += '=';
            append(out, member, is_one_of(sentences, name));
        }
    }
}

/// Unambiguous enough for a fingerprint: brackets and separators cannot be told apart from text,
/// but nobody gains by making two results look the same but who wants to be stopped.
void append(std::string& out, const Json& value, bool sentence) {
    if (value.is_object()) {
        out += '{';
        append_members(out, value);
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (const Json& each : value) {
            append(out, each, sentence);
        }
        out += ']';
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        std::copy_if(text.begin(), text.end(), std::back_inserter(out), [&](char c) {
            return !sentence || !(is_digit(c) || c == '.');
        });
        out += ';';
    } else {
        out += sentence && value.is_number() ? std::string{} : value.dump();
        out += ';';
    }
}

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
    const auto packet = base::parse_json(answer.structured);
    if (!packet) {
        return text_fingerprint(answer.content);
    }
    std::string stable;
    append(stable, *packet, false);
    return text_fingerprint(stable);
}

} // namespace interlock::server
