#include "base/clock.hpp"
#include "base/http_server.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <future>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

/// A plain socket: it says exactly what a test wants said.
class RawClient {
public:
    explicit RawClient(unsigned short port)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ =
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    RawClient(RawClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)),
          connected_(other.connected_),
          text_(other.text_) {}
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { close(); }

    bool connected() const { return connected_; }
    void close() {
        if (socket_ >= 0) {
            ::close(std::exchange(socket_, -1));
        }
    }
    void say(std::string_view bytes) {
        (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    void end_input() { ::shutdown(socket_, SHUT_WR); }

    /// Reads until the text holds `wanted` (and is then taken), or the server closes.
    std::string read_until(std::string_view wanted) {
        for (;;) {
            const auto found = text_.find(wanted);
            if (found != std::string::npos) {
                std::string out = text_.substr(0, found + wanted.size());
                text_.erase(0, found + wanted.size());
                return out;
            }
            if (!more()) {
                return std::exchange(text_, {});
            }
        }
    }
    /// Everything until the server closes.
    std::string read_to_end() {
        while (more()) {
        }
        return std::exchange(text_, {});
    }
    /// True when the server closes without another byte.
    bool is_closed() { return !more() && text_.empty(); }

private:
    bool more() {
        pollfd wait{socket_, POLLIN, 0};
        if (::poll(&wait, 1, 10'000) <= 0) {
            FAIL("the server said nothing for ten seconds");
        }
        char buffer[4096];
        const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
        if (count > 0) {
            text_.append(buffer, static_cast<std::size_t>(count));
        }
        return count > 0;
    }

    int socket_;
    bool connected_ = false;
    std::string text_;
};

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

void echo(const std::shared_ptr<HttpExchange>& exchange) {
    const auto& request = exchange->request();
    exchange->respond({200, {}, request.method + " " + request.path + " [" + request.body + "]"});
}

HttpServerOptions options_for(HttpHandler handler) {
    HttpServerOptions options;
    options.handler = std::move(handler);
    return options;
}

std::unique_ptr<HttpServer> serve(HttpServerOptions options) {
    auto server = HttpServer::start(std::move(options));
    REQUIRE(server.ok());
    return std::move(server).value();
}

std::unique_ptr<HttpServer> serve(HttpHandler handler) {
    return serve(options_for(std::move(handler)));
}

const std::string get = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string post(std::string_view body, std::string_view headers = "") {
    return "POST /x HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// Waits for a condition instead of sleeping and hoping.
template <class Condition>
bool eventually(Condition condition) {
    SystemClock clock;
    const Ticks end = clock.ticks() + 10s;
    while (!condition()) {
        if (clock.ticks() > end) {
            return false;
        }
        clock.sleep_for(1ms);
    }
    return true;
}

} // namespace

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

TEST_CASE("a malformed request gets one refusal and the connection ends", "[base]") {
    const std::string text = GENERATE(
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\n",
        "\x16\x03\x01",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
        "4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    );
    CAPTURE(text);
    std::atomic<int> handled{0};
    const auto server = serve([&handled](const std::shared_ptr<HttpExchange>& exchange) {
        ++handled;
        echo(exchange);
    });
    RawClient client(server->port());
    // What follows must not be taken for a request of its own.
    client.say(text + get);
    const std::string answer = client.read_to_end();
    CHECK(count(answer, "HTTP/1.1 ") == 1);
    CHECK(answer[9] != '2');
    CHECK(answer.find("Connection: close\r\n") != std::string::npos);
    CHECK(handled == 0);
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

TEST_CASE("answers may come from any thread, and only the first counts", "[base]") {
    std::vector<std::jthread> threads;
    std::mutex mutex;
    const auto server = serve([&](std::shared_ptr<HttpExchange> exchange) {
        const std::lock_guard lock(mutex);
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([exchange, i] {
                exchange->respond({200, {}, "<" + std::to_string(i) + ">"});
            });
        }
    });
    RawClient client(server->port());
    for (int round = 0; round < 50; ++round) {
        client.say(get);
        const std::string answer = client.read_until(">");
        CHECK(count(answer, "HTTP/1.1 200 OK") == 1);
    }
    client.end_input();
    CHECK(client.is_closed());
    const std::lock_guard lock(mutex);
    threads.clear();
}

TEST_CASE("an exchange that is dropped, or a handler that throws, is answered with 500", "[base]") {
    const auto server = serve([](const std::shared_ptr<HttpExchange>& exchange) {
        if (exchange->request().path == "/throw") {
            throw std::runtime_error("defect");
        }
    });
    RawClient client(server->port());
    client.say(get);
    CHECK(client.read_until("request.\n").starts_with("HTTP/1.1 500 "));
    client.say("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.read_until("request.\n");
    CHECK(answer.starts_with("HTTP/1.1 500 "));
    CHECK(answer.find("defect") == std::string::npos);
}

TEST_CASE("an answer can be streamed in pieces", "[base]") {
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    const auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
    RawClient client(server->port());
    client.say(get);
    const auto exchange = taken.get();
    exchange->start_stream(200, {{"Content-Type", "text/event-stream"}});
    const std::string head = client.read_until("\r\n\r\n");
    CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
    exchange->write("data: 1\n\n");
    CHECK(client.read_until("1\n\n\r\n") == "9\r\ndata: 1\n\n\r\n");
    exchange->write("");
    exchange->respond({500, {}, "too late"});
    exchange->write("x");
    exchange->finish();
    exchange->write("after the end");
    CHECK(client.read_until("0\r\n\r\n") == "1\r\nx\r\n0\r\n\r\n");
    // The connection lives on.
    CHECK_FALSE(exchange->gone().stop_requested());
}

TEST_CASE("a stream that is dropped does not look complete", "[base]") {
    const auto server = serve([](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->start_stream(200, {});
        exchange->write("part");
    });
    RawClient client(server->port());
    client.say(get);
    const std::string text = client.read_to_end();
    CHECK(text.find("0\r\n\r\n") == std::string::npos);
}

TEST_CASE("a handler learns that its client went away", "[base]") {
    const bool streaming = GENERATE(false, true);
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    const auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
    RawClient client(server->port());
    client.say(get);
    const auto exchange = taken.get();
    if (streaming) {
        exchange->start_stream(200, {});
        (void)client.read_until("\r\n\r\n");
    }
    CHECK_FALSE(exchange->gone().stop_requested());
    client.close();
    CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
    exchange->respond({200, {}, "nobody listens"});
    exchange->finish();
}

TEST_CASE("a client that only closed its sending side still gets the answer", "[base]") {
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    const auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
    RawClient client(server->port());
    client.say(get);
    const auto exchange = taken.get();
    client.end_input();
    CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
    exchange->respond({200, {}, "all the same"});
    CHECK(client.read_to_end().ends_with("all the same"));
}

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
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    auto options = options_for([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
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
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    const auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
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
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    const auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
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
    std::promise<std::shared_ptr<HttpExchange>> promise;
    auto taken = promise.get_future();
    auto server = serve([&promise](std::shared_ptr<HttpExchange> exchange) {
        promise.set_value(std::move(exchange));
    });
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

TEST_CASE("many threads answer many clients at once", "[base]") {
    std::vector<std::jthread> workers;
    std::mutex mutex;
    std::vector<std::shared_ptr<HttpExchange>> queue;
    std::atomic<bool> over{false};
    auto server = serve([&](std::shared_ptr<HttpExchange> exchange) {
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(exchange));
    });
    for (int i = 0; i < 3; ++i) {
        workers.emplace_back([&] {
            while (!over) {
                std::shared_ptr<HttpExchange> exchange;
                {
                    const std::lock_guard lock(mutex);
                    if (!queue.empty()) {
                        exchange = std::move(queue.back());
                        queue.pop_back();
                    }
                }
                if (!exchange) {
                    std::this_thread::yield();
                } else if (exchange->request().body.size() % 3 == 0) {
                    exchange->start_stream(200, {});
                    exchange->write(exchange->request().body);
                    exchange->finish();
                } else if (exchange->request().body.size() % 3 == 1) {
                    exchange->respond({200, {}, exchange->request().body});
                } // else dropped: 500
            }
        });
    }
    std::atomic<int> answers{0};
    {
        std::vector<std::jthread> clients;
        for (int i = 0; i < 8; ++i) {
            clients.emplace_back([&, i] {
                for (int round = 0; round < 30; ++round) {
                    RawClient client(server->port());
                    client.say(post(
                        std::string(static_cast<std::size_t>(i * 31 + round), 'x'),
                        "Connection: close\r\n"
                    ));
                    if (round % 10 == 9) {
                        continue; // goes away without waiting
                    }
                    answers += count(client.read_to_end(), "HTTP/1.1 ") == 1 ? 1 : 0;
                }
            });
        }
    }
    CHECK(answers == 8 * 27);
    over = true;
    workers.clear();
    server.reset();
}

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

} // namespace interlock::base
