// What http_server.hpp promises about requests and addresses, apart from sockets.
#include "base/http_server.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>

namespace interlock::base {
namespace {

bool same_name(std::string_view left, std::string_view right) {
    const auto lower = [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
    };
    return left.size() == right.size() &&
           std::equal(left.begin(), left.end(), right.begin(), [&](char one, char other) {
               return lower(one) == lower(other);
           });
}

bool is_ipv4(const std::string& address) {
    std::array<unsigned char, 4> bytes{};
    return ::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
}

std::optional<std::array<unsigned char, 16>> ipv6_bytes(const std::string& address) {
    std::array<unsigned char, 16> bytes{};
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) {
        return std::nullopt;
    }
    return bytes;
}

bool is_allowed(
    std::string_view authority, const std::vector<std::string>& allowed_hosts, unsigned short port
) {
    const std::string wanted = lower_ascii(authority);
    return std::any_of(allowed_hosts.begin(), allowed_hosts.end(), [&](const std::string& entry) {
        const std::string host =
            ipv6_bytes(entry) ? "[" + lower_ascii(entry) + "]" : lower_ascii(entry);
        return wanted == host || wanted == host + ":" + std::to_string(port);
    });
}

HttpResponse forbidden(std::string_view why) {
    return HttpResponse{
        403, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(why) + "\n"};
}

} // namespace

std::optional<std::string> HttpRequest::header(std::string_view name) const {
    std::optional<std::string> found;
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) {
            if (found) {
                return std::nullopt;
            }
            found = std::string(trim(value));
        }
    }
    return found;
}

std::size_t HttpRequest::header_count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        headers.begin(),
        headers.end(),
        [&](const auto& header) { return same_name(header.first, name); }
    ));
}

Result<std::pair<std::string, unsigned short>> parse_listen_address(std::string_view text) {
    const Error malformed{
        Errc::invalid_input,
        "`" + cut_middle(sanitize(text), 80) + "` is not an address to listen on.",
        "Write it as 127.0.0.1:8080 or [::1]:8080."};
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return malformed;
    }
    const std::string_view digits = text.substr(colon + 1);
    unsigned short port = 0;
    const char* end = digits.data() + digits.size();
    const auto [stopped, problem] = std::from_chars(digits.data(), end, port);
    if (problem != std::errc{} || stopped != end) {
        return malformed;
    }
    std::string address(text.substr(0, colon));
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
        if (!ipv6_bytes(address)) {
            return malformed;
        }
    } else if (address == "localhost") {
        address = "127.0.0.1";
    } else if (!is_ipv4(address)) {
        return malformed;
    }
    return std::pair{address, port};
}

bool is_loopback(std::string_view address) {
    const std::string text(address);
    if (is_ipv4(text)) {
        return text.starts_with("127.");
    }
    const auto bytes = ipv6_bytes(text);
    if (!bytes) {
        return false;
    }
    std::array<unsigned char, 16> one{};
    one.back() = 1;
    std::array<unsigned char, 13> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127};
    return *bytes == one || std::equal(mapped.begin(), mapped.end(), bytes->begin());
}

std::optional<HttpResponse> refuse_foreign_host(
    const HttpRequest& request, const std::vector<std::string>& allowed_hosts, unsigned short port
) {
    const auto host = request.header("Host");
    if (!host || !is_allowed(*host, allowed_hosts, port)) {
        return forbidden("This server is not known by the name in the Host header.");
    }
    if (request.header_count("Origin") == 0) {
        return std::nullopt; // not a browser
    }
    const std::string origin = request.header("Origin").value_or("");
    const auto scheme_end = origin.find("://");
    const std::string scheme = lower_ascii(origin.substr(0, scheme_end));
    if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https") ||
        !is_allowed(origin.substr(scheme_end + 3), allowed_hosts, port)) {
        return forbidden("Pages of another origin may not call this server.");
    }
    return std::nullopt;
}

} // namespace interlock::base
