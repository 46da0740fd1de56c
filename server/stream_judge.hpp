// The right to an open stream is judged again while the stream lasts: rules, keys and scopes may
// change under it, and a stream has no next request at which that would be noticed.
#pragma once

#include "base/clock.hpp"
#include "base/http_server.hpp"
#include "server/access.hpp"
#include "server/http_endpoint.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace interlock::server {

/// Thread-safe. Looks every `interval`, on a thread of its own.
class StreamJudge {
public:
    StreamJudge(Gatekeeper& gatekeeper, std::chrono::milliseconds interval);
    /// Ends the stream when its request is refused, or admitted as less, more or somebody else than
    /// `access`, which is narrowed as its query says. Nothing is judged where no authorization is
    /// in force.
    void watch(const std::shared_ptr<base::HttpExchange>& exchange, const Access& access);
    std::size_t watched() const;

private:
    struct Stream {
        std::weak_ptr<base::HttpExchange> exchange;
        Access access;
    };
    void judge_all();
    bool stands(const base::HttpRequest& request, const Access& access);
    void run(const std::stop_token& stop);

    Gatekeeper& gatekeeper_;
    const std::chrono::milliseconds interval_;
    const base::SystemClock clock_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::vector<Stream> streams_;
    std::jthread thread_; // last: ends before what it uses
};

} // namespace interlock::server
