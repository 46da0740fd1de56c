// What interlock-server offers: the diagnostic and planning tools, evidence, runbooks and plans as
// resources, the prompts of an incident, completion of targets, runbooks and relations.
#pragma once

#include "approval/queue.hpp"
#include "base/result.hpp"
#include "server/offer.hpp"
#include "tools/tool.hpp"

#include <set>
#include <string>
#include <vector>

namespace interlock::server {

class PlanMarks;

/// All outlive the offer.
struct DiagnosticParts {
    tools::Context& context;
    approval::Queue& queue;
    std::string desk_url;               // "" = people decide elsewhere
    std::vector<std::string> toolsets;  // domains offered at all; empty = all
    PlanMarks* marks = nullptr;         // shared with the plan watcher, so that no news is missed
    std::set<std::string> without = {}; // tools that are switched off
};

/// What belongs to a domain that is not offered (a prompt, a kind of resource) is not offered
/// either. invalid_input names an unknown toolset.
base::Result<Offer> diagnostic_offer(DiagnosticParts parts);

} // namespace interlock::server
