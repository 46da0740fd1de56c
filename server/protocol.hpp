// MCP without a socket: the bytes of one message and the facts of its transport go in; what to say
// at once, which calls to start and which to stop come out. Nothing here blocks, runs a handler or
// knows how an answer travels, so that a protocol test is a text of messages.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "server/access.hpp"
#include "server/catalogue.hpp"
#include "server/era.hpp"
#include "server/hub.hpp"
#include "server/jsonrpc.hpp"
#include "server/request_state.hpp"
#include "server/requests.hpp"
#include "server/sessions.hpp"
#include "server/tasks.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace interlock::server {

enum class Transport { stdio, http };

/// How a message came.
struct Arrival {
    Transport transport = Transport::stdio;
    Access access;
    RequestHeaders headers; // HTTP only
    SessionPointer process; // stdio only: what `initialize` agreed on with this process
    // HTTP only, for the spans.
    std::string peer = {};
    unsigned short peer_port = 0;
    bool http_1_0 = false;
    std::string traceparent = {}; // of the request's headers; "" = none
};

/// A request that was understood and waits for a worker.
struct Job {
    JobKind kind = JobKind::call_tool;
    std::string key; // names it for cancellation; "" = only a disconnect can cancel it
    std::string id;  // JSON text of the request id
    std::string method;
    Era era = Era::legacy;
    Transport transport = Transport::stdio;
    std::string version;
    SessionPointer session; // legacy only
    std::string name;       // tool (maybe no tool of ours), prompt, uri, or completion reference
    std::shared_ptr<const base::Json> params; // of the request, an object
    std::string arguments;                    // JSON text of the `arguments` object ("{}")
    std::string incident = {};                // that it is about, for supervision and audit
    Access access;
    Client client;
    std::shared_ptr<const CompiledOffer> offer; // in force when it arrived
    std::string progress_token;                 // JSON text; "" = none
    std::optional<LogSeverity> log_level;
    std::shared_ptr<const base::Json> input_responses; // of a retry; null = none
    std::string remembered;                            // of a retry, already verified
    telemetry::Span span;                              // began when the message arrived
    base::Ticks received;
    bool cancel_on_disconnect = false; // modern HTTP

    std::string subject() const;  // who owns its states and tasks: session_owner
    StateBinding binding() const; // what its requestState is bound to
};

/// An answer of a client to a question of ours (legacy).
struct ClientAnswer {
    SessionPointer session;
    std::string id;     // JSON text of the question's id
    std::string result; // JSON text; "" = it answered with an error
};

/// A request whose answer needs a look at the disk. The thread that reads messages never takes it:
/// a worker settles it, into its answer or into the listen that it is.
struct Deferred {
    std::string key;      // names it for cancellation; "" = only a disconnect can cancel it
    std::string id;       // JSON text of the request id
    bool listens = false; // it may become a listen, which a disconnect ends
    std::function<std::variant<std::string, Listen>()> settle; // once
};

/// An answer that is ready (JSON text), a call whose answer comes later, a listen, or what has to
/// be looked at before it is one of them.
using Part = std::variant<std::string, std::unique_ptr<Job>, Listen, Deferred>;

/// A call or listen to stop, and its place among the parts of the same message.
struct Cancellation {
    std::string key;
    std::size_t before = 0; // the part that comes next; their number: none
};

struct Reaction {
    unsigned status = 200;               // HTTP only
    std::string session;                 // a session that was opened: Mcp-Session-Id
    std::string challenge;               // 403: the scopes that are needed, space-separated
    bool batch = false;                  // the answers leave as one array
    std::vector<Part> parts;             // empty: nothing is said (HTTP: 202)
    std::vector<Cancellation> cancelled; // in the order of the message
    std::vector<ClientAnswer> answers;   // to questions of ours
};

/// What the keys of all requests of a legacy session begin with.
std::string cancel_prefix(std::string_view session);

/// Whether it is a listen, or may become one.
bool listens(const Reaction& reaction);

/// Collaborators, all outliving the protocol.
struct ProtocolParts {
    const Catalogue& catalogue;
    Sessions& sessions;
    Tasks& tasks;
    const RequestStates& states;
    telemetry::Tracer& tracer;
    telemetry::Metrics& metrics;
    base::Clock& clock;
    /// Why this caller may not even ask for its tasks; empty: everybody may.
    std::function<std::optional<RpcError>(const Access&)> barred = {};
};

class Protocol {
public:
    explicit Protocol(ProtocolParts parts);
    Reaction receive(std::string_view bytes, const Arrival& arrival);

private:
    struct Operation; // one message with everything that was found out about it
    struct NoSession; // why a legacy message has no session, and the HTTP status that says so
    struct Route;     // a method, who may ask for it and what serves it
    struct Resumed {
        std::shared_ptr<const base::Json> responses;
        std::string state; // opened
    };
    using SessionLookup = std::variant<SessionPointer, NoSession>;
    /// What a look at the disk comes to: a result (JSON text), an error, or a listen.
    using Found = std::variant<std::string, RpcError, Listen>;
    friend std::string_view method_label(std::string_view method);
    static const std::vector<Route>& routes();
    static const Route* find_route(std::string_view method, Era era, const CompiledOffer& offer);

    Reaction receive_batch(const Packet& packet, const Arrival& arrival, base::Ticks received);
    Reaction receive_message(const Message& message, const Arrival& arrival, base::Ticks received);
    Reaction modern(Operation& operation);
    Reaction legacy(Operation& operation);
    Reaction in_session(Operation& operation, SessionPointer session);
    SessionLookup find_session(const Arrival& arrival);

    // One for each route or two.
    Reaction initialize(Operation& operation);
    Reaction ping(Operation& operation);
    Reaction discover(Operation& operation);
    Reaction list(Operation& operation);
    Reaction call_tool(Operation& operation);
    Reaction read_resource(Operation& operation);
    Reaction get_prompt(Operation& operation);
    Reaction complete(Operation& operation);
    Reaction subscribe(Operation& operation);
    Reaction unsubscribe(Operation& operation);
    Reaction set_log_level(Operation& operation);
    Reaction listen(Operation& operation);
    Reaction serve_task(Operation& operation);

    Reaction start(Operation& operation, JobKind kind);
    Reaction defer(const Operation& operation, std::function<Found()> look);
    Read<Resumed> take_retry(const Operation& operation, const StateBinding& binding) const;
    telemetry::Span start_span(const Operation& operation);
    void understood(const Operation& operation);
    Reaction answer(const Operation& operation, std::string_view result);
    Reaction refuse(const Operation& operation, const RpcError& error, unsigned status = 200);

    ProtocolParts parts_;
};

/// How spans, metrics and the audit name a method: itself when we serve it, "other" otherwise.
std::string_view method_label(std::string_view method);

} // namespace interlock::server
