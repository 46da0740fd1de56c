#include "base/http_server.hpp"

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

std::optional<HttpResponse> judge(HttpHeaders headers) {
    HttpRequest request;
    request.headers = std::move(headers);
    return refuse_foreign_host(request, {"localhost", "127.0.0.1", "::1", "db.example:443"}, 8080);
}

} // namespace

TEST_CASE("a listen address is an address and a port", "[base]") {
    CHECK(
        *parse_listen_address("127.0.0.1:8080") ==
        std::pair{std::string("127.0.0.1"), (unsigned short)8080}
    );
    CHECK(parse_listen_address("[::1]:0")->first == "::1");
    CHECK(parse_listen_address("localhost:1")->first == "127.0.0.1");
    CHECK(parse_listen_address("0.0.0.0:65535")->second == 65535);
    for (const char* bad :
         {"",
          ":",
          ":80",
          "8080",
          "127.0.0.1",
          "127.0.0.1:",
          "127.0.0.1:65536",
          "127.0.0.1:-1",
          "127.0.0.1:80x",
          "127.0.0.1: 80",
          "::1:80",
          "[::1]",
          "[127.0.0.1]:80",
          "example.com:80",
          "[::1:80",
          "1.2.3:80"}) {
        CAPTURE(bad);
        const auto parsed = parse_listen_address(bad);
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().code == Errc::invalid_input);
    }
}

TEST_CASE("loopback is 127/8 and ::1, in any spelling", "[base]") {
    for (const char* address :
         {"127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"}) {
        CHECK(is_loopback(address));
    }
    for (const char* address :
         {"", "0.0.0.0", "10.0.0.1", "128.0.0.1", "::", "::2", "::ffff:10.0.0.1", "localhost"}) {
        CHECK_FALSE(is_loopback(address));
    }
}

TEST_CASE("a request under one of our names passes", "[base]") {
    CHECK_FALSE(judge({{"Host", "localhost"}}));
    CHECK_FALSE(judge({{"host", "LOCALHOST:8080"}}));
    CHECK_FALSE(judge({{"Host", "127.0.0.1:8080"}, {"Origin", "http://127.0.0.1:8080"}}));
    CHECK_FALSE(judge({{"Host", "[::1]:8080"}, {"Origin", "https://localhost"}}));
    CHECK_FALSE(judge({{"Host", "db.example:443"}}));
}

TEST_CASE("a foreign, missing or double Host is refused", "[base]") {
    for (const char* host :
         {"evil.example",
          "localhost.evil.example",
          "localhost:8081",
          "localhost:",
          "localhost@evil",
          "",
          "127.0.0.1.",
          "::1",
          "[::1",
          "db.example"}) {
        CAPTURE(host);
        const auto refusal = judge({{"Host", host}});
        REQUIRE(refusal);
        CHECK(refusal->status == 403);
    }
    CHECK(judge({}));
    CHECK(judge({{"Host", "localhost"}, {"Host", "localhost"}}));
}

TEST_CASE("a page of another origin is refused", "[base]") {
    for (const char* origin :
         {"null",
          "",
          "http://evil.example",
          "http://localhost:9",
          "file://localhost",
          "http://localhost/",
          "localhost",
          "http://localhost@evil.example"}) {
        CAPTURE(origin);
        CHECK(judge({{"Host", "localhost"}, {"Origin", origin}}));
    }
    CHECK(judge(
        {{"Host", "localhost"}, {"Origin", "http://localhost"}, {"Origin", "http://localhost"}}
    ));
}

} // namespace interlock::base
