// What a handler holds of one request. It owns no socket: answers reach the connection as actions
// posted to the loop, and go nowhere when the connection has ended.
#pragma once

#include "base/http_server.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace interlock::base {

struct HttpCore;
class HttpConnection;

/// The request of a connection that is being answered, by number: what comes for another one
/// comes too late.
struct HttpExchangeParts {
    std::shared_ptr<HttpCore> core;
    std::weak_ptr<HttpConnection> connection;
    std::uint64_t number = 0;
    HttpRequest request;
    std::stop_token gone;
};

/// Calls the server's handler. What it answers before it returns comes back instead of being
/// posted.
std::optional<HttpResponse> hand_over(HttpExchangeParts parts);

} // namespace interlock::base
