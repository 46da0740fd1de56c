// get_incident: what somebody who joins an incident reads first, one packet under 100 lines: the
// diagnosis, what changed on the server lately, the plans that are open, and what nobody knows
// here.
#pragma once

#include "approval/queue.hpp"
#include "server/offer.hpp"
#include "tools/tool.hpp"

#include <functional>

namespace interlock::server {

inline constexpr std::string_view incident_tool = "get_incident";

/// `plans` null: they are not shown, and the packet says so. It must outlive the tool.
tools::Tool get_incident(approval::Queue* plans);

/// What the tool does for callers: plans are for those who may use the planning tools.
std::function<Outcome<ToolAnswer>(Conversation&, const base::Json&)>
incident_run(tools::Context& context, approval::Queue& queue, bool planning_offered);

} // namespace interlock::server
