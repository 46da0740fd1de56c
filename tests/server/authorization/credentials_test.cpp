#include "server/authorization/credentials.hpp"

#include <optional>

#include <catch2/catch.hpp>

namespace interlock::server {
namespace {

/// The token, or nullopt for misuse.
std::optional<std::string> read(base::HttpHeaders headers, std::string query = "") {
    base::HttpRequest request;
    request.headers = std::move(headers);
    request.query = std::move(query);
    const auto outcome = read_credentials(request);
    const auto* token = std::get_if<std::string>(&outcome);
    return token == nullptr ? std::nullopt : std::optional(*token);
}

} // namespace

TEST_CASE("a bearer token stands in one Authorization header", "[server][auth]") {
    CHECK(read({{"Authorization", "Bearer abc.def-_~+/=="}}) == "abc.def-_~+/==");
    CHECK(read({{"authorization", "bEARER  abc"}}) == "abc");
    CHECK(read({{"Authorization", "  Bearer abc  "}}) == "abc");
}

TEST_CASE("no credentials, or those of another scheme, are no token", "[server][auth]") {
    CHECK(read({}) == "");
    CHECK(read({{"X-Authorization", "Bearer abc"}}) == "");
    CHECK(read({{"Authorization", ""}}) == "");
    CHECK(read({{"Authorization", "Basic YTpi"}}) == "");
    CHECK(read({{"Authorization", "DPoP abc"}}) == "");
    CHECK(read({{"Authorization", "BearerX abc"}}) == "");
    CHECK(read({{"Authorization", "Bearer\tabc"}}) == "");
}

TEST_CASE("credentials that could be read in two ways are misuse", "[server][auth]") {
    CHECK_FALSE(read({{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}));
    CHECK_FALSE(read({{"Authorization", "Bearer a"}, {"Authorization", "Basic b"}}));
    for (const char* bad :
         {"Bearer",
          "Bearer ",
          "Bearer a b",
          "Bearer a,b",
          "Bearer a, Bearer b",
          "Bearer \"a\"",
          "Bearer =",
          "Bearer a=b",
          "Bearer a\tb",
          "Bearer \xc3\xa4",
          "Bearer a;b",
          "Bearer {}"}) {
        INFO(bad);
        CHECK_FALSE(read({{"Authorization", bad}}));
    }
}

TEST_CASE("a token in the query is misuse however the name is written", "[server][auth]") {
    for (const char* query :
         {"access_token=abc",
          "a=b&access_token=abc",
          "access_token",
          "Access_Token=abc",
          "access%5Ftoken=abc",
          "%61ccess_token=abc&x",
          "&&access_token="}) {
        INFO(query);
        CHECK_FALSE(read({{"Authorization", "Bearer abc"}}, query));
        CHECK_FALSE(read({}, query));
    }
    for (const char* query :
         {"", "toolsets=triage", "x=access_token", "access_token_x=1", "%", "%5"}) {
        INFO(query);
        CHECK(read({{"Authorization", "Bearer abc"}}, query) == "abc");
    }
}

} // namespace interlock::server
