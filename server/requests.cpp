#include "server/requests.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "server/era.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

RpcError wrong(std::string message) {
    return RpcError{rpc::invalid_params, std::move(message), {}};
}

bool is_text_map(const Json& value) {
    return value.is_object() &&
           std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
}

/// A flag that is absent is not set.
bool read_flag(const Json& filter, const char* name, bool& flag) {
    const Json* value = base::member(filter, name);
    if (value == nullptr) {
        return true;
    }
    flag = value->is_boolean() && value->get<bool>();
    return value->is_boolean();
}

bool read_texts(const Json& filter, const char* name, std::vector<std::string>& texts) {
    const Json* value = base::member(filter, name);
    if (value == nullptr) {
        return true;
    }
    if (!value->is_array() || value->size() > base::limits::listen_uris_max) {
        return false;
    }
    for (const Json& one : *value) {
        if (!one.is_string()) {
            return false;
        }
        texts.push_back(one.get<std::string>());
    }
    return true;
}

PromptValues text_map(const Json& object) {
    PromptValues values;
    for (const auto& [name, value] : object.items()) {
        values.emplace_back(name, value.get<std::string>());
    }
    return values;
}

/// A name that people type: short, and with nothing in it that deceives a reader.
bool is_incident(const std::string& text) {
    return !base::trim(text).empty() &&
           base::count_characters(text) <= base::limits::incident_chars_max &&
           base::sanitize(text) == text;
}

/// tools/call and prompts/get.
Read<Subject> read_named(const Json& params, bool texts_only) {
    const auto name = base::string_member(params, "name");
    const Json* arguments = base::member(params, "arguments");
    if (!name) {
        return wrong("params.name must be a string.");
    }
    if (arguments == nullptr) {
        return Subject{*name, "{}"};
    }
    if (!arguments->is_object()) {
        return wrong("params.arguments must be an object.");
    }
    if (texts_only && !is_text_map(*arguments)) {
        return wrong("A prompt's arguments are strings.");
    }
    return Subject{*name, base::render_json(*arguments)};
}

} // namespace

Read<Subject> read_subject(JobKind kind, const Json& params) {
    if (kind == JobKind::read_resource) {
        auto uri = base::string_member(params, "uri");
        if (!uri) {
            return wrong("params.uri must be a string.");
        }
        return Subject{std::move(*uri), "{}"};
    }
    if (kind == JobKind::complete) {
        auto read = read_completion(params);
        if (auto* error = std::get_if<RpcError>(&read)) {
            return std::move(*error);
        }
        return Subject{std::move(std::get<CompletionRequest>(read).reference), "{}"};
    }
    return read_named(params, kind == JobKind::get_prompt);
}

Read<CompletionRequest> read_completion(const Json& params) {
    const Json nothing;
    const auto object = [&](const char* name) -> const Json& {
        const Json* value = base::member(params, name);
        return value != nullptr ? *value : nothing;
    };
    CompletionRequest request;
    const auto type = base::string_member(object("ref"), "type");
    request.of_prompt = type == "ref/prompt";
    if (!request.of_prompt && type != "ref/resource") {
        return wrong("params.ref.type must be ref/prompt or ref/resource.");
    }
    const char* reference_name = request.of_prompt ? "name" : "uri";
    auto reference = base::string_member(object("ref"), reference_name);
    if (!reference) {
        return wrong("params.ref." + std::string(reference_name) + " must be a string.");
    }
    auto argument = base::string_member(object("argument"), "name");
    auto value = base::string_member(object("argument"), "value");
    if (!argument || !value) {
        return wrong("params.argument must hold the strings `name` and `value`.");
    }
    const Json* context = base::member(params, "context");
    if (const Json* known = context != nullptr ? base::member(*context, "arguments") : nullptr) {
        if (!is_text_map(*known)) {
            return wrong("params.context.arguments must be an object of strings.");
        }
        request.context = text_map(*known);
    }
    request.reference = std::move(*reference);
    request.argument = std::move(*argument);
    request.value = std::move(*value);
    return request;
}

Read<std::optional<std::string>> read_cursor(const Json& params) {
    if (base::member(params, "cursor") == nullptr) {
        return std::optional<std::string>{};
    }
    auto cursor = base::string_member(params, "cursor");
    if (!cursor) {
        return wrong("params.cursor must be a string.");
    }
    return cursor;
}

Read<std::string> read_progress_token(const Json& params) {
    const Json* fields = base::member(params, "_meta");
    const Json* token = fields != nullptr ? base::member(*fields, "progressToken") : nullptr;
    if (token == nullptr || token->is_null()) {
        return std::string{};
    }
    std::string text = id_text(*token);
    if (text.empty()) {
        return wrong("A progressToken is an integer or a string of at most 16 KiB.");
    }
    return text;
}

Read<std::string> read_incident(JobKind kind, const Json& params) {
    const Json* fields = base::member(params, "_meta");
    const Json* named = fields != nullptr ? base::member(*fields, meta::incident) : nullptr;
    const auto text = named != nullptr && named->is_string()
                          ? std::optional(named->get<std::string>())
                          : std::nullopt;
    if (named != nullptr && (!text || !is_incident(*text))) {
        return wrong(
            std::string(meta::incident) + " in params._meta must be a string of 1 to " +
            std::to_string(base::limits::incident_chars_max) +
            " characters without control or invisible ones."
        );
    }
    const Json* arguments =
        kind == JobKind::call_tool ? base::member(params, "arguments") : nullptr;
    const auto argued =
        arguments != nullptr ? base::string_member(*arguments, "incident") : std::nullopt;
    if (text && argued && *argued != *text) {
        return wrong(
            std::string(meta::incident) +
            " in params._meta and the argument `incident` name two incidents; name one."
        );
    }
    if (text || !argued || !is_incident(*argued)) {
        return text.value_or("");
    }
    return *argued;
}

Read<std::optional<LogSeverity>> read_log_level(const Json& params) {
    const Json* fields = base::member(params, "_meta");
    const Json* level = fields != nullptr ? base::member(*fields, meta::log_level) : nullptr;
    if (level == nullptr) {
        return std::optional<LogSeverity>{};
    }
    const auto severity = log_severity_from(level->is_string() ? level->get<std::string>() : "");
    if (!severity) {
        return wrong(
            "io.modelcontextprotocol/logLevel must be one of debug, info, notice, warning, error, "
            "critical, alert, emergency."
        );
    }
    return severity;
}

Read<Retry> read_retry(const Json& params) {
    Retry retry;
    retry.responses = base::member(params, "inputResponses");
    if (retry.responses != nullptr && !retry.responses->is_object()) {
        return wrong("params.inputResponses must be an object.");
    }
    retry.state = base::string_member(params, "requestState");
    if (!retry.state && base::member(params, "requestState") != nullptr) {
        return wrong("params.requestState must be a string.");
    }
    return retry;
}

Read<ListenRequest> read_listen(const Json& params) {
    const Json* filter = base::member(params, "notifications");
    if (filter == nullptr || !filter->is_object()) {
        return wrong("params.notifications must be an object.");
    }
    ListenRequest request;
    if (!read_flag(*filter, "toolsListChanged", request.tools) ||
        !read_flag(*filter, "promptsListChanged", request.prompts) ||
        !read_flag(*filter, "resourcesListChanged", request.resources)) {
        return wrong("The flags of params.notifications are booleans.");
    }
    if (!read_texts(*filter, "resourceSubscriptions", request.uris) ||
        !read_texts(*filter, "taskIds", request.tasks)) {
        return wrong(
            "resourceSubscriptions and taskIds are arrays of at most " +
            std::to_string(base::limits::listen_uris_max) + " strings."
        );
    }
    return request;
}

} // namespace interlock::server
