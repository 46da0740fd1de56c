#include "base/json_string.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

bool is_plain(char letter) {
    return static_cast<unsigned char>(letter) >= ' ' && letter != '"' && letter != '\\';
}

constexpr std::size_t eight_bytes = sizeof(std::uint64_t);

/// Whether each of eight bytes may stand in a JSON string as it is.
bool all_plain(const char* bytes) {
    constexpr std::uint64_t each = 0x0101010101010101U;
    constexpr std::uint64_t high_bits = 0x80 * each;
    // Subtracting borrows from the high bit of a byte that is smaller, and from no other first.
    const auto some_below = [](std::uint64_t eight, std::uint64_t bound) {
        return (eight - bound * each) & ~eight & high_bits;
    };
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes, sizeof eight);
    return (some_below(eight, ' ') | some_below(eight ^ ('"' * each), 1) |
            some_below(eight ^ ('\\' * each), 1)) == 0;
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
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(at + eight_bytes, text.size());
        if (end - at == eight_bytes && all_plain(text.data() + at)) {
            at = end;
        }
        for (; at < end; ++at) {
            if (!is_plain(text[at])) {
                out.append(text, from, at - from);
                append_escaped(out, text[at]);
                from = at + 1;
            }
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
