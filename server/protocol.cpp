#include "server/protocol.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::array<std::string_view, 5> served_methods{
    "initialize", "ping", "server/discover", "tools/list", "tools/call"};
constexpr std::string_view stdio_scope = "stdio";

RpcError rpc_error(int code, std::string message) {
    return RpcError{code, std::move(message), {}};
}

/// Client name and version from a clientInfo object; hostile text made harmless.
std::string client_from(const Json* info) {
    if (info == nullptr) {
        return {};
    }
    const std::string name = base::string_member(*info, "name").value_or("");
    const std::string version = base::string_member(*info, "version").value_or("");
    const std::string both = version.empty() ? name : name + "/" + version;
    return base::cut_middle(base::sanitize(both), base::limits::client_name_chars_max);
}

std::string cancel_key(std::string_view scope, std::string_view id) {
    return std::string(scope) + "\n" + std::string(id);
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
        reaction.cancelled.push_back(cancel_key(scope, text));
    }
    return reaction;
}

/// An id as OpenTelemetry wants it: a string without JSON's quotes.
std::string plain_id(const std::string& id) {
    const bool is_string = id.size() >= 2 && id.front() == '"';
    return is_string ? id.substr(1, id.size() - 2) : id;
}

std::optional<telemetry::TraceContext> trace_parent(const Message& message) {
    const Json* fields = meta_of(message);
    const auto text =
        fields != nullptr ? base::string_member(*fields, "traceparent") : std::nullopt;
    return text ? telemetry::parse_traceparent(*text) : std::nullopt;
}

} // namespace

struct Protocol::Operation {
    const Message& message;
    const Arrival& arrival;
    base::Ticks received;
    Era era = Era::legacy;
    std::string version = {};
    std::string session = {}; // legacy HTTP only
    std::string client = {};

    bool on_http() const { return arrival.transport == Transport::http; }
    std::string_view scope() const { return on_http() ? std::string_view(session) : stdio_scope; }
};

struct Protocol::NoSession {
    unsigned status = 400;
    RpcError error;
};

std::string_view method_label(std::string_view method) {
    const auto found = std::find(served_methods.begin(), served_methods.end(), method);
    return found != served_methods.end() ? *found : std::string_view("other");
}

Protocol::Protocol(ProtocolParts parts)
    : parts_(parts), sessions_(parts.clock, parts.random), discover_(discover_result()) {}

bool Protocol::end_session(const std::string& id, const std::string& subject) {
    return sessions_.end(id, subject);
}

Reaction Protocol::receive(std::string_view bytes, const Arrival& arrival) {
    const auto received = parts_.clock.ticks();
    const Packet packet = parse_packet(bytes);
    const Incoming& first = packet.messages.front();
    if (const auto* refusal = std::get_if<Refusal>(&first); refusal != nullptr && !packet.batch) {
        Message unreadable;
        unreadable.id = refusal->id;
        unreadable.params = std::make_shared<const Json>();
        return refuse(Operation{unreadable, arrival, received}, refusal->error, 400);
    }
    return packet.batch ? receive_batch(packet, arrival, received)
                        : receive_message(std::get<Message>(first), arrival, received);
}

Reaction
Protocol::receive_message(const Message& message, const Arrival& arrival, base::Ticks received) {
    const bool on_http = arrival.transport == Transport::http;
    const Classified classified = classify(message, on_http ? &arrival.headers : nullptr);
    Operation operation{message, arrival, received, classified.era};
    if (classified.era == Era::modern) {
        operation.version = modern_version;
        const Json* fields = meta_of(message);
        operation.client =
            client_from(fields != nullptr ? base::member(*fields, meta::client) : nullptr);
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
    if (message.method == "server/discover") {
        return answer(operation, discover_);
    }
    if (message.method == "tools/list") {
        return list_tools(operation);
    }
    if (message.method == "tools/call") {
        return call_tool(operation);
    }
    return refuse(
        operation, rpc_error(rpc::method_not_found, "This server has no such method."), 404
    );
}

Protocol::SessionLookup Protocol::find_session(const Arrival& arrival) {
    if (arrival.transport == Transport::stdio) {
        return arrival.process != nullptr ? *arrival.process : LegacySession{};
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
    auto session = sessions_.find(headers.session.value, arrival.identity.subject);
    if (!session) {
        return NoSession{
            404, rpc_error(rpc::invalid_request, "There is no such session; initialize again.")};
    }
    return *std::move(session);
}

Reaction Protocol::legacy(Operation& operation) {
    const Message& message = operation.message;
    if (message.kind == MessageKind::request && message.method == "initialize") {
        return initialize(operation);
    }
    const SessionLookup found = find_session(operation.arrival);
    if (const auto* missing = std::get_if<NoSession>(&found)) {
        return refuse(operation, missing->error, missing->status);
    }
    return in_session(operation, std::get<LegacySession>(found));
}

Reaction Protocol::in_session(Operation& operation, const LegacySession& session) {
    const Message& message = operation.message;
    operation.version = session.version;
    operation.client = session.client;
    if (operation.on_http()) {
        operation.session = operation.arrival.headers.session.value;
    }
    if (message.kind == MessageKind::response) {
        return silence(); // we ask clients nothing
    }
    if (message.kind == MessageKind::notification) {
        return message.method == "notifications/cancelled" ? stop_call(message, operation.scope())
                                                           : silence();
    }
    if (message.method == "ping") {
        return answer(operation, "{}");
    }
    if (session.version.empty()) {
        return refuse(
            operation,
            rpc_error(
                rpc::invalid_request,
                "Send initialize first, or describe the request in params._meta (2026-07-28)."
            ),
            400
        );
    }
    if (message.method == "tools/list") {
        return list_tools(operation);
    }
    if (message.method == "tools/call") {
        return call_tool(operation);
    }
    return refuse(
        operation, rpc_error(rpc::method_not_found, "This server has no such method."), 200
    );
}

Reaction Protocol::initialize(Operation& operation) {
    const Json& params = *operation.message.params;
    const auto requested = base::string_member(params, "protocolVersion");
    if (!requested) {
        return refuse(
            operation, rpc_error(rpc::invalid_params, "protocolVersion is required."), 200
        );
    }
    const bool known = is_legacy_version(*requested);
    operation.version = known ? *requested : std::string(legacy_versions.front());
    operation.client = client_from(base::member(params, "clientInfo"));
    LegacySession session{operation.version, operation.client};
    std::string id;
    if (operation.on_http()) {
        id = sessions_.open(std::move(session), operation.arrival.identity.subject);
        operation.session = id;
    } else if (operation.arrival.process != nullptr) {
        *operation.arrival.process = std::move(session);
    }
    Reaction reaction = answer(operation, initialize_result(operation.version));
    reaction.session = std::move(id);
    return reaction;
}

Reaction Protocol::list_tools(Operation& operation) {
    if (base::member(*operation.message.params, "cursor") != nullptr) {
        return refuse(
            operation,
            rpc_error(rpc::invalid_params, "The list has one page: there is no such cursor."),
            200
        );
    }
    return answer(operation, parts_.tools.list_result(operation.era));
}

Reaction Protocol::call_tool(Operation& operation) {
    const Json& params = *operation.message.params;
    const auto name = base::string_member(params, "name");
    const Json* arguments = base::member(params, "arguments");
    if (!name || (arguments != nullptr && !arguments->is_object())) {
        return refuse(
            operation,
            rpc_error(
                rpc::invalid_params, "params must hold a tool `name` and an object `arguments`."
            ),
            200
        );
    }
    const bool closes_to_cancel = operation.on_http() && operation.era == Era::modern;
    const std::string& id = operation.message.id;
    auto call = std::make_unique<ToolCall>(ToolCall{
        .key = closes_to_cancel ? std::string{} : cancel_key(operation.scope(), id),
        .id = id,
        .era = operation.era,
        .transport = operation.arrival.transport,
        .version = operation.version,
        .session = operation.session,
        .name = *name,
        .arguments = arguments != nullptr ? base::render_json(*arguments) : "{}",
        .identity = operation.arrival.identity,
        .span = start_span(operation),
        .received = operation.received,
        .cancel_on_disconnect = closes_to_cancel});
    call->identity.client = operation.client;
    const std::chrono::duration<double> took = parts_.clock.ticks() - operation.received;
    parts_.metrics.observe(
        telemetry::Histogram::protocol_seconds, {std::string("tools/call")}, took.count()
    );
    Reaction reaction;
    reaction.parts.emplace_back(std::move(call));
    return reaction;
}

Reaction
Protocol::receive_batch(const Packet& packet, const Arrival& arrival, base::Ticks received) {
    Message whole;
    whole.params = std::make_shared<const Json>();
    const Operation as_whole{whole, arrival, received};
    const SessionLookup found = find_session(arrival);
    if (const auto* missing = std::get_if<NoSession>(&found)) {
        return refuse(as_whole, missing->error, missing->status);
    }
    const auto& session = std::get<LegacySession>(found);
    const auto* refused = std::get_if<Refusal>(&packet.messages.front());
    if (session.version != batch_version) {
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
            Operation operation{std::get<Message>(incoming), arrival, received};
            one = in_session(operation, session);
        }
        std::move(one.parts.begin(), one.parts.end(), std::back_inserter(all.parts));
        std::move(one.cancelled.begin(), one.cancelled.end(), std::back_inserter(all.cancelled));
    }
    all.batch = true;
    all.status = all.parts.empty() ? 202 : 200;
    return all;
}

telemetry::Span Protocol::start_span(const Operation& operation) {
    const Message& message = operation.message;
    const std::string label(method_label(message.method));
    const auto tool = base::string_member(*message.params, "name");
    const bool known_tool =
        message.method == "tools/call" && tool && parts_.tools.find(*tool) != nullptr;
    auto span = parts_.tracer.start(
        known_tool ? label + " " + *tool : label, telemetry::SpanKind::server, trace_parent(message)
    );
    span.set("mcp.method.name", label);
    span.set("jsonrpc.request.id", base::sanitize(plain_id(message.id)));
    span.set("network.transport", std::string(operation.on_http() ? "tcp" : "pipe"));
    if (operation.on_http()) {
        span.set("network.protocol.name", std::string("http"));
    }
    if (!operation.version.empty()) {
        span.set("mcp.protocol.version", operation.version);
    }
    if (!operation.session.empty()) {
        span.set("mcp.session.id", operation.session);
    }
    if (message.method == "tools/call") {
        span.set("gen_ai.operation.name", std::string("execute_tool"));
    }
    if (known_tool) {
        span.set("gen_ai.tool.name", *tool);
    }
    return span;
}

Reaction Protocol::answer(const Operation& operation, std::string_view result) {
    auto span = start_span(operation);
    Reaction reaction;
    reaction.parts.emplace_back(render_result(operation.message.id, result));
    const std::string label(method_label(operation.message.method));
    const std::chrono::duration<double> took = parts_.clock.ticks() - operation.received;
    parts_.metrics.observe(telemetry::Histogram::protocol_seconds, {label}, took.count());
    parts_.metrics.observe(telemetry::Histogram::operation_seconds, {label, "", ""}, took.count());
    return reaction;
}

Reaction Protocol::refuse(const Operation& operation, const RpcError& error, unsigned status) {
    const std::string code = std::to_string(error.code);
    parts_.metrics.count(telemetry::Counter::protocol_errors, {code});
    Reaction reaction;
    reaction.status = status;
    if (operation.message.kind == MessageKind::request) {
        auto span = start_span(operation);
        span.set("rpc.response.status_code", code);
        span.fail(code, error.message);
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
