#include "server/one_line.hpp"

namespace interlock::server {
namespace {

struct Separator {
    std::string_view bytes;
    std::string_view replacement;
};

constexpr Separator separators[] = {
    {"\n", " "},
    {"\r", " "},
    {"\xC2\x85", "\\u0085"},
    {"\xE2\x80\xA8", "\\u2028"},
    {"\xE2\x80\xA9", "\\u2029"}};

bool may_begin_separator(char letter) {
    return letter == '\n' || letter == '\r' || letter == '\xC2' || letter == '\xE2';
}

} // namespace

std::string one_line(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    std::size_t copied = 0;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (!may_begin_separator(json[i])) {
            continue;
        }
        for (const auto& [bytes, replacement] : separators) {
            if (json.substr(i).starts_with(bytes)) {
                out.append(json, copied, i - copied).append(replacement);
                copied = i + bytes.size();
                break;
            }
        }
    }
    return out.append(json, copied);
}

} // namespace interlock::server
