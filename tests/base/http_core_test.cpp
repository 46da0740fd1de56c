#include "base/http_core.hpp"
#include "tests/base/http_raw_client.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace interlock::base {

using namespace std::chrono_literals;

TEST_CASE("past the cap connections are told to come back", "[base]") {
    auto options = options_for(echo);
    options.connections_max = 2;
    const auto server = serve(std::move(options));
    RawClient first(server->port());
    RawClient second(server->port());
    first.say(get);
    second.say(get);
    (void)first.read_until("]");
    (void)second.read_until("]");
    {
        RawClient third(server->port());
        const std::string refusal = third.read_to_end();
        CHECK(refusal.starts_with("HTTP/1.1 503 "));
        CHECK(refusal.find("Retry-After: 1\r\n") != std::string::npos);
    }
    first.close();
    CHECK(eventually([&] {
        RawClient next(server->port());
        next.say(get);
        return next.read_until("\r\n").starts_with("HTTP/1.1 200 ");
    }));
}

TEST_CASE("stopping waits for answers under way and refuses new connections", "[base]") {
    Taken taken;
    const auto server = serve(taken.handler());
    RawClient idle(server->port());
    RawClient working(server->port());
    working.say(get);
    auto exchange = taken.get();
    std::jthread stopper([&] { server->stop(10s); });
    CHECK(idle.is_closed());
    CHECK(eventually([&] { return !RawClient(server->port()).connected(); }));
    exchange->respond({200, {}, "the last one"});
    CHECK(working.read_to_end().ends_with("the last one"));
}

TEST_CASE("stopping without patience ends answers under way", "[base]") {
    Taken taken;
    auto server = serve(taken.handler());
    RawClient client(server->port());
    client.say(get);
    auto exchange = taken.get();
    server->stop(0ms);
    CHECK(client.is_closed());
    CHECK(exchange->gone().stop_requested());
    server->stop(0ms);
    server.reset();
    exchange->respond({200, {}, "into the void"}); // outlives the server harmlessly
    exchange.reset();
}

TEST_CASE("one address may hold only its share of the connections", "[base]") {
    const Setting setting(GENERATE(false, true));
    auto options = setting.options(echo);
    options.connections_per_address_max = 2;
    const auto server = serve(std::move(options));
    const auto ask = [&](const char* from) {
        RawClient client(server->port(), {.from = from, .tls = setting.tls});
        client.say(get);
        return std::pair{client.read_until("]"), std::move(client)};
    };
    const auto first = ask("127.0.0.1");
    auto second = ask("127.0.0.1");
    CHECK(first.first.starts_with("HTTP/1.1 200 "));
    CHECK(second.first.starts_with("HTTP/1.1 200 "));
    {
        RawClient third(server->port(), {.from = "127.0.0.1", .tls = setting.tls});
        // Over TLS a refusal would cost the handshake that the cap saves.
        const std::string refusal = third.read_to_end();
        CHECK((setting.tls ? refusal.empty() : refusal.starts_with("HTTP/1.1 503 ")));
    }
    CHECK(ask("127.0.0.2").first.starts_with("HTTP/1.1 200 "));
    second.second.close();
    CHECK(eventually([&] { return ask("127.0.0.1").first.starts_with("HTTP/1.1 200 "); }));
}

TEST_CASE("stopping lets answers and streams under way come to their end", "[base]") {
    const Setting setting(GENERATE(false, true));
    Keeper keeper;
    const auto server = serve(setting.options(keeper.handler()));
    RawClient calling(server->port(), {.tls = setting.tls});
    RawClient streaming(server->port(), {.tls = setting.tls});
    RawClient idle(server->port(), {.tls = setting.tls});
    calling.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto call = keeper.take().front();
    streaming.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto stream = keeper.take().front();
    stream->start_stream(200, {});
    (void)streaming.read_until("\r\n\r\n");

    std::jthread stopper([&] { server->stop(10s); });
    CHECK(idle.is_closed()); // by now it drains
    stream->write("goodbye");
    stream->finish();
    CHECK(streaming.read_to_end() == "7\r\ngoodbye\r\n0\r\n\r\n");
    CHECK_FALSE(call->gone().stop_requested());
    call->respond({200, {}, "the last one"});
    CHECK(calling.read_to_end().ends_with("the last one"));
}

TEST_CASE("a cap counts an IPv4 address, and of IPv6 what one site has", "[base]") {
    CHECK(network_of("192.0.2.7") == "192.0.2.7");
    CHECK(network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9"));
    CHECK(network_of("2001:db8:1:2::9") != network_of("2001:db8:1:3::9"));
    CHECK(network_of("::1") != network_of("127.0.0.1"));
}

} // namespace interlock::base
