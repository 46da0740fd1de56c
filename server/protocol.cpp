#include "server/protocol.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "server/identity_log.hpp"
#include "server/operation_span.hpp"
#include "server/protocol_operation.hpp"
#include "telemetry/redaction.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

RpcError no_such_method() {
    return rpc_error(rpc::method_not_found, "This server has no such method.");
}

Reaction silence() {
    Reaction reaction;
    reaction.status = 202;
    return reaction;
}

Reaction stop_call(const Message& message, std::string_view scope) {
    Reaction reaction = silence();
    const Json* id = base::member(*message.params, "requestId");
    const std::string text = id != nullptr ? id_text(*id) : std::string{};
    if (!text.empty()) {
        reaction.cancelled.push_back({cancel_key(scope, text)});
    }
    return reaction;
}

/// An id as OpenTelemetry wants it: a string without JSON's quotes.
std::string plain_id(const std::string& id) {
    const bool is_string = id.size() >= 2 && id.front() == '"';
    return is_string ? id.substr(1, id.size() - 2) : id;
}

/// Most ids are: a few digits hold no secret, and need not be searched for one.
bool is_small_number(std::string_view text) {
    constexpr std::size_t digits_max = 9;
    return text.size() <= digits_max && text.find_first_not_of("0123456789") == text.npos;
}

std::optional<telemetry::TraceContext> trace_parent(const Message& message) {
    const Json* fields = meta_of(message);
    const auto text =
        fields != nullptr ? base::string_member(*fields, "traceparent") : std::nullopt;
    return text ? telemetry::parse_traceparent(*text) : std::nullopt;
}

} // namespace

struct Protocol::NoSession {
    unsigned status = 400;
    RpcError error;
};

struct Protocol::Route {
    std::string_view method;
    bool legacy;
    bool modern;
    bool (*offered)(const CompiledOffer&);
    Reaction (Protocol::*serve)(Operation&);
};

const std::vector<Protocol::Route>& Protocol::routes() {
    using P = Protocol;
    using O = const CompiledOffer&;
    const auto always = [](O) { return true; };
    const auto tools = [](O o) { return !o.offer().tools.empty(); };
    const auto resources = [](O o) { return o.has_resources(); };
    const auto watching = [](O o) { return o.has_resources() && bool(o.offer().watchable); };
    const auto prompts = [](O o) { return !o.offer().prompts.empty(); };
    const auto completion = [](O o) { return bool(o.offer().complete); };
    const auto logging = [](O o) { return o.offer().logging; };
    const auto tasks = [](O o) { return o.has_tasks(); };
    // The most frequent first; `initialize` is served before there is a session to look routes up
    // in. Modern clients that ask for what their revision removed are told that it is not there.
    static const std::vector<Route> all{
        {"tools/call", true, true, tools, &P::call_tool},
        {"tools/list", true, true, tools, &P::list},
        {"server/discover", false, true, always, &P::discover},
        {"initialize", false, false, always, &P::initialize},
        {"ping", true, false, always, &P::ping},
        {"resources/list", true, true, resources, &P::list},
        {"resources/templates/list", true, true, resources, &P::list},
        {"resources/read", true, true, resources, &P::read_resource},
        {"resources/subscribe", true, false, watching, &P::subscribe},
        {"resources/unsubscribe", true, false, watching, &P::unsubscribe},
        {"prompts/list", true, true, prompts, &P::list},
        {"prompts/get", true, true, prompts, &P::get_prompt},
        {"completion/complete", true, true, completion, &P::complete},
        {"logging/setLevel", true, false, logging, &P::set_log_level},
        {"subscriptions/listen", false, true, always, &P::listen},
        {"tasks/get", false, true, tasks, &P::serve_task},
        {"tasks/update", false, true, tasks, &P::serve_task},
        {"tasks/cancel", false, true, tasks, &P::serve_task}};
    return all;
}

const Protocol::Route*
Protocol::find_route(std::string_view method, Era era, const CompiledOffer& offer) {
    const auto found = std::find_if(routes().begin(), routes().end(), [&](const Route& route) {
        return route.method == method;
    });
    const bool serves = found != routes().end() &&
                        (era == Era::modern ? found->modern : found->legacy) &&
                        found->offered(offer);
    return serves ? &*found : nullptr;
}

std::string_view method_label(std::string_view method) {
    const auto& routes = Protocol::routes();
    const auto found = std::find_if(routes.begin(), routes.end(), [&](const auto& route) {
        return route.method == method;
    });
    return found != routes.end() ? found->method : std::string_view("other");
}

std::string Job::subject() const {
    return session_owner(access.identity);
}

StateBinding Job::binding() const {
    return {subject(), method, name, arguments};
}

std::string cancel_prefix(std::string_view session) {
    return std::string(session) + "\n";
}

bool listens(const Reaction& reaction) {
    return std::any_of(reaction.parts.begin(), reaction.parts.end(), [](const Part& part) {
        const auto* deferred = std::get_if<Deferred>(&part);
        return std::holds_alternative<Listen>(part) || (deferred != nullptr && deferred->listens);
    });
}

Protocol::Protocol(ProtocolParts parts) : parts_(std::move(parts)) {}

// --- From bytes to a route -----------------------------------------------------------------------

Reaction Protocol::receive(std::string_view bytes, const Arrival& arrival) {
    const auto received = parts_.clock.ticks();
    const Packet packet = parse_packet(bytes);
    const Incoming& first = packet.messages.front();
    if (const auto* refusal = std::get_if<Refusal>(&first); refusal != nullptr && !packet.batch) {
        Message unreadable;
        unreadable.id = refusal->id;
        unreadable.params = std::make_shared<const Json>();
        return refuse(
            Operation{unreadable, arrival, received, parts_.catalogue.current()},
            refusal->error,
            400
        );
    }
    return packet.batch ? receive_batch(packet, arrival, received)
                        : receive_message(std::get<Message>(first), arrival, received);
}

Reaction
Protocol::receive_message(const Message& message, const Arrival& arrival, base::Ticks received) {
    const bool on_http = arrival.transport == Transport::http;
    const Classified classified = classify(message, on_http ? &arrival.headers : nullptr);
    Operation operation{message, arrival, received, parts_.catalogue.current(), classified.era};
    if (classified.era == Era::modern) {
        operation.version = modern_version;
        if (const Json* fields = meta_of(message)) {
            operation.client = read_client(
                base::member(*fields, meta::client), base::member(*fields, meta::capabilities)
            );
        }
    }
    if (classified.refusal) {
        return refuse(operation, *classified.refusal, 400);
    }
    return classified.era == Era::modern ? modern(operation) : legacy(operation);
}

Reaction Protocol::modern(Operation& operation) {
    const Message& message = operation.message;
    if (message.kind == MessageKind::notification) {
        // Over HTTP a client cancels by closing its request, and nothing else is defined.
        const bool cancels = !operation.on_http() && message.method == "notifications/cancelled";
        return cancels ? stop_call(message, stdio_scope) : silence();
    }
    const Route* route = find_route(message.method, Era::modern, *operation.offer);
    if (route == nullptr) {
        return refuse(operation, no_such_method(), 404);
    }
    const auto level = read_log_level(operation.params());
    if (const auto* error = std::get_if<RpcError>(&level)) {
        return refuse(operation, *error);
    }
    operation.log_level = std::get<std::optional<LogSeverity>>(level);
    return (this->*route->serve)(operation);
}

Protocol::SessionLookup Protocol::find_session(const Arrival& arrival) {
    if (arrival.transport == Transport::stdio) {
        return arrival.process ? arrival.process : std::make_shared<LegacySession>();
    }
    const RequestHeaders& headers = arrival.headers;
    const bool version_stands =
        headers.version.count == 0 ||
        (headers.version.count == 1 && is_legacy_version(headers.version.value));
    if (!version_stands) {
        return NoSession{
            400,
            rpc_error(rpc::invalid_request, "MCP-Protocol-Version names no version served here.")};
    }
    if (headers.session.count != 1) {
        return NoSession{
            400,
            rpc_error(
                rpc::invalid_request,
                "Exactly one Mcp-Session-Id header is required; initialize gives the id."
            )};
    }
    auto session =
        parts_.sessions.find(headers.session.value, session_owner(arrival.access.identity));
    if (session == nullptr) {
        return NoSession{
            404, rpc_error(rpc::invalid_request, "There is no such session; initialize again.")};
    }
    return session;
}

Reaction Protocol::legacy(Operation& operation) {
    const Message& message = operation.message;
    if (message.kind == MessageKind::request && message.method == "initialize") {
        return initialize(operation);
    }
    SessionLookup found = find_session(operation.arrival);
    if (const auto* none = std::get_if<NoSession>(&found)) {
        return refuse(operation, none->error, none->status);
    }
    return in_session(operation, std::get<SessionPointer>(std::move(found)));
}

Reaction Protocol::in_session(Operation& operation, SessionPointer session) {
    const Message& message = operation.message;
    operation.version = session->version();
    operation.client = session->client();
    operation.log_level = session->log_level();
    operation.session = std::move(session);
    if (message.kind == MessageKind::response) {
        Reaction reaction = silence();
        if (!message.id.empty()) {
            reaction.answers.push_back({operation.session, message.id, message.result});
        }
        return reaction;
    }
    if (message.kind == MessageKind::notification) {
        return message.method == "notifications/cancelled" ? stop_call(message, operation.scope())
                                                           : silence();
    }
    if (operation.version.empty() && message.method != "ping") {
        return refuse(
            operation,
            rpc_error(
                rpc::invalid_request,
                "Send initialize first, or describe the request in params._meta (2026-07-28)."
            ),
            400
        );
    }
    const Route* route = find_route(message.method, Era::legacy, *operation.offer);
    return route != nullptr ? (this->*route->serve)(operation)
                            : refuse(operation, no_such_method());
}

Reaction
Protocol::receive_batch(const Packet& packet, const Arrival& arrival, base::Ticks received) {
    Message whole;
    whole.params = std::make_shared<const Json>();
    const auto offer = parts_.catalogue.current();
    const Operation as_whole{whole, arrival, received, offer};
    const SessionLookup found = find_session(arrival);
    if (const auto* none = std::get_if<NoSession>(&found)) {
        return refuse(as_whole, none->error, none->status);
    }
    const auto& session = std::get<SessionPointer>(found);
    const auto* refused = std::get_if<Refusal>(&packet.messages.front());
    if (session->version() != batch_version) {
        return refuse(
            as_whole, rpc_error(rpc::invalid_request, "This protocol version has no batches."), 400
        );
    }
    if (refused != nullptr && packet.messages.size() == 1) {
        return refuse(as_whole, refused->error, 400);
    }
    Reaction all;
    for (const Incoming& incoming : packet.messages) {
        Reaction one;
        if (const auto* bad = std::get_if<Refusal>(&incoming)) {
            one.parts.emplace_back(render_error(bad->id, bad->error));
        } else {
            Operation operation{std::get<Message>(incoming), arrival, received, offer};
            one = in_session(operation, session);
        }
        for (Cancellation& cancellation : one.cancelled) {
            all.cancelled.push_back({std::move(cancellation.key), all.parts.size()});
        }
        std::move(one.parts.begin(), one.parts.end(), std::back_inserter(all.parts));
        std::move(one.answers.begin(), one.answers.end(), std::back_inserter(all.answers));
    }
    all.batch = true;
    all.status = all.parts.empty() ? 202 : 200;
    return all;
}

// --- What is said, and what is recorded about it -------------------------------------------------

telemetry::Span Protocol::start_span(const Operation& operation) {
    const Message& message = operation.message;
    const std::string_view label = method_label(message.method);
    const std::string name = base::string_member(operation.params(), "name").value_or("");
    // Only names of ours become names of spans: what a caller makes up has no bound.
    const bool tool = message.method == "tools/call" &&
                      operation.offer->tool(name, operation.arrival.access) != nullptr;
    const bool prompt = message.method == "prompts/get" && operation.offer->prompt(name) != nullptr;
    const auto given = trace_parent(message);
    const auto ambient = telemetry::parse_traceparent(operation.arrival.traceparent);
    auto span = parts_.tracer.start(
        tool || prompt ? std::string(label) + " " + name : label,
        telemetry::SpanKind::server,
        given ? given : ambient
    );
    if (!span.recording()) {
        return span;
    }
    if (given && ambient) {
        span.link(*ambient);
    }
    span.set("mcp.method.name", label);
    if (!message.id.empty()) {
        const auto id = plain_id(message.id);
        span.set("jsonrpc.request.id", is_small_number(id) ? id : telemetry::safe_text(id));
    }
    describe_arrival(span, operation.arrival);
    if (!operation.version.empty()) {
        span.set("mcp.protocol.version", operation.version);
    }
    if (operation.session && !operation.session->id().empty()) {
        span.set("mcp.session.id", operation.session->id());
    }
    if (message.method == "tools/call") {
        span.set("gen_ai.operation.name", "execute_tool");
    }
    if (tool) {
        span.set("gen_ai.tool.name", name);
    } else if (prompt) {
        span.set("gen_ai.prompt.name", name);
    }
    if (label.starts_with("resources/")) {
        if (const auto uri = base::string_member(operation.params(), "uri")) {
            span.set("mcp.resource.uri", telemetry::safe_text(*uri));
        }
    }
    return span;
}

/// The message is parsed and judged; what is left is the handler's time.
void Protocol::understood(const Operation& operation) {
    const std::chrono::duration<double> took = parts_.clock.ticks() - operation.received;
    parts_.metrics.observe(
        telemetry::Histogram::protocol_seconds,
        {std::string(method_label(operation.message.method))},
        took.count()
    );
}

Reaction Protocol::answer(const Operation& operation, std::string_view result) {
    auto span = start_span(operation);
    span.set("mcp.payload_bytes", static_cast<std::int64_t>(result.size()));
    Reaction reaction;
    reaction.parts.emplace_back(render_result(operation.message.id, result));
    understood(operation);
    const std::string label(method_label(operation.message.method));
    const std::chrono::duration<double> took = parts_.clock.ticks() - operation.received;
    parts_.metrics.observe(telemetry::Histogram::operation_seconds, {label, "", ""}, took.count());
    return reaction;
}

namespace {

/// A call that never became one has an identity, too.
void log_refused(
    const Message& message,
    const telemetry::Identity& identity,
    const Client& client,
    bool on_http,
    const std::string& code
) {
    constexpr std::array calls{
        "tools/call", "resources/read", "prompts/get", "completion/complete"};
    if (std::find(calls.begin(), calls.end(), message.method) == calls.end()) {
        return;
    }
    telemetry::Identity caller = identity;
    caller.client = client.name;
    log_identity(
        {.call = {},
         .method = message.method,
         .name = base::string_member(*message.params, "name").value_or(""),
         .transport = on_http ? "http" : "stdio",
         .outcome = code},
        caller
    );
}

} // namespace

Reaction Protocol::refuse(const Operation& operation, const RpcError& error, unsigned status) {
    const std::string code = std::to_string(error.code);
    parts_.metrics.count(telemetry::Counter::protocol_errors, {code});
    Reaction reaction;
    reaction.status = status;
    if (operation.message.kind == MessageKind::request) {
        const Message& message = operation.message;
        auto span = start_span(operation);
        describe_error(span, error);
        log_refused(
            message, operation.arrival.access.identity, operation.client, operation.on_http(), code
        );
        const std::string label(method_label(operation.message.method));
        const std::chrono::duration<double> took = parts_.clock.ticks() - operation.received;
        parts_.metrics.observe(
            telemetry::Histogram::operation_seconds, {label, "", code}, took.count()
        );
    } else if (!operation.on_http()) {
        return reaction; // a notification is never answered on stdio
    }
    reaction.parts.emplace_back(render_error(operation.message.id, error));
    return reaction;
}

} // namespace interlock::server
