#include "server/cross_origin.hpp"

#include "base/text.hpp"
#include "server/http_gate.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace interlock::server {
namespace {

using base::HttpRequest;

constexpr std::string_view metadata_prefix = "/.well-known/";
constexpr const char* methods = "POST, GET, DELETE";
constexpr const char* readable = "Mcp-Session-Id, WWW-Authenticate, Retry-After";
constexpr const char* remembered_seconds = "600";
constexpr std::array<std::string_view, 12> request_headers{
    "accept",
    "authorization",
    "baggage",
    "cache-control",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate"};
constexpr std::string_view parameter_prefix = "mcp-param-";

/// Of what a page wants to send, what the protocol knows.
std::string allowed_headers(std::string_view wanted) {
    std::string out;
    while (!wanted.empty()) {
        const auto comma = wanted.find(',');
        const std::string name = base::lower_ascii(base::trim(wanted.substr(0, comma)));
        wanted = comma == std::string_view::npos ? "" : wanted.substr(comma + 1);
        const bool known = std::find(request_headers.begin(), request_headers.end(), name) !=
                           request_headers.end();
        if (known || name.starts_with(parameter_prefix)) {
            out += (out.empty() ? "" : ", ") + name;
        }
    }
    return out;
}

bool is_for_pages(const HttpRequest& request) {
    return request.path == mcp_path || request.path.starts_with(metadata_prefix);
}

} // namespace

CrossOrigin::CrossOrigin(const std::vector<std::string>& allowed_origins) {
    for (const std::string& origin : allowed_origins) {
        origins_.push_back(base::lower_ascii(origin));
    }
}

bool CrossOrigin::allows(const HttpRequest& request) const {
    const auto origin = request.header("Origin"); // nothing when it stands twice
    return origin && std::find(origins_.begin(), origins_.end(), base::lower_ascii(*origin)) !=
                         origins_.end();
}

bool CrossOrigin::is_preflight(const HttpRequest& request) const {
    return request.method == "OPTIONS" && is_for_pages(request) &&
           request.header_count("Access-Control-Request-Method") == 1 &&
           request.header_count("Content-Length") == 0 &&
           request.header_count("Transfer-Encoding") == 0 && allows(request);
}

base::HttpResponse CrossOrigin::answer_preflight(const HttpRequest& request) const {
    base::HttpResponse response{204, headers(request), {}};
    response.headers.emplace_back("Access-Control-Allow-Methods", methods);
    const std::string names =
        allowed_headers(request.header("Access-Control-Request-Headers").value_or(""));
    if (!names.empty()) {
        response.headers.emplace_back("Access-Control-Allow-Headers", names);
    }
    response.headers.emplace_back("Access-Control-Max-Age", remembered_seconds);
    return response;
}

base::HttpHeaders CrossOrigin::headers(const HttpRequest& request) const {
    if (origins_.empty() || !is_for_pages(request)) {
        return {};
    }
    // Said to everybody: what a cache keeps for one origin is not for another.
    base::HttpHeaders out{{"Vary", "Origin"}};
    if (allows(request)) {
        out.emplace_back("Access-Control-Allow-Origin", request.header("Origin").value_or(""));
        out.emplace_back("Access-Control-Expose-Headers", readable);
    }
    return out;
}

} // namespace interlock::server
