#include "server/authorization/url.hpp"

#include "base/http_server.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;

constexpr std::size_t url_bytes_max = 1'024;

bool is_port(std::string_view text) {
    unsigned short port = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, problem] = std::from_chars(text.data(), end, port);
    return problem == std::errc{} && stopped == end && port != 0;
}

std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) {
        return authority.substr(0, authority.find(']') + 1);
    }
    return authority.substr(0, authority.find(':'));
}

bool is_authority(std::string_view authority) {
    const std::string_view host = host_of(authority);
    const std::string_view rest = authority.substr(host.size());
    const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
    const std::string_view inner = bracketed ? host.substr(1, host.size() - 2) : host;
    const std::string_view allowed =
        bracketed ? "0123456789abcdef:." : "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    return !inner.empty() && inner.find_first_not_of(allowed) == std::string_view::npos &&
           (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1))));
}

/// Printable ASCII that needs no quotes anywhere: neither in a header nor in JSON.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < 0x7F && std::string_view("\"\\<>^`{|}").find(c) == std::string::npos;
    });
}

/// Without the port that its scheme means anyway, as clients write it.
std::string_view without_usual_port(std::string_view scheme, std::string_view authority) {
    const std::string_view usual = scheme == "https" ? ":443" : ":80";
    if (authority.ends_with(usual)) {
        authority.remove_suffix(usual.size());
    }
    return authority;
}

} // namespace

bool Url::is_local() const {
    std::string_view host = host_of(authority);
    if (host.starts_with('[')) {
        host = host.substr(1, host.size() - 2);
    }
    return host == "localhost" || base::is_loopback(host);
}

base::Result<Url> parse_url(std::string_view text) {
    const Error malformed{
        Errc::invalid_input,
        "`" + base::cut_middle(base::sanitize(text), 120) + "` is not a URL that can be used here",
        "Write it as https://host/path, without user, query and fragment."};
    const auto scheme_end = text.find("://");
    if (text.size() > url_bytes_max || scheme_end == std::string_view::npos || !is_plain(text) ||
        text.find_first_of("?#@") != std::string_view::npos) {
        return malformed;
    }
    Url url;
    url.scheme = base::lower_ascii(text.substr(0, scheme_end));
    const std::string_view rest = text.substr(scheme_end + 3);
    const auto path_at = std::min(rest.find('/'), rest.size());
    url.authority = base::lower_ascii(rest.substr(0, path_at));
    url.path = rest.substr(path_at);
    if ((url.scheme != "https" && url.scheme != "http") || !is_authority(url.authority)) {
        return malformed;
    }
    url.authority = without_usual_port(url.scheme, url.authority);
    return url;
}

std::string normal_resource(std::string_view text) {
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) {
        return std::string(text);
    }
    const auto path_at = std::min(text.find_first_of("/?#", scheme_end + 3), text.size());
    const std::string scheme = base::lower_ascii(text.substr(0, scheme_end));
    const std::string authority =
        base::lower_ascii(text.substr(scheme_end + 3, path_at - scheme_end - 3));
    const std::string_view path = text.substr(path_at) == "/" ? "" : text.substr(path_at);
    return scheme + "://" + std::string(without_usual_port(scheme, authority)) + std::string(path);
}

} // namespace interlock::server
