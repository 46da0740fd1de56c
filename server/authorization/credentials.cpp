#include "server/authorization/credentials.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <string_view>

namespace interlock::server {
namespace {

/// The name of a query parameter with its escapes resolved, as any reader of URLs would see it.
std::string parameter_name(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    const std::string lower = base::lower_ascii(text);
    std::string name;
    for (std::size_t i = 0; i < lower.size(); ++i) {
        const auto high = i + 2 < lower.size() ? digits.find(lower[i + 1]) : std::string::npos;
        const auto low = i + 2 < lower.size() ? digits.find(lower[i + 2]) : std::string::npos;
        if (lower[i] == '%' && high != std::string::npos && low != std::string::npos) {
            name += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            name += lower[i];
        }
    }
    return name;
}

bool has_token_in_query(std::string_view query) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        if (parameter_name(pair.substr(0, pair.find('='))) == "access_token") {
            return true;
        }
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    return false;
}

/// The token68 of RFC 9110: one or more of these, then any number of '='.
bool is_token68(std::string_view text) {
    const auto is_plain = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("-._~+/").find(c) != std::string_view::npos;
    };
    const auto padding = std::find_if_not(text.begin(), text.end(), is_plain);
    return padding != text.begin() &&
           std::all_of(padding, text.end(), [](char c) { return c == '='; });
}

} // namespace

std::variant<std::string, CredentialsMisuse> read_credentials(const base::HttpRequest& request) {
    if (has_token_in_query(request.query)) {
        // It stands in logs of every proxy on the way already: it must not work, too.
        return CredentialsMisuse{"Access tokens are taken in the Authorization header only."};
    }
    const std::size_t count = request.header_count("Authorization");
    if (count > 1) {
        return CredentialsMisuse{"The Authorization header must come exactly once."};
    }
    const std::string value = request.header("Authorization").value_or("");
    const auto scheme_end = std::min(value.find(' '), value.size());
    if (base::lower_ascii(value.substr(0, scheme_end)) != "bearer") {
        return std::string{};
    }
    const auto token_at = std::min(value.find_first_not_of(' ', scheme_end), value.size());
    std::string token = value.substr(token_at);
    if (!is_token68(token)) {
        return CredentialsMisuse{"The Authorization header must be `Bearer` and one token."};
    }
    return token;
}

} // namespace interlock::server
