#include "base/http_socket.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace interlock::base {
namespace {

HttpIo blocked_or_failed() {
    const bool again = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return {again ? HttpIo::Is::blocked : HttpIo::Is::failed};
}

iovec part(std::string_view bytes) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): sendmsg() reads only
    return {const_cast<char*>(bytes.data()), bytes.size()};
}

} // namespace

HttpSocket::HttpSocket(HttpLoop& loop, int descriptor, std::unique_ptr<TlsSession> tls)
    : descriptor_(loop, descriptor), tls_(std::move(tls)) {}

HttpIo HttpSocket::handshake() {
    return tls_ ? tls_->handshake() : HttpIo{HttpIo::Is::moved};
}

HttpIo HttpSocket::read_some(char* to, std::size_t size) {
    if (tls_) {
        return tls_->read_some(to, size);
    }
    const ssize_t count = ::recv(descriptor_.number(), to, size, MSG_DONTWAIT);
    if (count < 0) {
        return blocked_or_failed();
    }
    return {count == 0 ? HttpIo::Is::ended : HttpIo::Is::moved, static_cast<std::size_t>(count)};
}

HttpIo HttpSocket::write_some(std::string_view first, std::string_view second) {
    if (tls_) {
        return tls_->write_some(first.empty() ? second : first);
    }
    std::array<iovec, 2> parts{part(first), part(second)};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t count = ::sendmsg(descriptor_.number(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
        return blocked_or_failed();
    }
    return {HttpIo::Is::moved, static_cast<std::size_t>(count)};
}

bool HttpSocket::end_output() {
    if (tls_) {
        tls_->end_output();
    }
    return ::shutdown(descriptor_.number(), SHUT_WR) == 0;
}

void HttpSocket::close() {
    descriptor_.close();
}

void HttpSocket::when_readable(std::shared_ptr<HttpReady> waiter) {
    using Event = HttpDescriptor::Event;
    const bool writes_first = tls_ && tls_->reading_waits_to_write();
    descriptor_.wait(
        writes_first ? Event::writable : Event::readable, std::move(waiter), Event::readable
    );
}

void HttpSocket::when_writable(std::shared_ptr<HttpReady> waiter) {
    using Event = HttpDescriptor::Event;
    const bool reads_first = tls_ && tls_->writing_waits_to_read();
    descriptor_.wait(
        reads_first ? Event::readable : Event::writable, std::move(waiter), Event::writable
    );
}

} // namespace interlock::base
