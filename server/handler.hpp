// From one message to its one reply, whatever the transport: asks the protocol, hands calls to the
// dispatcher, gathers their answers, and sends once.
#pragma once

#include "server/call.hpp"
#include "server/dispatch.hpp"
#include "server/protocol.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace interlock::server {

struct Reply {
    unsigned status = 200; // HTTP only
    std::string session;   // HTTP: Mcp-Session-Id of a session that was opened
    std::string body;      // "" = nothing is said
    std::optional<std::chrono::seconds> retry_after; // with 503
};

/// Called exactly once a message, on the caller's thread or a worker's. Must not throw.
using Send = std::function<void(Reply)>;

class MessageHandler {
public:
    MessageHandler(Protocol& protocol, Dispatcher& dispatcher, CallRunner& runner);
    /// `gone` is requested when the client closes the request (HTTP).
    void
    handle(std::string_view bytes, const Arrival& arrival, const std::stop_token& gone, Send send);

private:
    Protocol& protocol_;
    Dispatcher& dispatcher_;
    CallRunner& runner_;
};

} // namespace interlock::server
