#include "base/http_core.hpp"

#include "base/http_connection.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace interlock::base {
namespace {

constexpr std::chrono::milliseconds sweep_period{100}; // how late a deadline may be noticed

void set_up(int descriptor) {
    const int on = 1;
    (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

} // namespace

HttpCore::HttpCore(HttpServerOptions chosen, std::unique_ptr<TlsCertificate> loaded)
    : options(std::move(chosen)), certificate(std::move(loaded)) {}
HttpCore::~HttpCore() = default;

std::string network_of(const std::string& address) {
    std::array<unsigned char, 16> bytes{};
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) {
        return address;
    }
    std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
    std::array<char, INET6_ADDRSTRLEN> text{};
    const char* written = ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    return written == nullptr ? address : std::string(written) + "/64";
}

void HttpCore::add(int descriptor, std::string peer) {
    const std::string network = network_of(peer);
    const auto from_there = per_address_.find(network);
    const bool refused = connections_.size() - refusals_ >= options.connections_max ||
                         (from_there != per_address_.end() &&
                          from_there->second >= options.connections_per_address_max);
    std::unique_ptr<TlsSession> tls;
    if (certificate && !refused) {
        tls = certificate->session(descriptor);
    }
    // To tell it over TLS would take a handshake, which is what the caps save.
    const bool turned_away = refused && (certificate || refusals_ >= limits::http_refusals_max);
    if (turned_away || (certificate && !tls)) {
        ::close(descriptor);
        return;
    }
    set_up(descriptor);
    const auto connection = std::make_shared<HttpConnection>(
        *this, descriptor, std::move(tls), std::move(peer), refused
    );
    {
        const std::lock_guard lock(mutex);
        all_closed = false;
    }
    ++(refused ? refusals_ : per_address_[network]);
    connections_.emplace(connection.get(), connection);
    connection->start();
    if (!sweeping_) {
        sweeping_ = true;
        sweep();
    }
}

void HttpCore::remove(HttpConnection& connection) {
    if (connections_.erase(&connection) == 0) {
        return;
    }
    if (connection.refused()) {
        --refusals_;
    } else if (const auto count = per_address_.find(network_of(connection.peer()));
               --count->second == 0) {
        per_address_.erase(count);
    }
    if (connections_.empty()) {
        const std::lock_guard lock(mutex);
        all_closed = true;
        changed.notify_all();
    }
}

/// One timer for all deadlines: a timer of its own would be most of an idle connection's memory.
void HttpCore::sweep() {
    sweep_timer_.start(sweep_period, [this] {
        if (connections_.empty()) {
            sweeping_ = false;
            return;
        }
        sweep(); // first: whatever happens below, deadlines are kept
        const Ticks now = SystemClock().ticks();
        const Time today = SystemClock().now();
        std::vector<std::shared_ptr<HttpConnection>> expired;
        for (const auto& [key, connection] : connections_) {
            if (connection->has_expired(now, today)) {
                expired.push_back(connection);
            }
        }
        for (const auto& connection : expired) {
            connection->expire();
        }
    });
}

std::vector<std::shared_ptr<HttpConnection>> HttpCore::all() const {
    std::vector<std::shared_ptr<HttpConnection>> list;
    list.reserve(connections_.size());
    for (const auto& [key, connection] : connections_) {
        list.push_back(connection);
    }
    return list;
}

void HttpCore::drain() {
    stopping = true;
    for (const auto& connection : all()) {
        connection->drain();
    }
}

void HttpCore::close_all() {
    for (const auto& connection : all()) {
        connection->shut();
    }
    sweep_timer_.cancel();
}

} // namespace interlock::base
