// An OTLP/HTTP receiver for tests: answers as told, remembers what it got.
#pragma once

#include "base/http_server.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace interlock::test {

/// Throws when it is not gzip.
std::string gunzip(const std::string& packed);

class Collector {
public:
    Collector() {
        base::HttpServerOptions options;
        options.body_bytes_max = std::size_t{64} << 20;
        options.handler = [this](std::shared_ptr<base::HttpExchange> exchange) {
            take(std::move(exchange));
        };
        auto started = base::HttpServer::start(std::move(options));
        if (!started)
            throw std::runtime_error(base::to_text(started.error()));
        server_ = std::move(started).value();
    }
    ~Collector() { server_->stop(std::chrono::milliseconds{0}); }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + "/v1/traces";
    }
    /// The next answers; after them {"status":200,"body":"{}"}.
    void answer(base::HttpResponse response) {
        const std::lock_guard lock(mutex_);
        answers_.push_back(std::move(response));
    }
    /// Requests are taken and not answered.
    void hang() {
        const std::lock_guard lock(mutex_);
        hangs_ = true;
    }
    /// Waits, at most ten seconds, until this many requests came.
    bool has(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds{10}, [&] {
            return requests_.size() >= count;
        });
    }
    std::vector<base::HttpRequest> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    /// Names of the spans of one request, whether packed or not.
    static std::vector<std::string> names(const base::HttpRequest& request);

private:
    void take(std::shared_ptr<base::HttpExchange> exchange) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(exchange->request());
        changed_.notify_all();
        if (hangs_) {
            hanging_.push_back(std::move(exchange));
            return;
        }
        if (answers_.empty()) {
            exchange->respond({200, {{"Content-Type", "application/json"}}, "{}"});
            return;
        }
        exchange->respond(std::move(answers_.front()));
        answers_.pop_front();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<base::HttpRequest> requests_;
    std::deque<base::HttpResponse> answers_;
    std::vector<std::shared_ptr<base::HttpExchange>> hanging_;
    bool hangs_ = false;
    std::unique_ptr<base::HttpServer> server_;
};

} // namespace interlock::test
