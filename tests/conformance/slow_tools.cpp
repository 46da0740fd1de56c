// Tools for the Tasks extension: work that lasts, fails, or asks while it lasts.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

using base::Json;
using server::Asked;
using server::AskState;
using server::Conversation;
using server::Outcome;
using server::TaskSupport;
using server::ToolAnswer;

Outcome<ToolAnswer> greet(Conversation&, const Json& arguments) {
    return answer("Hello, " + base::string_member(arguments, "name").value_or("") + "!");
}

Outcome<ToolAnswer> slow_compute(Conversation& conversation, const Json& arguments) {
    const std::chrono::seconds seconds{base::integer_member(arguments, "seconds").value_or(0)};
    if (!rest(conversation.stop(), seconds)) {
        return tool_error("The computation was stopped.");
    }
    return answer("Computed for " + std::to_string(seconds.count()) + " s.");
}

Outcome<ToolAnswer> failing_job(Conversation& conversation, const Json&) {
    rest(conversation.stop(), std::chrono::seconds{1});
    return tool_error("The job failed, as it always does.");
}

Outcome<ToolAnswer> protocol_error_job(Conversation& conversation, const Json&) {
    rest(conversation.stop(), std::chrono::milliseconds{100});
    return server::RpcError{server::rpc::internal_error, "The job ended in a protocol error.", {}};
}

Outcome<ToolAnswer> confirm_delete(Conversation& conversation, const Json& arguments) {
    const std::string file = base::string_member(arguments, "filename").value_or("");
    const Asked asked = conversation.ask(
        "confirm",
        elicitation(
            "Delete " + file + "?",
            {{"type", "object"},
             {"properties", {{"confirm", {{"type", "boolean"}}}}},
             {"required", {"confirm"}}}
        )
    );
    if (asked.state != AskState::answered) {
        return without<ToolAnswer>(asked);
    }
    return answer("Answer for " + file + ": " + asked.result);
}

/// Two questions at once; both are asked before either answer is looked at.
Outcome<ToolAnswer> multi_input(Conversation& conversation, const Json&) {
    const Asked first = conversation.ask("first", text_form("What is the first name?", "name"));
    const Asked second = conversation.ask("second", text_form("What is the second name?", "name"));
    for (const Asked& each : {first, second}) {
        if (each.state != AskState::answered) {
            return without<ToolAnswer>(each);
        }
    }
    return answer(field_of(first.result, "name") + " and " + field_of(second.result, "name"));
}

/// The question goes out with the answer of the call, the work that follows is a task.
Outcome<ToolAnswer> ask_then_work(Conversation& conversation, const Json&) {
    const Asked asked = conversation.ask("user_name", text_form("What is your name?", "name"));
    if (asked.state != AskState::answered) {
        return without<ToolAnswer>(asked);
    }
    conversation.become_task();
    if (!rest(conversation.stop(), std::chrono::milliseconds{300})) {
        return tool_error("The work was stopped.");
    }
    return answer("Hello, " + field_of(asked.result, "name") + "! The work is done.");
}

std::string object_schema(const Json& properties, const Json& required) {
    return base::render_json(
        {{"type", "object"},
         {"properties", properties},
         {"required", required},
         {"additionalProperties", false}}
    );
}

} // namespace

void add_slow_tools(server::Offer& offer) {
    const Json text{{"type", "string"}};
    const Json seconds{{"type", "integer"}, {"minimum", 0}, {"maximum", 600}};
    const auto add = [&](server::OfferedTool fixture, TaskSupport tasks) {
        fixture.tasks = tasks;
        offer.tools.push_back(std::move(fixture));
    };
    const auto named = [&](const char* argument) {
        return object_schema({{argument, text}}, Json::array({argument}));
    };

    const std::string compute =
        object_schema({{"seconds", seconds}, {"label", text}}, Json::array({"seconds"}));

    add(tool("greet", "Greets at once.", greet, named("name")), TaskSupport::never);
    add(tool("slow_compute", "Works for as long as it is told to.", slow_compute, compute),
        TaskSupport::always);
    add(tool("failing_job", "Works for a second and fails.", failing_job), TaskSupport::required);
    add(tool("protocol_error_job", "Ends in a protocol error.", protocol_error_job),
        TaskSupport::always);
    add(tool("confirm_delete", "Asks before it goes on.", confirm_delete, named("filename")),
        TaskSupport::always);
    add(tool("multi_input", "Asks two things at once.", multi_input), TaskSupport::always);
    add(tool("test_tool_with_task", "Asks, then works as a task.", ask_then_work),
        TaskSupport::never);
    add(tool("test_slow_tool", "Becomes a task when it takes long.", slow_compute, compute),
        TaskSupport::when_slow);
}

} // namespace interlock::conformance
