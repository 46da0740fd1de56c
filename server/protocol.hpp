// MCP without a socket: the bytes of one message and the facts of its transport go in; what to say
// at once, which calls to start and which to stop come out. Nothing here blocks, runs a tool or
// knows how an answer travels, so that a protocol test is a text of messages.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "server/era.hpp"
#include "server/jsonrpc.hpp"
#include "server/mcp_tools.hpp"
#include "server/sessions.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace interlock::server {

enum class Transport { stdio, http };

/// How a message came.
struct Arrival {
    Transport transport = Transport::stdio;
    telemetry::Identity identity;     // `client` is filled in from what the message says
    RequestHeaders headers;           // HTTP only
    LegacySession* process = nullptr; // stdio only: what `initialize` agreed on with this process
};

/// A tools/call that was understood and waits for a worker.
struct ToolCall {
    std::string key; // names it for cancellation; "" = only a disconnect can cancel it
    std::string id;  // JSON text of the request id
    Era era = Era::legacy;
    Transport transport = Transport::stdio;
    std::string version;
    std::string session;   // legacy HTTP only
    std::string name;      // as asked for; may be no tool of ours
    std::string arguments; // JSON text of an object
    telemetry::Identity identity;
    telemetry::Span span; // began when the message arrived
    base::Ticks received;
    bool cancel_on_disconnect = false;
};

/// An answer that is ready (JSON text), or a call whose answer comes later.
using Part = std::variant<std::string, std::unique_ptr<ToolCall>>;

struct Reaction {
    unsigned status = 200;              // HTTP only
    std::string session;                // a session that was opened: Mcp-Session-Id
    bool batch = false;                 // the answers leave as one array
    std::vector<Part> parts;            // empty: nothing is said (HTTP: 202)
    std::vector<std::string> cancelled; // keys of calls to stop
};

/// Collaborators, all outliving the protocol.
struct ProtocolParts {
    const ToolBox& tools;
    telemetry::Tracer& tracer;
    telemetry::Metrics& metrics;
    base::Clock& clock;
    base::Random& random;
};

class Protocol {
public:
    explicit Protocol(ProtocolParts parts);
    Reaction receive(std::string_view bytes, const Arrival& arrival);
    /// HTTP DELETE: false when the session is unknown.
    bool end_session(const std::string& id, const std::string& subject);

private:
    struct Operation; // one message with everything that was found out about it
    struct NoSession; // why a legacy message has no session, and the HTTP status that says so
    using SessionLookup = std::variant<LegacySession, NoSession>;

    Reaction receive_batch(const Packet& packet, const Arrival& arrival, base::Ticks received);
    Reaction receive_message(const Message& message, const Arrival& arrival, base::Ticks received);
    Reaction modern(Operation& operation);
    Reaction legacy(Operation& operation);
    Reaction in_session(Operation& operation, const LegacySession& session);
    Reaction initialize(Operation& operation);
    Reaction list_tools(Operation& operation);
    Reaction call_tool(Operation& operation);
    SessionLookup find_session(const Arrival& arrival);

    telemetry::Span start_span(const Operation& operation);
    Reaction answer(const Operation& operation, std::string_view result);
    Reaction refuse(const Operation& operation, const RpcError& error, unsigned status);

    ProtocolParts parts_;
    Sessions sessions_;
    std::string discover_;
};

/// How spans, metrics and the audit name a method: itself when we serve it, "other" otherwise.
std::string_view method_label(std::string_view method);

} // namespace interlock::server
