// Tools that ask the client something before they answer: the same handlers serve legacy clients
// (a request of ours), modern ones (a retry of theirs) and tasks.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

using base::Json;
using server::Asked;
using server::AskState;
using server::Conversation;
using server::Outcome;
using server::ToolAnswer;

/// What the answers of all questions come to; in the order of the questions.
using Finish = std::function<std::string(const std::vector<Asked>&)>;

/// Asks everything at once, so that a modern client answers in one round.
Outcome<ToolAnswer>
ask_all(Conversation& conversation, const std::vector<Ask>& questions, const Finish& finish) {
    std::vector<Asked> answers;
    for (const Ask& each : questions) {
        answers.push_back(conversation.ask(each.key, each.question));
    }
    for (const Asked& each : answers) {
        if (each.state != AskState::answered) {
            return without<ToolAnswer>(each);
        }
    }
    return answer(finish(answers));
}

/// A tool of fixed questions and no arguments. `state`: what to remember between the rounds.
server::OfferedTool
asking(std::string name, std::vector<Ask> questions, Finish finish, std::string state = {}) {
    return tool(
        std::move(name),
        "Asks the client before it answers.",
        [questions = std::move(questions),
         finish = std::move(finish),
         state = std::move(state)](Conversation& conversation, const Json&) {
            const bool kept = state.empty() || conversation.remembered() == state;
            auto outcome = ask_all(conversation, questions, [&](const std::vector<Asked>& answers) {
                return finish(answers) + (state.empty() ? "" : kept ? " state-ok" : " state-none");
            });
            if (!state.empty() && std::holds_alternative<server::InputRequired>(outcome)) {
                conversation.remember(state);
            }
            return outcome;
        }
    );
}

std::string elicited(const std::vector<Asked>& answers) {
    const auto result = base::parse_json(answers.front().result);
    const Json* content = result ? base::member(*result, "content") : nullptr;
    const auto action = result ? base::string_member(*result, "action") : std::nullopt;
    return "action=" + action.value_or("none") +
           ", content=" + (content ? base::render_json(*content) : "{}");
}

std::string greet(const std::vector<Asked>& answers) {
    return "Hello, " + field_of(answers.front().result, "name") + "!";
}

std::string sampled(const std::vector<Asked>& answers) {
    return "LLM response: " + sampled_text(answers.front().result);
}

std::string results(const std::vector<Asked>& answers) {
    std::string text = "Answers:";
    for (const Asked& each : answers) {
        text += " " + each.result;
    }
    return text;
}

Json choices(const char* const_prefix, const char* title_suffix) {
    Json list = Json::array();
    int number = 0;
    for (const char* ordinal : {"First", "Second", "Third"}) {
        list.push_back(
            {{"const", const_prefix + std::to_string(++number)},
             {"title", std::string(ordinal) + title_suffix}}
        );
    }
    return list;
}

Json defaults_schema() {
    return {
        {"type", "object"},
        {"properties",
         {{"name", {{"type", "string"}, {"default", "John Doe"}}},
          {"age", {{"type", "integer"}, {"default", 30}}},
          {"score", {{"type", "number"}, {"default", 95.5}}},
          {"status",
           {{"type", "string"},
            {"enum", {"active", "inactive", "pending"}},
            {"default", "active"}}},
          {"verified", {{"type", "boolean"}, {"default", true}}}}},
        {"required", Json::array()}};
}

Json enums_schema() {
    const Json options{"option1", "option2", "option3"};
    return {
        {"type", "object"},
        {"properties",
         {{"untitledSingle", {{"type", "string"}, {"enum", options}}},
          {"titledSingle", {{"type", "string"}, {"oneOf", choices("value", " Option")}}},
          {"legacyEnum",
           {{"type", "string"},
            {"enum", {"opt1", "opt2", "opt3"}},
            {"enumNames", {"Option One", "Option Two", "Option Three"}}}},
          {"untitledMulti",
           {{"type", "array"}, {"items", {{"type", "string"}, {"enum", options}}}}},
          {"titledMulti",
           {{"type", "array"}, {"items", {{"anyOf", choices("value", " Choice")}}}}}}},
        {"required", Json::array()}};
}

Json contact_schema() {
    return {
        {"type", "object"},
        {"properties",
         {{"username", {{"type", "string"}, {"description", "User's response"}}},
          {"email", {{"type", "string"}, {"description", "User's email address"}}}}},
        {"required", {"username", "email"}}};
}

/// Asks for a colour only once it knows the name: two rounds with a modern client.
Outcome<ToolAnswer> multi_round(Conversation& conversation, const Json&) {
    const auto state = base::parse_json(conversation.remembered());
    std::string name = state ? base::string_member(*state, "name").value_or("") : "";
    if (name.empty()) {
        const Asked first =
            conversation.ask("step1", text_form("Step 1: What is your name?", "name"));
        if (first.state != AskState::answered) {
            conversation.remember(R"({"step":1})");
            return without<ToolAnswer>(first);
        }
        name = field_of(first.result, "name");
    }
    const Asked second =
        conversation.ask("step2", text_form("Step 2: What is your favorite color?", "color"));
    if (second.state != AskState::answered) {
        conversation.remember(Json{{"step", 2}, {"name", name}}.dump());
        return without<ToolAnswer>(second);
    }
    return answer(name + " likes " + field_of(second.result, "color") + ".");
}

/// Asks only what this client declared that it can answer.
Outcome<ToolAnswer> within_capabilities(Conversation& conversation, const Json&) {
    const Asked name = conversation.ask("user_name", text_form("What is your name?", "name"));
    const Asked capital =
        conversation.ask("capital_question", sampling("What is the capital of France?", 100));
    for (const Asked& each : {name, capital}) {
        if (each.state == AskState::pending) {
            return server::InputRequired{};
        }
    }
    return answer(results({name, capital}));
}

std::string text_argument_schema(const std::string& name, const std::string& description) {
    return base::render_json(
        {{"type", "object"},
         {"properties", {{name, {{"type", "string"}, {"description", description}}}}},
         {"required", Json::array({name})},
         {"additionalProperties", false}}
    );
}

} // namespace

void add_asking_tools(server::Offer& offer) {
    const Ask user_name{"user_name", text_form("What is your name?", "name")};
    const Ask capital{"capital_question", sampling("What is the capital of France?", 100)};
    const Ask confirm{
        "confirm",
        elicitation(
            "Please confirm",
            {{"type", "object"},
             {"properties", {{"ok", {{"type", "boolean"}}}}},
             {"required", {"ok"}}}
        )};
    const auto completed = [](const std::vector<Asked>& answers) {
        return "Elicitation completed: " + elicited(answers);
    };
    const auto add = [&](server::OfferedTool fixture) -> server::OfferedTool& {
        return offer.tools.emplace_back(std::move(fixture));
    };

    add(tool(
        "test_sampling",
        "Has the client's model answer a prompt.",
        [](Conversation& conversation, const Json& arguments) {
            const std::string prompt = base::string_member(arguments, "prompt").value_or("");
            return ask_all(conversation, {{"sample", sampling(prompt, 100)}}, sampled);
        },
        text_argument_schema("prompt", "What to ask the model.")
    ));
    add(tool(
        "test_elicitation",
        "Asks the person behind the client.",
        [](Conversation& conversation, const Json& arguments) {
            const std::string message = base::string_member(arguments, "message").value_or("");
            return ask_all(
                conversation,
                {{"contact", elicitation(message, contact_schema())}},
                [](const std::vector<Asked>& answers) {
                    return "User response: " + elicited(answers);
                }
            );
        },
        text_argument_schema("message", "What to ask the person.")
    ));
    const Ask with_defaults{
        "defaults", elicitation("Please review the defaults", defaults_schema())};
    const Ask with_enums{"enums", elicitation("Please choose", enums_schema())};
    add(asking("test_elicitation_sep1034_defaults", {with_defaults}, completed));
    add(asking("test_elicitation_sep1330_enums", {with_enums}, completed));
    add(asking("test_streaming_elicitation", {user_name}, greet));
    add(asking("test_missing_capability", {capital}, sampled)).required_capability = "sampling";
    add(asking("test_input_required_result_elicitation", {user_name}, greet));
    add(asking("test_input_required_result_sampling", {capital}, sampled));
    add(asking("test_input_required_result_list_roots", {{"client_roots", list_roots()}}, results));
    add(asking("test_input_required_result_request_state", {confirm}, results, "asked"));
    add(asking("test_input_required_result_tampered_state", {confirm}, results, "asked"));
    add(asking(
        "test_input_required_result_multiple_inputs",
        {user_name,
         {"greeting", sampling("Generate a greeting", 50)},
         {"client_roots", list_roots()}},
        results,
        "asked"
    ));
    add(tool("test_input_required_result_multi_round", "Asks twice, in two rounds.", multi_round));
    add(tool(
        "test_input_required_result_capabilities",
        "Asks only what the client can answer.",
        within_capabilities
    ));
}

} // namespace interlock::conformance
