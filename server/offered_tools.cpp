#include "server/offered_tools.hpp"

#include "base/json_string.hpp"
#include "server/incident_tool.hpp"
#include "tools/find_tools.hpp"
#include "tools/run.hpp"
#include "tools/shown_arguments.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {

using base::Json;

namespace {

/// A tool that asks for the incident need not be told what the call names already. nullopt: the
/// arguments stand as they are.
std::optional<Json>
with_incident(const tools::Tool& tool, const Json& arguments, const Conversation& call) {
    constexpr const char* name = "incident";
    const bool asks =
        std::any_of(tool.inputs.begin(), tool.inputs.end(), [](const tools::Input& input) {
            return input.name == name;
        });
    if (!asks || !arguments.is_object() || arguments.contains(name) || call.incident().empty()) {
        return std::nullopt;
    }
    Json given = arguments;
    given[name] = call.incident();
    return given;
}

} // namespace

Outcome<ToolAnswer> run_offered(
    tools::Context& context,
    const tools::Tool& tool,
    Conversation& conversation,
    const Json& arguments
) {
    tools::CallCost cost;
    const tools::CallRequest request{
        .identity = conversation.identity(),
        .stop = conversation.stop(),
        .span = &conversation.span(),
        .id = conversation.call_id(),
        .progress = [&](double done, double total, std::string_view message
                    ) { conversation.progress(done, total, message); },
        .cost = &cost};
    const auto completed = with_incident(tool, arguments, conversation);
    ToolAnswer answer =
        answer_of(tools::run_tool(context, tool, completed ? *completed : arguments, request));
    answer.database = base::Duration(cost.database_us.load());
    answer.trail = {cost.roles(), std::move(cost.evidence_id), std::move(cost.evidence_digest)};
    return answer;
}

ToolAnswer answer_of(tools::Output output) {
    ToolAnswer answer;
    answer.content = R"([{"type":"text","text":)" + base::json_string(output.text) + "}]";
    answer.structured = std::move(output.structured);
    answer.is_error = output.is_error;
    answer.error_code = std::move(output.error_code);
    return answer;
}

std::vector<tools::Tool> all_tools(const PlanningParts& planning) {
    std::vector<tools::Tool> all = tools::catalog();
    const auto after = std::find_if(all.begin(), all.end(), [](const tools::Tool& tool) {
        return tool.name == "diagnose";
    });
    all.insert(after + 1, get_incident(&planning.queue));
    for (tools::Tool& tool : planning_tools(planning)) {
        all.push_back(std::move(tool));
    }
    return all;
}

base::Result<std::vector<tools::Tool>>
choose_toolsets(std::vector<tools::Tool> all, const std::vector<std::string>& toolsets) {
    if (toolsets.empty()) {
        return all;
    }
    for (const std::string& wanted : toolsets) {
        const bool known = std::any_of(all.begin(), all.end(), [&](const tools::Tool& tool) {
            return tool.domain == wanted;
        });
        if (!known) {
            return base::Error{
                base::Errc::invalid_input,
                "There is no toolset `" + wanted + "`.",
                "Use some of orientation, triage, postgres, planning."};
        }
    }
    std::erase_if(all, [&](const tools::Tool& tool) {
        return std::find(toolsets.begin(), toolsets.end(), tool.domain) == toolsets.end();
    });
    for (tools::Tool& tool : all) {
        tool.on_demand = false; // somebody chose it
    }
    return all;
}

OfferedTool offered_tool(tools::Context& context, const tools::Tool& tool) {
    OfferedTool offered;
    offered.name = tool.name;
    offered.title = tool.title;
    offered.description = tool.summary;
    offered.domain = tool.domain;
    offered.input_schema = tools::input_schema(tool);
    offered.output_schema = tool.output_schema != nullptr ? tool.output_schema() : std::string();
    offered.schemas_tested = true;
    offered.read_only = tool.read_only;
    offered.idempotent = tool.idempotent;
    offered.waits = tool.waits;
    offered.on_demand = tool.on_demand;
    offered.tasks = tool.may_become_task ? TaskSupport::when_slow : TaskSupport::never;
    const auto kept = std::make_shared<const tools::Tool>(tool);
    offered.run = [&context, kept](Conversation& conversation, const Json& arguments) {
        return run_offered(context, *kept, conversation, arguments);
    };
    offered.shown_arguments = [&context, kept](const Json& arguments) {
        return tools::shown_arguments(*kept, arguments, context.targets.names());
    };
    return offered;
}

std::function<Outcome<ToolAnswer>(Conversation&, const Json&)>
search_run(tools::Context& context, std::vector<tools::Tool> all) {
    return [&context, kept = std::make_shared<const std::vector<tools::Tool>>(std::move(all))](
               Conversation& conversation, const Json& arguments
           ) {
        const Access& access = conversation.access();
        auto usable = std::make_shared<std::vector<tools::Tool>>();
        auto others = std::make_shared<std::vector<tools::Tool>>();
        for (const tools::Tool& tool : *kept) {
            const std::string domain(tool.domain);
            if (access.allows(scope_of(domain))) {
                auto& place = access.shows(domain) ? *usable : *others;
                place.push_back(tool);
                // Who chose toolsets is shown all that is in them.
                place.back().on_demand = tool.on_demand && !access.toolsets;
            }
        }
        return run_offered(
            context,
            tools::find_tools_among(std::move(usable), std::move(others)),
            conversation,
            arguments
        );
    };
}

} // namespace interlock::server
