#include "tests/conformance/content.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::conformance {

using base::Json;

const std::string& png() {
    static const std::string bytes =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSu"
        "QmCC";
    return bytes;
}

Json text_block(const std::string& text) {
    return {{"type", "text"}, {"text", text}};
}

Json image_block() {
    return {{"type", "image"}, {"data", png()}, {"mimeType", "image/png"}};
}

Json audio_block() {
    // Four samples of silence, 8 kHz, 16 bit, mono.
    return {
        {"type", "audio"},
        {"data", "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQgAAAAAAAAAAAAAAA=="},
        {"mimeType", "audio/wav"}};
}

Json resource_block(const std::string& uri, const std::string& mime, const std::string& text) {
    return {{"type", "resource"}, {"resource", {{"uri", uri}, {"mimeType", mime}, {"text", text}}}};
}

server::ToolAnswer answer_with(const Json& blocks) {
    return {base::render_json(blocks), ""};
}

server::ToolAnswer answer(const std::string& text) {
    return answer_with(Json::array({text_block(text)}));
}

server::ToolAnswer tool_error(const std::string& text) {
    server::ToolAnswer failed = answer(text);
    failed.is_error = true;
    failed.error_code = "intended";
    return failed;
}

server::PromptAnswer prompt(const std::string& description, const Json& blocks) {
    Json messages = Json::array();
    for (const Json& block : blocks) {
        messages.push_back({{"role", "user"}, {"content", block}});
    }
    return {description, base::render_json(messages)};
}

server::OfferedTool
tool(std::string name, std::string description, Run run, std::string input_schema) {
    server::OfferedTool offered;
    offered.title = name;
    offered.name = std::move(name);
    offered.description = std::move(description);
    offered.input_schema = std::move(input_schema);
    offered.run = std::move(run);
    return offered;
}

server::Question elicitation(const std::string& message, const Json& schema) {
    return {
        "elicitation/create",
        base::render_json({{"message", message}, {"requestedSchema", schema}})};
}

server::Question text_form(const std::string& message, const std::string& field) {
    return elicitation(
        message,
        {{"type", "object"},
         {"properties", {{field, {{"type", "string"}}}}},
         {"required", Json::array({field})}}
    );
}

server::Question sampling(const std::string& prompt, int tokens_max) {
    return {
        "sampling/createMessage",
        base::render_json(
            {{"messages", Json::array({{{"role", "user"}, {"content", text_block(prompt)}}})},
             {"maxTokens", tokens_max}}
        )};
}

server::Question list_roots() {
    return {"roots/list", "{}"};
}

std::string field_of(const std::string& result, const std::string& field) {
    const auto parsed = base::parse_json(result);
    const Json* content = parsed ? base::member(*parsed, "content") : nullptr;
    return content ? base::string_member(*content, field).value_or("") : "";
}

std::string sampled_text(const std::string& result) {
    const auto parsed = base::parse_json(result);
    const Json* content = parsed ? base::member(*parsed, "content") : nullptr;
    if (content && content->is_array() && !content->empty()) {
        content = &content->front();
    }
    return content ? base::string_member(*content, "text").value_or("") : "";
}

bool rest(const std::stop_token& stop, std::chrono::milliseconds duration) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

} // namespace interlock::conformance
