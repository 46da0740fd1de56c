// What the connections of one server share: the loop, the limits, the list of who is connected.
// Exchanges keep it alive past the server, so that a late answer finds a loop that does not run
// instead of freed memory.
#pragma once

#include "base/clock.hpp"
#include "base/http_loop.hpp"
#include "base/http_server.hpp"
#include "base/http_tls.hpp"

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace interlock::base {

class HttpConnection;

/// Who shares one cap of connections: an IPv4 address, or the 64 bits of IPv6 that one site has.
std::string network_of(const std::string& address);

struct HttpCore : std::enable_shared_from_this<HttpCore> {
    HttpCore(HttpServerOptions chosen, std::unique_ptr<TlsCertificate> loaded);
    ~HttpCore();

    /// A new connection: admitted, told to come back, or closed. Takes the descriptor over.
    void add(int descriptor, std::string peer);
    void remove(HttpConnection& connection);
    /// Ends idle connections now and the others after their answer.
    void drain();
    void close_all();

    HttpServerOptions options;
    std::unique_ptr<TlsCertificate> certificate; // null: plain text
    HttpLoop loop;
    bool stopping = false;
    std::size_t body_bytes = 0;   // of requests being read or answered
    std::size_t unread_bytes = 0; // of answers that wait for their clients to read
    std::array<char, 64 * 1024> scratch{};

    std::mutex mutex; // guards all_closed
    std::condition_variable changed;
    bool all_closed = true;

private:
    void sweep();
    std::vector<std::shared_ptr<HttpConnection>> all() const;

    HttpTimer sweep_timer_{loop};
    bool sweeping_ = false;
    std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
    std::unordered_map<std::string, std::size_t> per_address_;
    std::size_t refusals_ = 0; // connections past the caps, being told so
};

} // namespace interlock::base
