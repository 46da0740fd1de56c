#include "base/http_listener.hpp"

#include "base/log.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace interlock::base {
namespace {

constexpr std::chrono::milliseconds accept_pause{100}; // after one failed for want of descriptors
constexpr int accepts_per_turn = 64;                   // then those who are here get theirs

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

AddressList numeric_address(const HttpServerOptions& options) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(options.port);
    if (::getaddrinfo(options.address.c_str(), port.c_str(), &hints, &found) != 0) {
        found = nullptr;
    }
    return {found, &::freeaddrinfo};
}

bool listen_on(int descriptor, const addrinfo& address) {
    const int on = 1;
    return ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           ::bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 &&
           ::listen(descriptor, SOMAXCONN) == 0;
}

unsigned short port_of(int descriptor) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 0;
    }
    return ntohs(
        address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                      : reinterpret_cast<const sockaddr_in&>(address).sin_port
    );
}

/// Numeric; an IPv4 caller of an IPv6 socket is written as IPv4.
std::string text_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    int family = address.ss_family;
    const void* bytes = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    if (family == AF_INET6) {
        const in6_addr& whole = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&whole);
        family = mapped ? AF_INET : AF_INET6;
        bytes = whole.s6_addr + (mapped ? 12 : 0);
    }
    const char* written = ::inet_ntop(family, bytes, text.data(), text.size());
    return written == nullptr ? "" : written;
}

} // namespace

HttpListener::HttpListener(HttpCore& core, int descriptor, unsigned short port)
    : core_(core), descriptor_(core.loop, descriptor), pause_(core.loop), port_(port) {}

Result<std::shared_ptr<HttpListener>> HttpListener::bind(HttpCore& core) {
    const AddressList address = numeric_address(core.options);
    if (!address) {
        return Error{
            Errc::invalid_input,
            "The listen address is not a numeric IP address.",
            "Write it as 127.0.0.1 or ::1."};
    }
    const int descriptor =
        ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 || !listen_on(descriptor, *address)) {
        const std::string why = std::strerror(errno);
        ::close(descriptor);
        return Error{
            Errc::io,
            "Port " + std::to_string(core.options.port) + " of " + core.options.address +
                " cannot be listened on: " + why + ".",
            "Choose another port, or end the program that holds it."};
    }
    return std::shared_ptr<HttpListener>(new HttpListener(core, descriptor, port_of(descriptor)));
}

void HttpListener::start() {
    using Event = HttpDescriptor::Event;
    descriptor_.wait(Event::readable, shared_from_this(), Event::readable);
}

void HttpListener::close() {
    pause_.cancel();
    descriptor_.close();
}

/// For want of something; trying again at once would spin.
void HttpListener::rest(const char* why) {
    pause_.start(accept_pause, [self = shared_from_this()] { self->start(); });
    log_warning("http.accept_failed", {{"why", why}});
}

/// False when it now rests: one caller who could not be taken must not be the last one.
bool HttpListener::admit(int descriptor, std::string peer) {
    try {
        core_.add(descriptor, std::move(peer));
        return true;
    } catch (const std::exception& problem) {
        rest(problem.what());
        return false;
    }
}

void HttpListener::on_readable() {
    for (int turn = 0; turn < accepts_per_turn && !core_.stopping; ++turn) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const int descriptor = ::accept4(
            descriptor_.number(),
            reinterpret_cast<sockaddr*>(&address),
            &size,
            SOCK_CLOEXEC | SOCK_NONBLOCK
        );
        if (descriptor >= 0) {
            if (!admit(descriptor, text_of(address))) {
                return;
            }
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(std::strerror(errno));
            return;
        } // else the caller is gone already
    }
    if (!core_.stopping) {
        start();
    }
}

} // namespace interlock::base
