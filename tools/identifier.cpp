#include "tools/identifier.hpp"

#include "base/text.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace interlock::tools {
namespace {

constexpr std::size_t name_bytes_max = 63; // NAMEDATALEN - 1

/// Of well-formed UTF-8 of `length` bytes.
std::uint32_t code_point(std::string_view character) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    constexpr std::array<std::uint32_t, 5> lead_bits{0, 0x7f, 0x1f, 0x0f, 0x07};
    std::uint32_t out = byte(0) & lead_bits[character.size()];
    for (std::size_t i = 1; i < character.size(); ++i) {
        out = out << 6 | (byte(i) & 0x3fU);
    }
    return out;
}

void append_utf8(std::string& out, std::uint32_t point) {
    const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (point < 0x80) {
        add(point);
    } else if (point < 0x800) {
        add(0xc0 | point >> 6);
        add(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        add(0xe0 | point >> 12);
        add(0x80 | (point >> 6 & 0x3f));
        add(0x80 | (point & 0x3f));
    } else {
        add(0xf0 | point >> 18);
        add(0x80 | (point >> 12 & 0x3f));
        add(0x80 | (point >> 6 & 0x3f));
        add(0x80 | (point & 0x3f));
    }
}

/// Reads one identifier after the other off a text.
class Reader {
public:
    explicit Reader(std::string_view text) : left_{base::trim(text)} {}

    bool done() const { return left_.empty(); }
    bool take(char letter) {
        if (left_.empty() || left_.front() != letter) {
            return false;
        }
        left_.remove_prefix(1);
        return true;
    }
    std::optional<std::string> identifier() {
        const bool escaped = left_.size() > 2 && (left_[0] == 'U' || left_[0] == 'u') &&
                             left_[1] == '&' && left_[2] == '"';
        left_.remove_prefix(escaped ? 2 : 0);
        auto name = take('"') ? quoted(escaped) : plain();
        if (!name || name->empty()) {
            return std::nullopt;
        }
        return std::string{base::cut_bytes(*name, name_bytes_max)};
    }

private:
    std::optional<std::string> plain() {
        const std::size_t end = left_.find_first_of(".\"");
        const std::string_view name = left_.substr(0, end);
        left_.remove_prefix(name.size());
        return base::lower_ascii(name);
    }
    std::optional<std::string> quoted(bool escaped) {
        std::string out;
        while (!left_.empty()) {
            const char letter = left_.front();
            left_.remove_prefix(1);
            if (letter == '"' && !take('"')) {
                return out;
            }
            if (letter == '\\' && escaped && !take('\\')) {
                if (!append_escape(out)) {
                    return std::nullopt;
                }
            } else {
                out += letter;
            }
        }
        return std::nullopt; // the closing quote is missing
    }
    /// XXXX or +XXXXXX
    bool append_escape(std::string& out) {
        const std::size_t digits = take('+') ? 6 : 4;
        std::uint32_t point = 0;
        const std::string_view text = left_.substr(0, digits);
        const auto [end, problem] =
            std::from_chars(text.data(), text.data() + text.size(), point, 16);
        if (problem != std::errc{} || text.size() < digits || end != text.data() + digits ||
            point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        left_.remove_prefix(digits);
        append_utf8(out, point);
        return true;
    }

    std::string_view left_;
};

} // namespace

std::string sql_identifier(const std::string& name, const std::string& quoted) {
    if (base::sanitize(name) == name) {
        return quoted;
    }
    std::string out = "U&\"";
    for (std::string_view left = name; !left.empty();) {
        const std::size_t length = base::character_length(left);
        if (length == 0) { // no UTF-8: nothing can be written for it
            return quoted;
        }
        const std::uint32_t point = code_point(left.substr(0, length));
        left.remove_prefix(length);
        if (point == '"' || point == '\\') {
            out += std::string(2, static_cast<char>(point));
        } else if (point >= ' ' && point <= '~') {
            out += static_cast<char>(point);
        } else {
            char escape[16];
            std::snprintf(escape, sizeof escape, point > 0xffff ? "\\+%06X" : "\\%04X", point);
            out += escape;
        }
    }
    return out + '"';
}

std::optional<NamedRelation> read_relation_name(std::string_view text) {
    Reader reader{text};
    auto first = reader.identifier();
    if (!first) {
        return std::nullopt;
    }
    if (reader.done()) {
        return NamedRelation{.schema = {}, .name = std::move(*first)};
    }
    if (!reader.take('.')) {
        return std::nullopt;
    }
    auto second = reader.identifier();
    return second && reader.done()
               ? std::optional{NamedRelation{std::move(*first), std::move(*second)}}
               : std::nullopt;
}

} // namespace interlock::tools
