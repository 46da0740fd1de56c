// What the desk shows of a stored plan, taken apart once for the page and for the JSON. Everything
// about effects comes from the plan's bytes; what the agent wrote is kept apart.
#pragma once

#include "approval/queue.hpp"
#include "base/json.hpp"
#include "runbooks/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::desk {

struct PlanView {
    approval::StoredPlan stored;
    std::string digest;                  // recomputed from the bytes
    bool intact = false;                 // it is the digest recorded at submission
    std::optional<runbooks::Plan> plan;  // nullopt: the bytes are not a plan
    std::string rendered;                // the exact script; "" without a plan
    runbooks::Presentation presentation; // untrusted text
    int approvals = 0;
};
PlanView view_of(approval::StoredPlan stored);

/// ASCII JSON in which < > & are escaped too, so that it is harmless wherever it is pasted.
std::string safe_json(const base::Json& document);
/// For /api/plans.
std::string list_json(const std::vector<PlanView>& plans);
std::string plan_json(const PlanView& plan);
std::string error_json(const base::Error& error);

} // namespace interlock::desk
