// The planning domain as tools: what an agent may do with runbooks and the queue. It can propose,
// look at and withdraw plans of its own; approving and executing are no tools and never will be.
#pragma once

#include "approval/queue.hpp"
#include "tools/tool.hpp"

#include <string>
#include <vector>

namespace interlock::server {

struct PlanningParts {
    approval::Queue& queue;
    std::string desk_url; // "" = people decide elsewhere
};

/// list_runbooks, propose_plan, get_plan, withdraw_plan. `parts.queue` must outlive the tools.
std::vector<tools::Tool> planning_tools(const PlanningParts& parts);

} // namespace interlock::server
