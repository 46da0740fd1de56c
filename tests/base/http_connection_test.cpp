// Slow, greedy and vanishing clients: they cost what is theirs and nobody else's.
#include "base/http_connection.hpp"
#include "tests/base/http_raw_client.hpp"

#include <mutex>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {

using namespace std::chrono_literals;

TEST_CASE("slow clients are dropped at the deadline of what they are slow at", "[base]") {
    auto options = options_for(echo);
    options.deadlines = {
        .header = 150ms, .body = 150ms, .idle = 300ms, .write = 1s, .linger = 100ms};
    const auto server = serve(std::move(options));
    RawClient silent(server->port());
    RawClient header(server->port());
    RawClient body(server->port());
    header.say("GET / HTTP/1.1\r\nHost:");
    body.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    CHECK(header.read_to_end().starts_with("HTTP/1.1 408 "));
    CHECK(body.read_to_end().starts_with("HTTP/1.1 408 "));
    CHECK(silent.is_closed());
}

TEST_CASE("a working handler and an open stream have no idle deadline", "[base]") {
    Taken taken;
    auto options = options_for(taken.handler());
    options.deadlines = {.header = 50ms, .body = 50ms, .idle = 50ms, .write = 50ms, .linger = 50ms};
    const auto server = serve(std::move(options));
    RawClient waiting(server->port());
    waiting.say(get);
    const auto exchange = taken.get();
    RawClient idle(server->port());
    CHECK(idle.is_closed()); // by now the deadlines have passed several times over
    exchange->respond({200, {}, "patience"});
    CHECK(waiting.read_until("patience").ends_with("patience"));
}

TEST_CASE("a client that does not read cannot fill our memory", "[base]") {
    Taken taken;
    const auto server = serve(taken.handler());
    RawClient client(server->port());
    client.say(get);
    const auto exchange = taken.get();
    exchange->start_stream(200, {});
    const std::string piece(1 << 20, 'x');
    CHECK(eventually([&] {
        exchange->write(piece);
        return exchange->gone().stop_requested();
    }));
}

TEST_CASE("answers reach a slow reader byte for byte, one behind the other", "[base]") {
    std::string large;
    while (large.size() < (2U << 20U)) {
        large += std::to_string(large.size()) + ' ';
    }
    const auto server = serve(options_for([&](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, exchange->request().path == "/large" ? large : "small"});
    }));
    RawClient slow(server->port(), {.receive_buffer = 4096});
    slow.say("GET /large HTTP/1.1\r\nHost: a\r\n\r\nHEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.say("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string size = "Content-Length: " + std::to_string(large.size()) + "\r\n\r\n";
    CHECK(slow.read_until("\r\n\r\n").ends_with(size));
    const std::string rest = slow.read_to_end();
    CHECK((rest.starts_with(large + "HTTP/1.1 200 OK\r\n")));
    CHECK(rest.find(size, large.size()) != std::string::npos);
    CHECK(rest.ends_with("Content-Length: 5\r\n\r\nsmall"));
}

TEST_CASE("answers that nobody reads take a bounded part of the memory together", "[base]") {
    const std::string large(8 << 20, 'x');
    auto options = options_for([&large](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, exchange->request().path == "/large" ? large : "small"});
    });
    options.unread_bytes_max = 1 << 20;
    const auto server = serve(std::move(options));
    RawClient slow(server->port(), {.receive_buffer = 4096});
    slow.say("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)slow.read_until("xxx");
    const auto answer = [&] {
        RawClient client(server->port());
        client.say(get);
        return client.read_until("\r\n\r\n");
    };
    const std::string refusal = answer();
    CHECK(refusal.starts_with("HTTP/1.1 503 "));
    CHECK(refusal.find("Retry-After: 1\r\n") != std::string::npos);
    slow.close();
    CHECK(eventually([&] { return answer().starts_with("HTTP/1.1 200 "); }));
}

TEST_CASE("a stream that lags is ended before all of them fill the memory", "[base]") {
    std::mutex mutex;
    std::vector<std::shared_ptr<HttpExchange>> streams;
    auto options = options_for([&](const std::shared_ptr<HttpExchange>& exchange) {
        const std::lock_guard lock(mutex);
        streams.push_back(exchange);
        exchange->start_stream(200, {});
        exchange->write("begun");
    });
    options.unread_bytes_max = 1 << 20;
    const auto server = serve(std::move(options));
    RawClient lagging(server->port(), {.receive_buffer = 4096});
    RawClient reading(server->port());
    lagging.say(get);
    (void)lagging.read_until("begun");
    reading.say(get);
    (void)reading.read_until("begun");
    const std::string piece(64 * 1024, 'x');
    CHECK(eventually([&] {
        streams.front()->write(piece);
        return streams.front()->gone().stop_requested();
    }));
    streams.back()->write("still here");
    CHECK(reading.read_until("still here").ends_with("still here"));
}

TEST_CASE("slow writers and slow readers do not hold up a healthy client", "[base]") {
    const Setting setting(GENERATE(false, true));
    const std::string large(4 << 20, 'x');
    auto options = setting.options([&large](const std::shared_ptr<HttpExchange>& exchange) {
        if (exchange->request().path == "/large") {
            exchange->respond({200, {}, large});
        } else {
            echo(exchange);
        }
    });
    options.deadlines.header = 30s; // they stay slow until the end of the case
    const auto server = serve(std::move(options));
    std::vector<RawClient> slow;
    for (int i = 0; i < 200; ++i) {
        slow.emplace_back(
            server->port(), RawClient::Options{.tls = setting.tls, .receive_buffer = 4096}
        );
        slow.back().say(
            i % 10 == 0 ? "GET /large HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost:"
        );
    }
    RawClient healthy(server->port(), {.tls = setting.tls});
    for (int round = 0; round < 100; ++round) {
        for (RawClient& client : slow) {
            if (round == 50 && &client != &slow.front()) {
                client.say("x"); // one more byte of a head, or of a request behind a large answer
            }
        }
        healthy.say(post(std::to_string(round)));
        REQUIRE(healthy.read_until("]").ends_with("[" + std::to_string(round) + "]"));
    }
    // A slow reader gets the whole all the same.
    (void)slow.front().read_until("\r\n\r\n");
    slow.front().say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string rest = slow.front().read_to_end();
    CHECK(rest.starts_with(large + "HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("a stream whose reader does not keep up is cut, over TLS too", "[base]") {
    const Setting setting(GENERATE(false, true));
    Keeper keeper;
    const auto server = serve(setting.options(keeper.handler()));
    RawClient client(server->port(), {.tls = setting.tls});
    client.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto exchange = keeper.take().front();
    exchange->start_stream(200, {{"Content-Type", "text/event-stream"}});
    const std::string event = "data: " + std::string(1 << 20, 'x') + "\n\n";
    CHECK(eventually([&] {
        exchange->write(event);
        return exchange->gone().stop_requested();
    }));
    CHECK(client.read_to_end().find("0\r\n\r\n") == std::string::npos);
}

TEST_CASE("a stream that is read slowly arrives whole", "[base]") {
    const Setting setting(GENERATE(false, true));
    Keeper keeper;
    const auto server = serve(setting.options(keeper.handler()));
    RawClient client(server->port(), {.tls = setting.tls, .receive_buffer = 4096});
    client.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto exchange = keeper.take().front();
    exchange->start_stream(200, {});
    for (int i = 0; i < 100; ++i) {
        exchange->write(std::string(20'000, static_cast<char>('a' + i % 26)));
    }
    exchange->finish();
    (void)client.read_until("\r\n\r\n");
    for (int i = 0; i < 100; ++i) {
        REQUIRE(client.read_until("\r\n") == "4e20\r\n");
        const std::string piece = client.read_until("\r\n");
        REQUIRE((piece == std::string(20'000, static_cast<char>('a' + i % 26)) + "\r\n"));
    }
    CHECK(client.read_until("\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE("whoever works for a client that vanished is told", "[base]") {
    const Setting setting(GENERATE(false, true));
    Keeper keeper;
    const auto server = serve(setting.options(keeper.handler()));
    {
        std::vector<RawClient> clients;
        for (int i = 0; i < 20; ++i) {
            clients.emplace_back(server->port(), RawClient::Options{.tls = setting.tls});
            clients.back().say(get);
        }
        REQUIRE(eventually([&] { return keeper.size() == 20; }));
    }
    for (const auto& exchange : keeper.take()) {
        CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
        exchange->respond({200, {}, "to nobody"});
    }
}

TEST_CASE("a flood of pipelined requests is answered one by one", "[base]") {
    const Setting setting(GENERATE(false, true));
    const auto server = serve(setting.options(echo));
    RawClient client(server->port(), {.tls = setting.tls});
    std::string flood;
    for (int i = 0; i < 2'000; ++i) {
        flood += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    }
    flood += "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    std::jthread writer([&] { client.say(flood); });
    if (setting.tls) {
        writer.join(); // one TLS session is not for two threads
    }
    for (int i = 0; i < 2'000; ++i) {
        REQUIRE(client.read_until("]").ends_with("GET /" + std::to_string(i) + " []"));
    }
    CHECK(client.read_to_end().ends_with("GET /end []"));
}

TEST_CASE("a stream ends at its time, and the connection serves on", "[base]") {
    const Setting setting(GENERATE(false, true));
    Keeper keeper;
    const auto server = serve(setting.options(keeper.handler()));
    RawClient client(server->port(), {.tls = setting.tls});
    client.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto exchange = keeper.take().front();
    exchange->end_stream_at(SystemClock().now() + 200ms);
    exchange->start_stream(200, {});
    exchange->write("in time");
    CHECK(client.read_until("in time").ends_with("in time"));
    CHECK(client.read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
    CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
    exchange->write("too late");
    exchange->finish();
    client.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    keeper.take().front()->respond({200, {}, "the next"});
    const std::string next = client.read_until("the next");
    CHECK(next.starts_with("HTTP/1.1 200 "));
    CHECK(next.find("too late") == std::string::npos);
}

TEST_CASE("an answer that is no stream is given past the end of streams", "[base]") {
    Keeper keeper;
    auto options = options_for(keeper.handler());
    options.deadlines.idle = 400ms;
    const auto server = serve(std::move(options));
    RawClient client(server->port());
    client.say(get);
    REQUIRE(eventually([&] { return keeper.size() == 1; }));
    const auto exchange = keeper.take().front();
    exchange->end_stream_at(SystemClock().now() - 1h);
    CHECK(RawClient(server->port()).is_closed()); // several sweeps have passed
    exchange->respond({200, {}, "whole"});
    CHECK(client.read_until("whole").ends_with("whole"));
}

TEST_CASE("what fails on one connection ends that one alone", "[base]") {
    auto options = options_for(echo);
    options.gate = [](const HttpRequest& request) -> std::optional<HttpResponse> {
        if (request.path == "/fails") {
            throw std::runtime_error("a defect");
        }
        return std::nullopt;
    };
    const auto server = serve(std::move(options));
    RawClient other(server->port());
    RawClient failing(server->port());
    failing.say("GET /fails HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(failing.is_closed()); // at once: no deadline has to pass
    other.say(get);
    CHECK(other.read_until("]").starts_with("HTTP/1.1 200 "));
}

} // namespace interlock::base
