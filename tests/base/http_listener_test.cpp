#include "base/http_listener.hpp"
#include "tests/base/http_raw_client.hpp"

#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {

namespace {

/// Some containers have none.
bool has_ipv6() {
    const int descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    const bool bound =
        ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(descriptor);
    return bound;
}

} // namespace

TEST_CASE("an address in use, or none, is an error that says so", "[base]") {
    const auto first = serve(echo);
    auto options = options_for(echo);
    options.port = first->port();
    const auto second = HttpServer::start(options);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().what.find(std::to_string(first->port())) != std::string::npos);
    options.address = "not an address";
    CHECK_FALSE(HttpServer::start(options).ok());
    CHECK_FALSE(HttpServer::start(HttpServerOptions{}).ok());
}

TEST_CASE(
    "any free port is found, on IPv4 and IPv6, and callers are named by their address", "[base]"
) {
    const std::string address = GENERATE("127.0.0.1", "::1", "::");
    if (address != "127.0.0.1" && !has_ipv6()) {
        return;
    }
    auto options = options_for([](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, "<" + exchange->request().peer + ">"});
    });
    options.address = address;
    const auto server = serve(std::move(options));
    REQUIRE(server->port() != 0);
    if (address == "::1") {
        CHECK_FALSE(RawClient(server->port()).connected());
        return;
    }
    RawClient client(server->port(), {.from = "127.0.0.3"});
    client.say(get);
    // An IPv4 caller of an IPv6 socket counts as what it is.
    CHECK(client.read_until(">").ends_with("<127.0.0.3>"));
}

TEST_CASE("more callers at once than one turn takes are all served", "[base]") {
    const auto server = serve(echo);
    std::vector<RawClient> clients;
    for (int i = 0; i < 300; ++i) {
        clients.emplace_back(server->port());
        clients.back().say(get);
    }
    for (RawClient& client : clients) {
        CHECK(client.read_until("]").starts_with("HTTP/1.1 200 "));
    }
}

} // namespace interlock::base
