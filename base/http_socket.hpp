// One accepted socket as its connection uses it, plain or TLS. Nothing here blocks.
#pragma once

#include "base/http_loop.hpp"
#include "base/http_tls.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace interlock::base {

class HttpSocket {
public:
    /// Takes the descriptor over; `tls` may be null, and a plain socket then carries nothing of it.
    HttpSocket(HttpLoop& loop, int descriptor, std::unique_ptr<TlsSession> tls);

    bool is_tls() const { return tls_ != nullptr; }
    HttpIo handshake();
    HttpIo read_some(char* to, std::size_t size);
    /// The beginning of `first` and `second`, one behind the other; one of them may be empty.
    HttpIo write_some(std::string_view first, std::string_view second = {});
    /// The peer learns that nothing more comes; false when that cannot be said.
    bool end_output();
    void close();
    /// After a read or a handshake that was blocked; likewise for a write.
    void when_readable(std::shared_ptr<HttpReady> waiter);
    void when_writable(std::shared_ptr<HttpReady> waiter);

private:
    HttpDescriptor descriptor_;
    std::unique_ptr<TlsSession> tls_;
};

} // namespace interlock::base
