#include "server/authorization/url.hpp"

#include <catch2/catch.hpp>

namespace interlock::server {

TEST_CASE("a URL is taken apart and its host put in lower case", "[server][auth]") {
    const auto url = parse_url("HTTPS://Host.Example:8443/Mcp/x");
    REQUIRE(url.ok());
    CHECK(url->scheme == "https");
    CHECK(url->authority == "host.example:8443");
    CHECK(url->path == "/Mcp/x");
    CHECK(url->origin() == "https://host.example:8443");
    CHECK(url->text() == "https://host.example:8443/Mcp/x");
    CHECK(parse_url("https://host")->path.empty());
}

TEST_CASE("what is not a plain http or https URL is refused", "[server][auth]") {
    for (const char* bad :
         {"",
          "host.example",
          "//host.example",
          "ftp://host.example",
          "file:///etc/passwd",
          "https://",
          "https:///path",
          "https://user@host.example",
          "https://user:secret@host.example",
          "https://host.example?x=1",
          "https://host.example/#x",
          "https://host.example:0",
          "https://host.example:65536",
          "https://host.example:",
          "https://host.example:8a",
          "https://[::1",
          "https://[]",
          "https://host example/",
          "https://host.example/\"",
          "https://host.example/\r\nX: y",
          "https://h\xc3\xb6st.example",
          "https://*.example"}) {
        INFO(bad);
        CHECK_FALSE(parse_url(bad).ok());
    }
    CHECK_FALSE(parse_url("https://host/" + std::string(2'000, 'a')).ok());
}

TEST_CASE("this machine is known by its loopback names", "[server][auth]") {
    for (const char* local : {"http://localhost/x", "http://127.0.0.1:80/", "http://[::1]:8080"}) {
        INFO(local);
        CHECK(parse_url(local)->is_local());
    }
    for (const char* other :
         {"http://localhost.evil.example/", "http://10.0.0.1/", "http://127.0.0.1.example/"}) {
        INFO(other);
        CHECK_FALSE(parse_url(other)->is_local());
    }
}

TEST_CASE("resources are equal in whatever way their host is written", "[server][auth]") {
    CHECK(normal_resource("HTTPS://Host/Path") == "https://host/Path");
    CHECK(normal_resource("https://host") == "https://host");
    CHECK(normal_resource("urn:Host") == "urn:Host");
    CHECK(normal_resource("https://Host?Q#F") == "https://host?Q#F");
    CHECK(normal_resource("") == "");
    CHECK(normal_resource("https://Host:443/") == "https://host");
    CHECK(normal_resource("https://host:80/x") == "https://host:80/x");
    CHECK(normal_resource("http://host:80/x/") == "http://host/x/");
    CHECK(normal_resource("https://[::443]") == "https://[::443]");
    CHECK(parse_url("https://HOST:443/x")->text() == "https://host/x");
    CHECK(parse_url("https://host:8443/x")->authority == "host:8443");
}

} // namespace interlock::server
