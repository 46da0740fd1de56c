#include "base/json.hpp"
#include "server/authorization/metadata.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

constexpr const char* well_known = "/.well-known/oauth-protected-resource";

AuthorizationOptions options_for(const std::string& resource) {
    AuthorizationOptions options;
    options.resource = resource;
    options.issuers = {{"https://as.example", "keys.json", {"RS256"}}};
    return options;
}

Metadata metadata_for(const std::string& resource) {
    const auto metadata = Metadata::of(options_for(resource));
    REQUIRE(metadata.ok());
    return *metadata;
}

std::optional<base::Json> document(const Metadata& metadata, const std::string& path) {
    base::HttpRequest request;
    request.method = "GET";
    request.path = path;
    const auto response = metadata.answer(request);
    if (!response) {
        return std::nullopt;
    }
    CHECK(response->status == 200);
    const auto json = base::parse_json(response->body);
    REQUIRE(json.ok());
    return *json;
}

std::string header(const base::HttpResponse& response, std::string_view name) {
    base::HttpRequest lookup;
    lookup.headers = response.headers;
    return lookup.header(name).value_or("");
}

} // namespace

TEST_CASE("each metadata document names the resource its address was made from", "[auth]") {
    const auto metadata = metadata_for("https://Host.example:8443/mcp");
    const auto of_path = document(metadata, std::string(well_known) + "/mcp");
    REQUIRE(of_path);
    CHECK(of_path->at("resource") == "https://host.example:8443/mcp");
    CHECK(of_path->at("authorization_servers") == base::Json::array({"https://as.example"}));
    CHECK(of_path->at("scopes_supported") == base::Json::array({"interlock"}));
    CHECK(of_path->at("bearer_methods_supported") == base::Json::array({"header"}));
    const auto of_root = document(metadata, well_known);
    REQUIRE(of_root);
    CHECK(of_root->at("resource") == "https://host.example:8443");
    CHECK(of_root->at("authorization_servers") == of_path->at("authorization_servers"));
    for (const char* other :
         {"/mcp",
          "/.well-known/",
          "/.well-known/oauth-protected-resource/",
          "/.well-known/oauth-protected-resource/MCP"}) {
        CHECK_FALSE(document(metadata, other));
    }
}

TEST_CASE("a resource without a path has one document", "[server][auth]") {
    CHECK(
        document(metadata_for("https://h.example"), well_known)->at("resource") ==
        "https://h.example"
    );
    CHECK(
        document(metadata_for("https://h.example/"), well_known)->at("resource") ==
        "https://h.example/"
    );
}

TEST_CASE("metadata is only read", "[server][auth]") {
    base::HttpRequest request;
    request.method = "POST";
    request.path = well_known;
    const auto response = metadata_for("https://h.example/mcp").answer(request);
    REQUIRE(response);
    CHECK(response->status == 405);
    CHECK(header(*response, "Allow") == "GET, HEAD");
}

TEST_CASE("metadata that clients could not read is refused at the start", "[server][auth]") {
    auto options = options_for("https://h.example/mcp");
    for (int i = 0; i < 20; ++i) {
        options.issuers.push_back({"https://as.example/" + std::string(1'000, 'a'), "k", {}});
    }
    CHECK(Metadata::of(options).error().code == base::Errc::limit_exceeded);
}

TEST_CASE("challenges say where to get a token and never why one was bad", "[server][auth]") {
    const auto metadata = metadata_for("https://h.example/mcp");
    const std::string url =
        "resource_metadata=\"https://h.example" + std::string(well_known) + "/mcp\"";

    const auto none = metadata.token_required();
    CHECK(none.status == 401);
    CHECK(header(none, "WWW-Authenticate") == "Bearer " + url + ", scope=\"interlock\"");

    const auto invalid = metadata.invalid_token(false);
    CHECK(invalid.status == 401);
    CHECK(
        header(invalid, "WWW-Authenticate") ==
        "Bearer error=\"invalid_token\", error_description=\"The access token is not valid for "
        "this server.\", " +
            url + ", scope=\"interlock\""
    );
    CHECK(
        header(metadata.invalid_token(true), "WWW-Authenticate").find("expired") !=
        std::string::npos
    );

    const auto misuse = metadata.invalid_request("Send one.");
    CHECK(misuse.status == 400);
    CHECK(
        header(misuse, "WWW-Authenticate") ==
        "Bearer error=\"invalid_request\", error_description=\"Send one.\", " + url
    );

    const auto missing = metadata.keys_missing();
    CHECK(missing.status == 503);
    CHECK(header(missing, "Retry-After") == "1");

    const auto nobody = metadata.not_mapped();
    CHECK(nobody.status == 403);
    CHECK(header(nobody, "WWW-Authenticate").empty());
}

TEST_CASE("a scope that is missing is named with everything a step up needs", "[server][auth]") {
    const auto metadata = metadata_for("https://h.example/mcp");
    const auto response = metadata.insufficient_scope("interlock:planning interlock:triage", "{}");
    CHECK(response.status == 403);
    CHECK(response.body == "{}");
    CHECK(
        header(response, "WWW-Authenticate") ==
        "Bearer error=\"insufficient_scope\", scope=\"interlock:planning interlock:triage\", "
        "resource_metadata=\"https://h.example/.well-known/oauth-protected-resource/mcp\", "
        "error_description=\"The access token does not carry the scope this call needs.\""
    );
    const auto hostile = metadata.insufficient_scope("a\"\r\nX: y\\", "");
    CHECK(header(hostile, "WWW-Authenticate").find("scope=\"aX: y\"") != std::string::npos);
    CHECK_FALSE(hostile.body.empty());
}

} // namespace interlock::server
