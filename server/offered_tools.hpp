// tools::Tool as MCP offers it: the declarations become the schemas and annotations, a call becomes
// a run through tools/run.hpp.
#pragma once

#include "base/result.hpp"
#include "server/offer.hpp"
#include "server/planning_tools.hpp"
#include "tools/tool.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

/// Every tool there is, in the order of tools/list.
std::vector<tools::Tool> all_tools(const PlanningParts& planning);

/// Keeps the tools whose domain is in `toolsets`, to be listed all of them (empty: keeps all).
/// invalid_input names an unknown one.
base::Result<std::vector<tools::Tool>>
choose_toolsets(std::vector<tools::Tool> all, const std::vector<std::string>& toolsets);

/// What a tool put out, as MCP carries it.
ToolAnswer answer_of(tools::Output output);

/// Runs a tool for the caller of a conversation.
Outcome<ToolAnswer> run_offered(
    tools::Context& context,
    const tools::Tool& tool,
    Conversation& conversation,
    const base::Json& arguments
);

/// `context` must outlive what is returned.
OfferedTool offered_tool(tools::Context& context, const tools::Tool& tool);

/// What find_tools does here: it searches among those of `all` that its caller may use.
inline constexpr std::string_view search_tool = "find_tools";
std::function<Outcome<ToolAnswer>(Conversation&, const base::Json&)>
search_run(tools::Context& context, std::vector<tools::Tool> all);

} // namespace interlock::server
