// Prompts of the fixture catalogue.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

using base::Json;
using server::Conversation;
using server::Outcome;
using server::PromptAnswer;
using server::PromptValues;

std::string value_of(const PromptValues& values, const std::string& name) {
    for (const auto& [key, value] : values) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

Outcome<PromptAnswer> with_arguments(Conversation&, const PromptValues& values) {
    const std::string text = "Prompt with arguments: arg1='" + value_of(values, "arg1") +
                             "', arg2='" + value_of(values, "arg2") + "'";
    return prompt("A prompt with arguments.", Json::array({text_block(text)}));
}

Outcome<PromptAnswer> with_resource(Conversation&, const PromptValues& values) {
    return prompt(
        "A prompt with a resource.",
        Json::array(
            {resource_block(
                 value_of(values, "resourceUri"),
                 "text/plain",
                 "Embedded resource content for testing."
             ),
             text_block("Please process the embedded resource above.")}
        )
    );
}

Outcome<PromptAnswer> asking(Conversation& conversation, const PromptValues&) {
    const server::Asked asked = conversation.ask(
        "user_context", text_form("What context should the prompt use?", "context")
    );
    if (asked.state != server::AskState::answered) {
        return without<PromptAnswer>(asked);
    }
    return prompt(
        "A prompt in a context.",
        Json::array({text_block("Use this context: " + field_of(asked.result, "context"))})
    );
}

auto always(const std::string& description, const Json& blocks) {
    return [description, blocks](Conversation&, const PromptValues&) -> Outcome<PromptAnswer> {
        return prompt(description, blocks);
    };
}

} // namespace

void add_prompts(server::Offer& offer, bool extra) {
    const Json simple = Json::array({text_block("This is a simple prompt for testing.")});
    const Json image = Json::array({image_block(), text_block("Please analyze the image above.")});
    offer.prompts = {
        {"test_simple_prompt", "Simple", "A prompt.", {}, always("A prompt.", simple)},
        {"test_prompt_with_arguments",
         "Arguments",
         "A prompt with arguments.",
         {{"arg1", "The first argument.", true}, {"arg2", "The second argument.", true}},
         with_arguments},
        {"test_prompt_with_embedded_resource",
         "Resource",
         "A prompt with a resource.",
         {{"resourceUri", "The resource to embed.", true}},
         with_resource},
        {"test_prompt_with_image", "Image", "A prompt with an image.", {}, always("Image.", image)},
        {"test_input_required_result_prompt",
         "Asking",
         "A prompt that asks for its context.",
         {},
         asking},
    };
    if (extra) {
        offer.prompts.push_back(
            {"test_extra_prompt", "Extra", "Comes and goes.", {}, always("Extra.", simple)}
        );
    }
}

} // namespace interlock::conformance
