// Tools that answer at once: one for each kind of content, log lines, progress, schemas, headers.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

using base::Json;
using server::Conversation;
using server::ToolAnswer;

/// Longer than the pause that keeps progress within limits::progress_per_second.
constexpr std::chrono::milliseconds step{60};

/// To be shown word for word, in the suite's order of keywords.
constexpr const char* keywords_schema =
    R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",)"
    R"("$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{)"
    R"("street":{"type":"string"},"city":{"type":"string"}}}},)"
    R"("properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},)"
    R"("contactMethod":{"type":"string","enum":["phone","email"]},)"
    R"("phone":{"type":"string"},"email":{"type":"string"}},)"
    R"("allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],)"
    R"("if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},)"
    R"("then":{"required":["phone"]},"else":{"required":["email"]},)"
    R"("additionalProperties":false})";

constexpr const char* region_schema =
    R"({"type":"object","additionalProperties":false,"properties":{)"
    R"("region":{"type":"string","description":"Where to look.","x-mcp-header":"Region"}},)"
    R"("required":["region"]})";

Run always(const Json& blocks) {
    return [blocks](Conversation&, const Json&) { return answer_with(blocks); };
}

server::Outcome<ToolAnswer> with_logging(Conversation& conversation, const Json&) {
    const auto log = [&](const char* text) {
        conversation.log(server::LogSeverity::info, "fixtures", Json(text).dump());
    };
    log("Tool execution started");
    rest(conversation.stop(), step);
    log("Tool processing data");
    rest(conversation.stop(), step);
    log("Tool execution completed");
    return answer("Tool with logging executed successfully");
}

server::Outcome<ToolAnswer> with_progress(Conversation& conversation, const Json&) {
    for (const double done : {0.0, 50.0, 100.0}) {
        conversation.progress(done, 100.0, "");
        rest(conversation.stop(), step);
    }
    return answer("Tool with progress executed successfully");
}

server::Outcome<ToolAnswer> reconnection(Conversation& conversation, const Json&) {
    conversation.pause_stream(step);
    rest(conversation.stop(), 5 * step); // the client must have to come back for the answer
    return answer("Reconnection test completed successfully");
}

} // namespace

void add_content_tools(server::Offer& offer) {
    const Json text = text_block("This is a simple text response for testing.");
    const Json embedded = resource_block(
        "test://embedded-resource", "text/plain", "This is an embedded resource content."
    );
    const Json mixed = resource_block(
        "test://mixed-content-resource", "application/json", R"({"test":"data","value":123})"
    );
    const Json multiple =
        Json::array({text_block("Multiple content types test:"), image_block(), mixed});
    const auto add = [&](server::OfferedTool fixture) {
        offer.tools.push_back(std::move(fixture));
    };

    add(tool("test_simple_text", "Answers with one text.", always(Json::array({text}))));
    add(tool("test_image_content", "Answers with a PNG.", always(Json::array({image_block()}))));
    add(tool("test_audio_content", "Answers with a WAV.", always(Json::array({audio_block()}))));
    add(tool("test_embedded_resource", "Answers with a resource.", always(Json::array({embedded})))
    );
    add(tool(
        "test_multiple_content_types", "Answers with text, image and resource.", always(multiple)
    ));
    add(tool("test_error_handling", "Fails.", [](Conversation&, const Json&) {
        return tool_error("This tool intentionally returns an error for testing");
    }));
    add(tool("test_tool_with_logging", "Logs three lines while it works.", with_logging));
    add(tool("test_logging_tool", "Logs to clients that asked for it.", with_logging));
    add(tool("test_tool_with_progress", "Reports its progress.", with_progress));
    add(tool("test_reconnection", "Ends its stream before it answers.", reconnection));
    add(tool(
        "json_schema_2020_12_tool",
        "Tool with JSON Schema 2020-12 features",
        [](Conversation&, const Json& arguments) { return answer(arguments.dump()); },
        keywords_schema
    ));
    add(tool(
        "test_header_parameter",
        "Takes an argument that is mirrored in a header.",
        [](Conversation&, const Json& arguments) { return answer(arguments.dump()); },
        region_schema
    ));
}

} // namespace interlock::conformance
