// The way back for one message, whatever the transport: things said before the answer, and the
// answer. Thread-safe; after finish() nothing more goes out.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace interlock::server {

/// The one answer to a message.
struct Reply {
    unsigned status = 200; // HTTP only
    std::string session;   // HTTP: Mcp-Session-Id of a session that was opened
    std::string challenge; // HTTP: the scopes a 403 names in WWW-Authenticate; "" = none
    std::string body;      // "" = nothing is said
    std::optional<std::chrono::seconds> retry_after; // with 503
};

class Outlet {
public:
    virtual ~Outlet() = default;
    /// A notification, or a question of ours, before the answer. False: it goes nowhere (the client
    /// is gone, or takes no stream).
    virtual bool push(std::string message) = 0;
    /// Exactly once; more are ignored.
    virtual void finish(Reply reply) = 0;
    /// See Conversation::pause_stream.
    virtual void pause(std::chrono::milliseconds) {}
    /// A comment, where an open stream has such a thing, so that no proxy closes it as idle.
    virtual void keep_alive() {}
};

} // namespace interlock::server
