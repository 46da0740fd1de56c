// `interlock plans evidence`: what the agent saw, for whoever decides on its plan. Only what a plan
// cites is read, and only as whoever asked for the plan kept it.
#pragma once

#include "cli/plans.hpp"

namespace interlock::cli {

/// `options.evidence_id`, or a list of what the plan cites.
Exit show_plan_evidence(const PlansOptions& options);

} // namespace interlock::cli
