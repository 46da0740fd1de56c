#include "base/http_exchange.hpp"
#include "tests/base/http_raw_client.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::base {

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
    Taken taken;
    const auto server = serve(taken.handler());
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

TEST_CASE("a stream whose body was dropped leaves room for other bodies", "[base]") {
    std::atomic<bool> dropped = false;
    std::shared_ptr<HttpExchange> stream; // of the I/O thread, until the server ends
    HttpServerOptions options;
    options.bodies_bytes_max = 100;
    options.handler = [&](std::shared_ptr<HttpExchange> exchange) {
        if (stream) {
            exchange->respond({200, {}, "there was room"});
            return;
        }
        stream = std::move(exchange);
        stream->drop_body();
        dropped = stream->request().body.empty();
        stream->start_stream(200, {});
    };
    const auto server = serve(std::move(options));
    const std::string post =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n" + std::string(60, 'x');
    RawClient first(server->port());
    first.say(post);
    first.read_until("\r\n\r\n");
    CHECK(dropped);
    RawClient second(server->port());
    second.say(post);
    CHECK(second.read_until("there was room").starts_with("HTTP/1.1 200"));
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
    Taken taken;
    const auto server = serve(taken.handler());
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
    Taken taken;
    const auto server = serve(taken.handler());
    RawClient client(server->port());
    client.say(get);
    const auto exchange = taken.get();
    client.end_input();
    CHECK(eventually([&] { return exchange->gone().stop_requested(); }));
    exchange->respond({200, {}, "all the same"});
    CHECK(client.read_to_end().ends_with("all the same"));
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

TEST_CASE("an answer given inside the handler is the only one", "[base]") {
    const auto server = serve([](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond({200, {}, "first!"});
        exchange->respond({500, {}, "second!"});
        exchange->start_stream(200, {});
        exchange->write("third.");
        throw std::runtime_error("after the answer");
    });
    RawClient client(server->port());
    for (int round = 0; round < 3; ++round) {
        client.say(get);
        const std::string answer = client.read_until("!");
        CHECK(answer.starts_with("HTTP/1.1 200 "));
        CHECK(answer.ends_with("\r\n\r\nfirst!"));
    }
    client.end_input();
    CHECK(client.is_closed());
}

} // namespace interlock::base
