#include "base/json_string.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

bool is_plain(char letter) {
    return static_cast<unsigned char>(letter) >= ' ' && letter != '"' && letter != '\\';
}

void append_escaped(std::string& out, char letter) {
    constexpr std::string_view hex = "0123456789abcdef";
    constexpr std::string_view named = "\b\f\n\r\t\"\\";
    constexpr std::string_view names = "bfnrt\"\\";
    const auto found = named.find(letter);
    out += '\\';
    if (found != std::string_view::npos) {
        out += names[found];
        return;
    }
    const auto byte = static_cast<unsigned char>(letter);
    out += "u00";
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
    if (!is_utf8(text)) {
        out += render_json(Json(text));
        return;
    }
    out += '"';
    std::size_t from = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!is_plain(text[at])) {
            out.append(text, from, at - from);
            append_escaped(out, text[at]);
            from = at + 1;
        }
    }
    out.append(text, from).append(1, '"');
}

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8 + 2);
    append_json_string(out, text);
    return out;
}

} // namespace interlock::base
