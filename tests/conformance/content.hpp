// Content blocks and tools in few words: what every fixture is made of.
#pragma once

#include "base/json.hpp"
#include "server/offer.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::conformance {

base::Json text_block(const std::string& text);
base::Json image_block();
base::Json audio_block();
base::Json resource_block(const std::string& uri, const std::string& mime, const std::string& text);
/// A PNG of one pixel, base64.
const std::string& png();

server::ToolAnswer answer_with(const base::Json& blocks);
server::ToolAnswer answer(const std::string& text);
server::ToolAnswer tool_error(const std::string& text);
server::PromptAnswer prompt(const std::string& description, const base::Json& blocks);

inline constexpr const char* no_arguments = R"({"type":"object","additionalProperties":false})";

using Run =
    std::function<server::Outcome<server::ToolAnswer>(server::Conversation&, const base::Json&)>;

/// A tool without output schema, scope or requirements; title and description say the same.
server::OfferedTool
tool(std::string name, std::string description, Run run, std::string input_schema = no_arguments);

/// A question, and the key its answer comes under.
struct Ask {
    std::string key;
    server::Question question;
};

server::Question elicitation(const std::string& message, const base::Json& schema);
/// A form of one required text field.
server::Question text_form(const std::string& message, const std::string& field);
server::Question sampling(const std::string& prompt, int tokens_max);
server::Question list_roots();

/// `field` of an elicitation's content, or "" when the person did not give it.
std::string field_of(const std::string& result, const std::string& field);
/// The text of a sampled message.
std::string sampled_text(const std::string& result);

/// Waits, unless told to stop: then false.
bool rest(const std::stop_token& stop, std::chrono::milliseconds duration);

/// What a handler answers when a question was not: it waits, or says why it cannot go on.
template <class Answer>
server::Outcome<Answer> without(const server::Asked& asked) {
    if (asked.state == server::AskState::pending) {
        return server::InputRequired{};
    }
    return server::RpcError{
        server::rpc::internal_error,
        asked.state == server::AskState::unable
            ? "The client did not declare that it can answer this question."
            : "The client did not answer the question.",
        {}};
}

} // namespace interlock::conformance
