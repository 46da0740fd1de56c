#include "server/cross_origin.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::CrossOrigin;

const CrossOrigin pages({"https://App.example"});

HttpRequest request(const std::string& method, HttpHeaders headers, std::string path = "/mcp") {
    HttpRequest made;
    made.method = method;
    made.path = std::move(path);
    made.headers = std::move(headers);
    return made;
}

std::string header(const HttpHeaders& headers, const std::string& name) {
    return request("", headers).header(name).value_or("(none)");
}

HttpRequest preflight(HttpHeaders more = {}) {
    HttpHeaders headers{
        {"Origin", "https://app.example"},
        {"Access-Control-Request-Method", "POST"},
        {"Access-Control-Request-Headers", "authorization,Content-Type, X-Other,mcp-param-region"}};
    headers.insert(headers.end(), more.begin(), more.end());
    return request("OPTIONS", headers);
}

} // namespace

TEST_CASE("answers name the allowed origin that asked, and no other", "[server]") {
    const auto named = pages.headers(request("POST", {{"Origin", "https://app.example"}}));
    CHECK(header(named, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK_THAT(
        header(named, "Access-Control-Expose-Headers"),
        Catch::Contains("Mcp-Session-Id") && Catch::Contains("WWW-Authenticate")
    );
    CHECK(header(named, "Access-Control-Allow-Credentials") == "(none)");
    for (const HttpHeaders& others :
         {HttpHeaders{},
          HttpHeaders{{"Origin", "null"}},
          HttpHeaders{{"Origin", "https://app.example.evil"}},
          HttpHeaders{{"Origin", "http://app.example"}},
          HttpHeaders{{"Origin", "https://app.example"}, {"Origin", "https://evil"}}}) {
        const auto said = pages.headers(request("POST", others));
        CHECK(header(said, "Vary") == "Origin");
        CHECK(header(said, "Access-Control-Allow-Origin") == "(none)");
    }
    CHECK(pages.headers(request("GET", {{"Origin", "https://app.example"}}, "/metrics")).empty());
    const CrossOrigin nobody({});
    CHECK(nobody.headers(request("POST", {{"Origin", "https://app.example"}})).empty());
    CHECK_FALSE(nobody.is_preflight(preflight()));
}

TEST_CASE("a preflight is told what the protocol needs and nothing more", "[server]") {
    REQUIRE(pages.is_preflight(preflight()));
    const HttpResponse answer = pages.answer_preflight(preflight());
    CHECK(answer.status == 204);
    CHECK(answer.body.empty());
    CHECK(header(answer.headers, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK(header(answer.headers, "Access-Control-Allow-Methods") == "POST, GET, DELETE");
    CHECK(
        header(answer.headers, "Access-Control-Allow-Headers") ==
        "authorization, content-type, mcp-param-region"
    );
    CHECK(header(answer.headers, "Vary") == "Origin");
}

TEST_CASE("what only looks like a preflight is none", "[server]") {
    CHECK_FALSE(pages.is_preflight(preflight({{"Content-Length", "9"}})));
    CHECK_FALSE(pages.is_preflight(preflight({{"Transfer-Encoding", "chunked"}})));
    CHECK_FALSE(pages.is_preflight(preflight({{"Origin", "https://app.example"}})));
    HttpRequest posted = preflight();
    posted.method = "POST";
    CHECK_FALSE(pages.is_preflight(posted));
    HttpRequest elsewhere = preflight();
    elsewhere.path = "/metrics";
    CHECK_FALSE(pages.is_preflight(elsewhere));
    CHECK_FALSE(pages.is_preflight(request("OPTIONS", {{"Origin", "https://app.example"}})));
}
