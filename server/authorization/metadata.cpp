#include "server/authorization/metadata.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "server/authorization/rules.hpp"
#include "server/authorization/url.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

namespace limits = base::limits;
using base::HttpResponse;
using base::Json;

constexpr const char* well_known = "/.well-known/oauth-protected-resource";
constexpr const char* json_type = "application/json";

std::string document(const AuthorizationOptions& options, const std::string& resource) {
    Json servers = Json::array();
    for (const Issuer& issuer : options.issuers) {
        servers.push_back(issuer.issuer);
    }
    return base::render_json(
        {{"resource", resource},
         {"authorization_servers", std::move(servers)},
         {"scopes_supported", Json::array({whole_scope})},
         {"bearer_methods_supported", Json::array({"header"})}}
    );
}

/// A parameter of a challenge; what would end the quotes or the header is left out.
std::string parameter(const char* name, std::string_view value) {
    std::string text = std::string(name) + "=\"";
    for (const char c : value) {
        if (c >= ' ' && c < 0x7F && c != '"' && c != '\\') {
            text += c;
        }
    }
    return text + "\"";
}

HttpResponse refusal(unsigned status, const char* code, std::string_view why) {
    return {
        status,
        {{"Content-Type", json_type}, {"Cache-Control", "no-store"}},
        base::render_json({{"error", code}, {"error_description", std::string(why)}})};
}

HttpResponse challenged(HttpResponse response, const std::string& parameters) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer " + parameters);
    return response;
}

} // namespace

base::Result<Metadata> Metadata::of(const AuthorizationOptions& options) {
    const auto parsed = parse_url(options.resource);
    if (!parsed) {
        return parsed.error();
    }
    const Url& resource = parsed.value();
    // Each document names the identifier that its own address was made from, and no other.
    const std::string path = resource.path == "/" ? "" : resource.path;
    Metadata metadata;
    metadata.url_ = resource.origin() + well_known + path;
    metadata.documents_[well_known] = document(options, resource.origin());
    metadata.documents_[well_known + path] =
        document(options, path.empty() ? options.resource : resource.text());
    for (const auto& [at, text] : metadata.documents_) {
        if (text.size() > limits::resource_metadata_bytes_max) {
            return base::Error{
                base::Errc::limit_exceeded,
                "The metadata that clients read would be larger than " +
                    std::to_string(limits::resource_metadata_bytes_max) + " bytes.",
                "Configure fewer issuers."};
        }
    }
    return metadata;
}

std::optional<HttpResponse> Metadata::answer(const base::HttpRequest& request) const {
    const auto found = documents_.find(request.path);
    if (found == documents_.end()) {
        return std::nullopt;
    }
    if (request.method != "GET" && request.method != "HEAD") {
        HttpResponse response = refusal(405, "method_not_allowed", "This document is only read.");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return response;
    }
    return HttpResponse{
        200,
        {{"Content-Type", json_type},
         {"Cache-Control", "public, max-age=300"},
         {"X-Content-Type-Options", "nosniff"}},
        found->second};
}

HttpResponse Metadata::token_required() const {
    // RFC 6750: a request without credentials is told where to go, not that it made an error.
    HttpResponse response = refusal(401, "unauthorized", "This server needs an access token.");
    return challenged(
        std::move(response),
        parameter("resource_metadata", url_) + ", " + parameter("scope", whole_scope)
    );
}

HttpResponse Metadata::invalid_token(bool expired) const {
    const char* why =
        expired ? "The access token expired." : "The access token is not valid for this server.";
    return challenged(
        refusal(401, "invalid_token", why),
        parameter("error", "invalid_token") + ", " + parameter("error_description", why) + ", " +
            parameter("resource_metadata", url_) + ", " + parameter("scope", whole_scope)
    );
}

HttpResponse Metadata::invalid_request(std::string_view why) const {
    return challenged(
        refusal(400, "invalid_request", why),
        parameter("error", "invalid_request") + ", " + parameter("error_description", why) + ", " +
            parameter("resource_metadata", url_)
    );
}

HttpResponse Metadata::insufficient_scope(const std::string& scopes, std::string body) const {
    constexpr const char* why = "The access token does not carry the scope this call needs.";
    HttpResponse response = refusal(403, "insufficient_scope", why);
    if (!body.empty()) {
        response.body = std::move(body);
    }
    return challenged(
        std::move(response),
        parameter("error", "insufficient_scope") + ", " + parameter("scope", scopes) + ", " +
            parameter("resource_metadata", url_) + ", " + parameter("error_description", why)
    );
}

HttpResponse Metadata::not_mapped() const {
    return refusal(
        403,
        "access_denied",
        "You are known, but nothing here is open to you. Ask the operator of this server for a "
        "rule that maps you to a database role."
    );
}

HttpResponse Metadata::keys_missing() const {
    HttpResponse response = refusal(
        503,
        "temporarily_unavailable",
        "The keys that verify access tokens are not there at the moment. Try again."
    );
    response.headers.emplace_back("Retry-After", std::to_string(limits::busy_retry_after.count()));
    return response;
}

} // namespace interlock::server
