#include "base/json.hpp"
#include "server/header_parameters.hpp"
#include "server/operation_span.hpp"
#include "server/protocol_operation.hpp"

#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

/// -32021: `capabilities` is what the client would have to declare.
RpcError missing(std::string message, const Json& capabilities) {
    return RpcError{
        rpc::missing_capability,
        std::move(message),
        base::render_json(Json{{"requiredCapabilities", capabilities}})};
}

RpcError missing_tasks() {
    return missing(
        "This needs a client that declares the extension io.modelcontextprotocol/tasks.",
        Json{{"extensions", {{tasks_extension, Json::object()}}}}
    );
}

bool declares(const Client& client, std::string_view capability) {
    return capability.empty() || (capability == "sampling" && client.sampling) ||
           (capability == "roots" && client.roots) ||
           (capability == "elicitation" && client.elicitation_form);
}

/// A modern result around members that are a JSON object's text.
std::string modern_result(const CompiledOffer& offer, std::string_view object) {
    std::string out = "{" + offer.modern_members();
    if (object.size() > 2) {
        out.append(",").append(object.substr(1));
        return out;
    }
    return out + "}";
}

} // namespace

// --- What is answered at once --------------------------------------------------------------------

Reaction Protocol::initialize(Operation& operation) {
    const auto requested = base::string_member(operation.params(), "protocolVersion");
    if (!requested) {
        return refuse(operation, rpc_error(rpc::invalid_params, "protocolVersion is required."));
    }
    const bool known = is_legacy_version(*requested);
    operation.version = known ? *requested : std::string(legacy_versions.front());
    operation.client = read_client(
        base::member(operation.params(), "clientInfo"),
        base::member(operation.params(), "capabilities")
    );
    operation.client.tasks = false; // the extension is spoken in modern messages only
    if (operation.on_http()) {
        operation.session = parts_.sessions.open(operation.owner());
    } else {
        operation.session = operation.arrival.process;
    }
    if (operation.session) {
        operation.session->agree(operation.version, operation.client);
    }
    Reaction reaction = answer(operation, operation.offer->initialize_result(operation.version));
    if (operation.on_http()) {
        reaction.session = operation.session->id();
    }
    return reaction;
}

Reaction Protocol::ping(Operation& operation) {
    return answer(operation, "{}");
}

Reaction Protocol::discover(Operation& operation) {
    return answer(operation, operation.offer->discover_result());
}

Reaction Protocol::list(Operation& operation) {
    const auto read = read_cursor(operation.params());
    if (const auto* error = std::get_if<RpcError>(&read)) {
        return refuse(operation, *error);
    }
    const auto& cursor = std::get<std::optional<std::string>>(read);
    const CompiledOffer& offer = *operation.offer;
    const std::string& method = operation.message.method;
    std::shared_ptr<const RenderedList> tools;
    const RenderedList* list = &offer.templates();
    if (method == "tools/list") {
        tools = offer.tools_shown(operation.arrival.access);
        list = tools.get();
    } else if (method == "resources/list") {
        list = &offer.resources();
    } else if (method == "prompts/list") {
        list = &offer.prompts();
    }
    const std::string* page = list->page(operation.era, cursor);
    if (page == nullptr) {
        return refuse(
            operation,
            rpc_error(rpc::invalid_params, "There is no such cursor; list again from the start.")
        );
    }
    return answer(operation, *page);
}

Reaction Protocol::subscribe(Operation& operation) {
    const auto uri = base::string_member(operation.params(), "uri");
    if (!uri) {
        return refuse(operation, rpc_error(rpc::invalid_params, "params.uri must be a string."));
    }
    return defer(
        operation,
        [offer = operation.offer,
         access = operation.arrival.access,
         session = operation.session,
         uri = *uri]() -> Found {
            if (!offer->offer().watchable(access, uri)) {
                RpcError error = resource_not_found(uri);
                error.code = rpc::resource_not_found;
                error.message = "There is no such resource, or its changes cannot be told.";
                return error;
            }
            if (!session->subscribe(uri)) {
                return rpc_error(
                    rpc::invalid_params, "This session has too many subscriptions; drop some."
                );
            }
            return "{}";
        }
    );
}

Reaction Protocol::unsubscribe(Operation& operation) {
    const auto uri = base::string_member(operation.params(), "uri");
    if (!uri) {
        return refuse(operation, rpc_error(rpc::invalid_params, "params.uri must be a string."));
    }
    operation.session->unsubscribe(*uri);
    return answer(operation, "{}");
}

Reaction Protocol::set_log_level(Operation& operation) {
    const auto level =
        log_severity_from(base::string_member(operation.params(), "level").value_or(""));
    if (!level) {
        return refuse(
            operation,
            rpc_error(
                rpc::invalid_params,
                "params.level must be one of debug, info, notice, warning, error, critical, "
                "alert, emergency."
            )
        );
    }
    operation.session->set_log_level(*level);
    return answer(operation, "{}");
}

Reaction Protocol::serve_task(Operation& operation) {
    if (!operation.client.tasks) {
        return refuse(operation, missing_tasks(), 400);
    }
    const std::string& method = operation.message.method;
    const auto id = base::string_member(operation.params(), "taskId");
    const Json* responses = base::member(operation.params(), "inputResponses");
    const bool updates = method == "tasks/update";
    if (!id || (updates && (responses == nullptr || !responses->is_object()))) {
        return refuse(
            operation,
            rpc_error(
                rpc::invalid_params,
                updates ? "params must hold a string taskId and an object inputResponses."
                        : "params.taskId must be a string."
            )
        );
    }
    // What a task has found is not given to who is stopped; a task can always be cancelled.
    if (parts_.barred && method != "tasks/cancel") {
        if (const auto barred = parts_.barred(operation.arrival.access)) {
            return refuse(operation, *barred);
        }
    }
    const std::string owner = operation.owner();
    const auto outcome = updates                 ? parts_.tasks.update(owner, *id, *responses)
                         : method == "tasks/get" ? parts_.tasks.get(owner, *id)
                                                 : parts_.tasks.cancel(owner, *id);
    if (const auto* error = std::get_if<RpcError>(&outcome)) {
        return refuse(operation, *error);
    }
    return answer(operation, modern_result(*operation.offer, std::get<std::string>(outcome)));
}

// --- What others carry on ------------------------------------------------------------------------

Reaction Protocol::listen(Operation& operation) {
    const auto read = read_listen(operation.params());
    if (const auto* error = std::get_if<RpcError>(&read)) {
        return refuse(operation, *error);
    }
    const auto& wanted = std::get<ListenRequest>(read);
    if (base::member(*base::member(operation.params(), "notifications"), "taskIds") != nullptr &&
        !operation.client.tasks) {
        return refuse(operation, missing_tasks(), 400);
    }
    // Narrowed to what we advertise and to what is this caller's: more would promise news that
    // never come, or come from others.
    const CompiledOffer& compiled = *operation.offer;
    const Offer& offer = compiled.offer();
    const std::string owner = operation.owner();
    ListenFilter filter;
    filter.tools = wanted.tools && offer.changes && !offer.tools.empty();
    filter.prompts = wanted.prompts && offer.changes && !offer.prompts.empty();
    filter.resources = wanted.resources && offer.changes && compiled.has_resources();
    for (const std::string& task : wanted.tasks) {
        if (parts_.tasks.owns(owner, task)) {
            filter.tasks.insert(task);
        }
    }
    Listen listen{
        operation.key(), operation.message.id, owner, std::move(filter), compiled.modern_members()};
    if (offer.watchable && !wanted.uris.empty()) {
        return defer(
            operation,
            [offer = operation.offer,
             access = operation.arrival.access,
             uris = wanted.uris,
             listen = std::move(listen)]() mutable -> Found {
                for (const std::string& uri : uris) {
                    if (offer->offer().watchable(access, uri)) {
                        listen.filter.uris.insert(uri);
                    }
                }
                return std::move(listen);
            }
        );
    }
    const auto span = start_span(operation);
    understood(operation);
    Reaction reaction;
    reaction.parts.emplace_back(std::move(listen));
    return reaction;
}

/// What is found is recorded like every other answer, by the worker that looked.
Reaction Protocol::defer(const Operation& operation, std::function<Found()> look) {
    const std::string id = operation.message.id;
    const auto settle = [this,
                         id,
                         look = std::move(look),
                         received = operation.received,
                         label = std::string(method_label(operation.message.method)),
                         span = std::make_shared<telemetry::Span>(start_span(operation))] {
        Found found = look();
        std::string code;
        if (const auto* error = std::get_if<RpcError>(&found)) {
            code = std::to_string(error->code);
            parts_.metrics.count(telemetry::Counter::protocol_errors, {code});
            describe_error(*span, *error);
            found = render_error(id, *error);
        } else if (const auto* result = std::get_if<std::string>(&found)) {
            span->set("mcp.payload_bytes", static_cast<std::int64_t>(result->size()));
            found = render_result(id, *result);
        }
        span->end();
        using Settled = std::variant<std::string, Listen>;
        if (auto* listen = std::get_if<Listen>(&found)) {
            return Settled(std::move(*listen));
        }
        const std::chrono::duration<double> took = parts_.clock.ticks() - received;
        parts_.metrics.observe(
            telemetry::Histogram::operation_seconds, {label, "", code}, took.count()
        );
        return Settled(std::get<std::string>(std::move(found)));
    };
    understood(operation);
    Reaction reaction;
    reaction.parts.emplace_back(Deferred{operation.key(), id, operation.era == Era::modern, settle}
    );
    return reaction;
}

Reaction Protocol::call_tool(Operation& operation) {
    const auto name = base::string_member(operation.params(), "name").value_or("");
    const OfferedTool* tool = operation.offer->tool(name, operation.arrival.access);
    if (tool == nullptr) {
        return start(operation, JobKind::call_tool); // whoever serves it says that there is none
    }
    if (operation.era == Era::modern && operation.on_http()) {
        const Json nothing;
        const Json* arguments = base::member(operation.params(), "arguments");
        if (const auto mismatch = check_header_parameters(
                operation.offer->header_parameters(*tool),
                arguments != nullptr ? *arguments : nothing,
                operation.arrival.headers.parameters
            )) {
            return refuse(operation, *mismatch, 400);
        }
    }
    if (const std::string scope = scope_of(tool->domain); !operation.arrival.access.allows(scope)) {
        Reaction reaction = refuse(
            operation,
            rpc_error(rpc::invalid_request, "This tool needs the scope " + scope + "."),
            403
        );
        reaction.challenge = scope;
        return reaction;
    }
    if (operation.era == Era::modern && !declares(operation.client, tool->required_capability)) {
        const Json needed{{tool->required_capability, Json::object()}};
        return refuse(
            operation,
            missing("This tool asks the client; it must declare what it can answer.", needed),
            400
        );
    }
    if (tool->tasks == TaskSupport::required && !operation.client.tasks) {
        // Legacy revisions have no code of their own for it.
        return operation.era == Era::modern
                   ? refuse(operation, missing_tasks(), 400)
                   : refuse(
                         operation,
                         rpc_error(
                             rpc::method_not_found,
                             "This tool runs as a task only, which this protocol version lacks."
                         )
                     );
    }
    return start(operation, JobKind::call_tool);
}

Reaction Protocol::read_resource(Operation& operation) {
    return start(operation, JobKind::read_resource);
}

Reaction Protocol::get_prompt(Operation& operation) {
    return start(operation, JobKind::get_prompt);
}

Reaction Protocol::complete(Operation& operation) {
    return start(operation, JobKind::complete);
}

/// What a client brings back with a repeated call. A state that is not ours, or was given out for
/// another call or caller, ends the call.
Read<Protocol::Resumed>
Protocol::take_retry(const Operation& operation, const StateBinding& binding) const {
    const auto read = read_retry(operation.params());
    if (const auto* error = std::get_if<RpcError>(&read)) {
        return *error;
    }
    const auto& retry = std::get<Retry>(read);
    // Shares the parameters: nothing is copied.
    Resumed resumed{{operation.message.params, retry.responses}, {}};
    if (retry.state) {
        auto opened = parts_.states.open(binding, *retry.state);
        if (!opened) {
            return rpc_error(rpc::invalid_params, base::to_text(opened.error()));
        }
        resumed.state = std::move(opened).value();
    }
    return resumed;
}

Reaction Protocol::start(Operation& operation, JobKind kind) {
    auto subject = read_subject(kind, operation.params());
    if (const auto* error = std::get_if<RpcError>(&subject)) {
        return refuse(operation, *error);
    }
    auto progress = read_progress_token(operation.params());
    if (const auto* error = std::get_if<RpcError>(&progress)) {
        return refuse(operation, *error);
    }
    auto incident = read_incident(kind, operation.params());
    if (const auto* error = std::get_if<RpcError>(&incident)) {
        return refuse(operation, *error);
    }
    auto& about = std::get<Subject>(subject);
    const bool is_modern = operation.era == Era::modern;
    Read<Resumed> resumed;
    if (is_modern && kind != JobKind::complete) {
        resumed = take_retry(
            operation, {operation.owner(), operation.message.method, about.name, about.arguments}
        );
    }
    if (const auto* error = std::get_if<RpcError>(&resumed)) {
        return refuse(operation, *error);
    }
    auto& again = std::get<Resumed>(resumed);
    auto job = std::make_unique<Job>(Job{
        .kind = kind,
        .key = operation.key(),
        .id = operation.message.id,
        .method = operation.message.method,
        .era = operation.era,
        .transport = operation.arrival.transport,
        .version = operation.version,
        .session = operation.session,
        .name = std::move(about.name),
        .params = operation.message.params,
        .arguments = std::move(about.arguments),
        .incident = std::get<std::string>(std::move(incident)),
        .access = operation.arrival.access,
        .client = operation.client,
        .offer = operation.offer,
        .progress_token = std::get<std::string>(std::move(progress)),
        .log_level = operation.log_level,
        .input_responses = std::move(again.responses),
        .remembered = std::move(again.state),
        .span = start_span(operation),
        .received = operation.received,
        .cancel_on_disconnect = is_modern && operation.on_http()});
    job->access.identity.client = operation.client.name;
    understood(operation);
    Reaction reaction;
    reaction.parts.emplace_back(std::move(job));
    return reaction;
}

} // namespace interlock::server
