#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace interlock::base {
namespace {

/// One step through text that may be invalid. `valid` false: one byte that begins no character.
struct Character {
    char32_t code = 0;
    std::size_t length = 1;
    bool valid = false;
};

unsigned byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Well-formed UTF-8 as the Unicode Standard's table 3-7 has it: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
Character decode(std::string_view text, std::size_t at) {
    const unsigned lead = byte_at(text, at);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                               : lead >= 0xE0 && lead <= 0xEF ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 0;
    if (length == 0 || text.size() - at < length) {
        return {};
    }
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const unsigned next = byte_at(text, at + i);
        if ((next & 0xC0U) != 0x80U) {
            return {};
        }
        code = (code << 6U) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) {
        return {};
    }
    return {code, length, true};
}

/// How many printable ASCII characters stand at `at`: most text is nothing else.
std::size_t plain_length(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && text[end] >= ' ' && text[end] <= '~') {
        ++end;
    }
    return end - at;
}

/// How many ASCII bytes stand at `at`, looked at eight at a time.
std::size_t ascii_length(std::string_view text, std::size_t at) {
    constexpr std::uint64_t high_bits = 0x8080808080808080U;
    std::size_t end = at;
    std::uint64_t eight = 0;
    while (text.size() - end >= sizeof eight) {
        std::memcpy(&eight, text.data() + end, sizeof eight);
        if ((eight & high_bits) != 0) {
            break;
        }
        end += sizeof eight;
    }
    while (end < text.size() && byte_at(text, end) < 0x80) {
        ++end;
    }
    return end - at;
}

struct Range {
    char32_t first;
    char32_t last;
};

/// Characters that are invisible or that reorder or hide their neighbours; sorted.
constexpr std::array deceptive{
    Range{0x00AD, 0x00AD},   // soft hyphen
    Range{0x034F, 0x034F},   // combining grapheme joiner
    Range{0x061C, 0x061C},   // Arabic letter mark (bidi)
    Range{0x115F, 0x1160},   // Hangul fillers
    Range{0x17B4, 0x17B5},   // Khmer inherent vowels
    Range{0x180B, 0x180F},   // Mongolian variation selectors and vowel separator
    Range{0x200B, 0x200F},   // zero width; left-to-right and right-to-left marks
    Range{0x202A, 0x202E},   // bidi embeddings and overrides
    Range{0x2060, 0x206F},   // word joiner, invisible operators, bidi isolates
    Range{0x3164, 0x3164},   // Hangul filler
    Range{0xFDD0, 0xFDEF},   // noncharacters
    Range{0xFE00, 0xFE0F},   // variation selectors
    Range{0xFEFF, 0xFEFF},   // zero width no-break space
    Range{0xFFA0, 0xFFA0},   // halfwidth Hangul filler
    Range{0xFFF0, 0xFFFB},   // reserved and interlinear annotation
    Range{0x1BCA0, 0x1BCA3}, // shorthand format controls
    Range{0x1D173, 0x1D17A}, // musical format controls
    Range{0xE0000, 0xE0FFF}, // tags and further variation selectors
};

bool is_deceptive(char32_t code) {
    if ((code & 0xFFFEU) == 0xFFFEU) {
        return true; // the last two of every plane are noncharacters
    }
    const auto range = std::lower_bound(
        deceptive.begin(),
        deceptive.end(),
        code,
        [](const Range& candidate, char32_t wanted) { return candidate.last < wanted; }
    );
    return range != deceptive.end() && range->first <= code;
}

bool is_control(char32_t code) {
    return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

/// Length of a control string's body with its terminator (BEL, ESC \ or C1 ST). Without one the
/// answer is 0, so that an opener alone cannot swallow the text after it.
std::size_t string_sequence_length(std::string_view text, std::size_t body) {
    for (std::size_t i = body; i < text.size(); ++i) {
        const unsigned byte = byte_at(text, i);
        if (byte == 0x07) {
            return i + 1 - body;
        }
        const bool escape = byte == 0x1B && i + 1 < text.size() && text[i + 1] == '\\';
        const bool c1 = byte == 0xC2 && i + 1 < text.size() && byte_at(text, i + 1) == 0x9C;
        if (escape || c1) {
            return i + 2 - body;
        }
        if (byte == '\n') {
            return 0;
        }
    }
    return 0;
}

/// Length of a control sequence's parameters, intermediates and final byte; 0 when malformed.
std::size_t control_sequence_length(std::string_view text, std::size_t body) {
    std::size_t i = body;
    while (i < text.size() && byte_at(text, i) >= 0x30 && byte_at(text, i) <= 0x3F) {
        ++i;
    }
    while (i < text.size() && byte_at(text, i) >= 0x20 && byte_at(text, i) <= 0x2F) {
        ++i;
    }
    const bool final = i < text.size() && byte_at(text, i) >= 0x40 && byte_at(text, i) <= 0x7E;
    return final ? i + 1 - body : 0;
}

/// Bytes of the terminal sequence (ECMA-48) that starts here, introducer included.
std::size_t sequence_length(std::string_view text, std::size_t at, const Character& character) {
    char32_t kind = character.code;
    std::size_t body = at + character.length;
    if (kind == 0x1B) {
        if (body >= text.size() || byte_at(text, body) < 0x20 || byte_at(text, body) > 0x7E) {
            return character.length;
        }
        const unsigned next = byte_at(text, body);
        if (next < 0x40 || next > 0x5F) { // ESC, intermediates, final byte
            std::size_t i = body;
            while (i < text.size() && byte_at(text, i) >= 0x20 && byte_at(text, i) <= 0x2F) {
                ++i;
            }
            const bool final =
                i < text.size() && byte_at(text, i) >= 0x30 && byte_at(text, i) <= 0x7E;
            return final ? i + 1 - at : character.length;
        }
        kind = next + 0x40; // ESC [ is the seven-bit form of U+009B
        ++body;
    }
    const std::size_t introducer = body - at;
    switch (kind) {
    case 0x9B:
        return introducer + control_sequence_length(text, body);
    case 0x90:
    case 0x98:
    case 0x9D:
    case 0x9E:
    case 0x9F:
        return introducer + string_sequence_length(text, body);
    default:
        return introducer;
    }
}

/// Byte offset of the character with index `characters`, or the end.
std::size_t offset_of(std::string_view text, std::size_t characters) {
    std::size_t at = 0;
    for (; characters > 0 && at < text.size(); --characters) {
        at += decode(text, at).length;
    }
    return at;
}

} // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t at = ascii_length(text, 0); at < text.size();) {
        const Character character = decode(text, at);
        if (!character.valid) {
            return false;
        }
        at += character.length;
        at += ascii_length(text, at);
    }
    return true;
}

std::size_t character_length(std::string_view text) {
    const Character character = decode(text, 0);
    return character.valid ? character.length : 0;
}

std::size_t count_characters(std::string_view text) {
    std::size_t at = ascii_length(text, 0);
    std::size_t count = at;
    while (at < text.size()) {
        at += decode(text, at).length;
        const std::size_t ascii = ascii_length(text, at);
        at += ascii;
        count += 1 + ascii;
    }
    return count;
}

std::string sanitize(std::string_view hostile, bool keep_newlines) {
    std::string out;
    out.reserve(hostile.size());
    for (std::size_t at = 0; at < hostile.size();) {
        if (const std::size_t plain = plain_length(hostile, at); plain > 0) {
            out += hostile.substr(at, plain);
            at += plain;
            continue;
        }
        const Character character = decode(hostile, at);
        if (!character.valid) {
            out += "\xEF\xBF\xBD";
            ++at;
        } else if (character.code == '\n' || character.code == '\t') {
            out += keep_newlines ? static_cast<char>(character.code) : ' ';
            ++at;
        } else if (character.code == 0x2028 || character.code == 0x2029) {
            out += ' '; // line and paragraph separators: a reader may break the line at them
            at += character.length;
        } else if (is_control(character.code)) {
            at += sequence_length(hostile, at, character);
        } else {
            if (!is_deceptive(character.code)) {
                out += hostile.substr(at, character.length);
            }
            at += character.length;
        }
    }
    return out;
}

std::string escape_non_ascii(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::array<char, 16> escape{};
    for (std::size_t at = 0; at < text.size();) {
        const Character character = decode(text, at);
        const char32_t code = character.code;
        if (!character.valid) {
            std::snprintf(escape.data(), escape.size(), "\\x{%x}", byte_at(text, at));
            out += escape.data();
        } else if (code == '\n' || code == '\t' || (code >= 0x20 && code < 0x7F)) {
            out += static_cast<char>(code);
        } else {
            std::snprintf(escape.data(), escape.size(), "\\u{%x}", static_cast<unsigned>(code));
            out += escape.data();
        }
        at += character.length;
    }
    return out;
}

std::string cut_middle(std::string_view text, std::size_t characters_max) {
    // No character has less than a byte.
    const std::size_t total = text.size() <= characters_max ? text.size() : count_characters(text);
    if (total <= characters_max) {
        return std::string(text);
    }
    // The marker counts too, and its length depends on the number in it.
    std::string marker;
    std::size_t kept = characters_max;
    for (int round = 0; round < 3; ++round) {
        marker = "[... " + std::to_string(total - kept) + " characters left out ...]";
        if (marker.size() + 2 > characters_max) {
            return std::string(text.substr(0, offset_of(text, characters_max)));
        }
        kept = characters_max - marker.size();
    }
    marker = "[... " + std::to_string(total - kept) + " characters left out ...]";
    const std::size_t head = kept - kept / 2;
    std::string out(text.substr(0, offset_of(text, head)));
    out += marker;
    out += text.substr(offset_of(text, total - kept / 2));
    return out;
}

std::string_view cut_bytes(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text;
    }
    // A character has at most four bytes, so its lead is at most three bytes back.
    for (std::size_t back = 0; back <= 3 && back <= bytes_max; ++back) {
        const std::size_t start = bytes_max - back;
        if ((byte_at(text, start) & 0xC0U) != 0x80U) {
            const Character character = decode(text, start);
            return text.substr(0, character.valid ? start : bytes_max);
        }
    }
    return text.substr(0, bytes_max);
}

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char letter : text) {
        switch (letter) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += letter;
        }
    }
    return out;
}

bool is_token_character(char letter) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || marks.find(letter) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

std::string lower_ascii(std::string_view text) {
    std::string out(text);
    for (char& letter : out) {
        if (letter >= 'A' && letter <= 'Z') {
            letter = static_cast<char>(letter - 'A' + 'a');
        }
    }
    return out;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n\f\v";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

} // namespace interlock::base
