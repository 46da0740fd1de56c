#include "base/http_server.hpp"
#include "tests/base/http_raw_client.hpp"

#include <atomic>

#include <catch2/catch.hpp>

namespace interlock::base {

TEST_CASE("a request gets its answer, and the connection serves the next one", "[base]") {
    const auto server = serve(echo);
    RawClient client(server->port());
    for (int round = 0; round < 3; ++round) {
        client.say(post("hello " + std::to_string(round)));
        CHECK(client.read_until("]").ends_with("POST /x [hello " + std::to_string(round) + "]"));
    }
    client.say("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string last = client.read_to_end();
    CHECK(last.find("Connection: close\r\n") != std::string::npos);
    CHECK(last.ends_with("GET /last []"));
}

TEST_CASE("pipelined requests are answered one after another, in order", "[base]") {
    const auto server = serve(echo);
    RawClient client(server->port());
    client.say(post("1") + post("2") + get + post("4", "Connection: close\r\n"));
    const std::string text = client.read_to_end();
    CHECK(count(text, "HTTP/1.1 200 OK") == 4);
    CHECK(text.find("[1]") < text.find("[2]"));
    CHECK(text.find("[2]") < text.find("GET /x []"));
    CHECK(text.find("GET /x []") < text.find("[4]"));
}

TEST_CASE("a request that arrives byte by byte is one request", "[base]") {
    const auto server = serve(echo);
    RawClient client(server->port());
    for (const char letter : post("slow")) {
        client.say({&letter, 1});
    }
    CHECK(client.read_until("]").ends_with("POST /x [slow]"));
}

TEST_CASE("a head that is too large is refused before it ends", "[base]") {
    const auto server = serve(echo);
    RawClient client(server->port());
    client.say("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x'));
    CHECK(client.read_to_end().starts_with("HTTP/1.1 431 "));
}

TEST_CASE("the gate sees the headers before the body is sent", "[base]") {
    std::atomic<int> handled{0};
    auto options = options_for([&handled](const std::shared_ptr<HttpExchange>& exchange) {
        ++handled;
        echo(exchange);
    });
    options.gate = [](const HttpRequest& request) -> std::optional<HttpResponse> {
        if (request.header("Authorization") == "Bearer good" && request.peer == "127.0.0.1") {
            return std::nullopt;
        }
        return HttpResponse{401, {{"WWW-Authenticate", "Bearer"}}, ""};
    };
    const auto server = serve(std::move(options));
    RawClient stranger(server->port());
    stranger.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    const std::string refusal = stranger.read_to_end();
    CHECK(refusal.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    CHECK(refusal.find("WWW-Authenticate: Bearer\r\n") != std::string::npos);
    CHECK(handled == 0);

    RawClient known(server->port());
    known.say(post("hi", "Authorization: Bearer good\r\n"));
    CHECK(known.read_until("]").ends_with("[hi]"));
    // One pass is for one request.
    known.say(post("again"));
    CHECK(known.read_to_end().starts_with("HTTP/1.1 401 "));
    CHECK(handled == 1);
}

TEST_CASE("a client that waits for permission to send its body gets it after the gate", "[base]") {
    const auto server = serve(echo);
    RawClient client(server->port());
    client.say("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("hi");
    CHECK(client.read_until("]").ends_with("[hi]"));
}

TEST_CASE("HEAD gets the head alone, and HTTP/1.0 is served and closed", "[base]") {
    const auto server = serve(echo);
    RawClient head(server->port());
    head.say("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(head.read_to_end().ends_with("Content-Length: 10\r\n\r\n"));
    RawClient old(server->port());
    old.say("GET /x HTTP/1.0\r\n\r\n");
    CHECK(old.read_to_end().ends_with("GET /x []"));
}

TEST_CASE("a body of exactly the limit is taken", "[base]") {
    const auto server = serve([](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, std::to_string(exchange->request().body.size())});
    });
    RawClient client(server->port());
    client.say(post(std::string(limits::http_body_bytes_max, 'x'), "Connection: close\r\n"));
    CHECK(client.read_to_end().ends_with(std::to_string(limits::http_body_bytes_max)));
}

} // namespace interlock::base
