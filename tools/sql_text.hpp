// Statements that differ from one version of PostgreSQL to the next in a line or two: what they
// share is written once, and the texts are put together by the compiler.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace interlock::tools {

/// The characters of several texts, one after the other.
template <const std::string_view&... Parts>
inline constexpr auto joined_characters = [] {
    std::array<char, (Parts.size() + ...)> out{};
    auto at = out.begin();
    ((at = std::copy(Parts.begin(), Parts.end(), at)), ...);
    return out;
}();

/// Several texts as one that lives as long as the program.
template <const std::string_view&... Parts>
inline constexpr std::string_view joined{
    joined_characters<Parts...>.data(), joined_characters<Parts...>.size()};

} // namespace interlock::tools
