#include "base/http_client.hpp"

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

/// Answers by path; "/keep" holds the exchange and never answers.
class Peer {
public:
    Peer() {
        HttpServerOptions options;
        options.handler = [this](std::shared_ptr<HttpExchange> exchange) {
            answer(std::move(exchange));
        };
        auto started = HttpServer::start(std::move(options));
        REQUIRE(started.ok());
        server_ = std::move(started).value();
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() { server_->stop(0ms); }

    HttpCall call(const std::string& path) const {
        HttpCall call;
        call.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
        return call;
    }

private:
    void answer(std::shared_ptr<HttpExchange> exchange) {
        const auto& request = exchange->request();
        if (request.path == "/keep") {
            kept_ = std::move(exchange);
        } else if (request.path == "/redirect") {
            exchange->respond({302, {{"Location", "/elsewhere"}}, "moved"});
        } else if (request.path == "/large") {
            exchange->start_stream(200, {});
            exchange->write(std::string(100'000, 'x'));
            exchange->finish();
        } else if (request.path == "/headers") {
            exchange->respond({200, {{"X-Long", std::string(20'000, 'x')}}, ""});
        } else {
            exchange->respond(
                {418,
                 {{"X-Seen", request.header("X-Sent").value_or("absent")},
                  {"X-Empty", std::to_string(request.header_count("X-Blank"))}},
                 request.method + " " + request.path + "?" + request.query + " [" + request.body +
                     "]"}
            );
        }
    }

    std::shared_ptr<HttpExchange> kept_;
    std::unique_ptr<HttpServer> server_;
};

std::string header_of(const HttpResponse& response, std::string_view name) {
    HttpRequest lookup;
    lookup.headers = response.headers;
    return lookup.header(name).value_or("");
}

} // namespace

TEST_CASE("a call carries method, headers and body, and brings back the whole answer", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/path?q=1");
    call.method = "POST";
    call.body = std::string("a\0b", 3);
    call.headers = {{"X-Sent", "value: with colon"}, {"X-Blank", ""}};
    const auto response = http_call(call);
    REQUIRE(response.ok());
    CHECK(response->status == 418);
    CHECK(response->body == "POST /path?q=1 [" + call.body + "]");
    CHECK(header_of(*response, "X-Seen") == "value: with colon");
    CHECK(header_of(*response, "X-Empty") == "1");
}

TEST_CASE("every method reaches the other side as it is", "[base]") {
    const Peer peer;
    for (const char* method : {"GET", "POST", "PUT", "DELETE", "PATCH"}) {
        HttpCall call = peer.call("/x");
        call.method = method;
        const auto response = http_call(call);
        REQUIRE(response.ok());
        CHECK(response->body == std::string(method) + " /x? []");
    }
    HttpCall head = peer.call("/x");
    head.method = "HEAD";
    CHECK(http_call(head)->body.empty());
}

TEST_CASE("a large body goes out without waiting for permission", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/x");
    call.method = "POST";
    call.body = std::string(limits::http_body_bytes_max, 'x');
    const auto response = http_call(call);
    REQUIRE(response.ok());
    CHECK(response->body.size() == call.body.size() + std::string("POST /x? []").size());
}

TEST_CASE("a redirection is an answer, not an instruction", "[base]") {
    const Peer peer;
    const auto response = http_call(peer.call("/redirect"));
    REQUIRE(response.ok());
    CHECK(response->status == 302);
    CHECK(response->body == "moved");
}

TEST_CASE("an answer past its limit is refused", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/large");
    call.response_bytes_max = 99'999;
    CHECK(http_call(call).error().code == Errc::limit_exceeded);
    call.response_bytes_max = 100'000;
    CHECK(http_call(call).ok());
    CHECK(http_call(peer.call("/headers")).error().code == Errc::limit_exceeded);
}

TEST_CASE("a server that does not answer costs no more than the deadline", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/keep");
    call.timeout = 100ms;
    const auto response = http_call(call);
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().code == Errc::timeout);
}

TEST_CASE("only http and https are spoken", "[base]") {
    for (const char* url :
         {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "nonsense://x", ""}) {
        HttpCall call;
        call.url = url;
        const auto response = http_call(call);
        REQUIRE_FALSE(response.ok());
        CHECK(response.error().code == Errc::invalid_input);
    }
}

TEST_CASE("a header or method that would break the request is refused here", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/x");
    call.headers = {{"X-Sent", "a\r\nX-Other: b"}};
    CHECK(http_call(call).error().code == Errc::invalid_input);
    call.headers = {{"X\nY", "a"}};
    CHECK(http_call(call).error().code == Errc::invalid_input);
    call.headers = {};
    call.method = "GET / HTTP/1.1\r\nX: y";
    CHECK(http_call(call).error().code == Errc::invalid_input);
}

TEST_CASE("an error names the host and never the secret in the path", "[base]") {
    HttpCall call;
    {
        const Peer peer;
        call = peer.call("/services/T0/B0/secret?token=hidden");
    }
    const auto response = http_call(call);
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().what.find("127.0.0.1") != std::string::npos);
    CHECK(response.error().what.find("secret") == std::string::npos);
    CHECK(response.error().what.find("hidden") == std::string::npos);
}

TEST_CASE("an address is judged by what it is, however it is written", "[base]") {
    for (const char* local : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) {
        INFO(local);
        CHECK(is_within(HttpReach::loopback, local));
        CHECK_FALSE(is_within(HttpReach::network, local));
        CHECK_FALSE(is_within(HttpReach::internet, local));
    }
    for (const char* odd :
         {"169.254.169.254",
          "::ffff:169.254.169.254",
          "64:ff9b::a9fe:a9fe",
          "64:ff9b:1::1",
          "fe80::1",
          "0.0.0.0",
          "::",
          "::169.254.169.254",
          "2002:a9fe:a9fe::1",
          "2001:db8::1",
          "224.0.0.1",
          "255.255.255.255",
          "ff02::1",
          "not an address",
          ""}) {
        INFO(odd);
        CHECK_FALSE(is_within(HttpReach::loopback, odd));
        CHECK_FALSE(is_within(HttpReach::network, odd));
        CHECK_FALSE(is_within(HttpReach::internet, odd));
    }
    for (const char* inside :
         {"10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "64:ff9b::a00:1"}) {
        INFO(inside);
        CHECK(is_within(HttpReach::network, inside));
        CHECK_FALSE(is_within(HttpReach::internet, inside));
    }
    for (const char* outside :
         {"1.1.1.1", "172.32.0.1", "169.253.0.1", "2606:4700::1111", "64:ff9b::101:101"}) {
        INFO(outside);
        CHECK(is_within(HttpReach::network, outside));
        CHECK(is_within(HttpReach::internet, outside));
        CHECK_FALSE(is_within(HttpReach::loopback, outside));
    }
}

TEST_CASE("a call goes nowhere but where it may reach, whatever the name leads to", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/x");
    call.reach = HttpReach::loopback;
    CHECK(http_call(call).ok());
    for (const auto reach : {HttpReach::network, HttpReach::internet}) {
        call.reach = reach;
        const auto response = http_call(call);
        REQUIRE_FALSE(response.ok());
        CHECK(response.error().code == Errc::refused);
    }
    call.url.replace(call.url.find("127.0.0.1"), 9, "localhost"); // a name is looked up first
    CHECK(http_call(call).error().code == Errc::refused);
}

TEST_CASE("a call that is told to stop is given up before its deadline", "[base]") {
    const Peer peer;
    HttpCall call = peer.call("/keep");
    call.timeout = 60s;
    std::stop_source stop;
    call.stop = stop.get_token();
    stop.request_stop();
    CHECK(http_call(call).error().code == Errc::cancelled);
}

} // namespace interlock::base
