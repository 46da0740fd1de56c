// The listening socket of an HTTP server.
#pragma once

#include "base/http_core.hpp"
#include "base/http_loop.hpp"

#include <memory>
#include <string>

namespace interlock::base {

class HttpListener final : public HttpReady, public std::enable_shared_from_this<HttpListener> {
public:
    /// Binds to the address and port of the core's options.
    static Result<std::shared_ptr<HttpListener>> bind(HttpCore& core);

    unsigned short port() const { return port_; }
    /// Hands connections to the core from now on.
    void start();
    void close();

    void on_readable() override;
    void on_writable() override {}

private:
    HttpListener(HttpCore& core, int descriptor, unsigned short port);
    bool admit(int descriptor, std::string peer);
    void rest(const char* why);

    HttpCore& core_;
    HttpDescriptor descriptor_;
    HttpTimer pause_;
    unsigned short port_;
};

} // namespace interlock::base
