// A plan as its requesters may see it: state, decisions, exact script, outcome, and what people
// read beside it. get_plan, the resource plan://<id> and the prompt review_plan show the same.
#pragma once

#include "approval/queue.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::server {

/// The shape of new_id(): `prefix`, "_", 26 letters of base32. Anything else names nothing.
bool is_id(std::string_view text, std::string_view prefix);

/// A plan that `subject` asked for, first or later; somebody else's is not_found like one that does
/// not exist.
base::Result<approval::StoredPlan>
own_plan(approval::Queue& queue, const std::string& plan_id, const std::string& subject);

struct PlanView {
    std::string structured; // JSON object text: get_plan's answer
    std::string text;       // the same for a reader
};
/// `changed` when the stored bytes are not those that were submitted. `desk_url` "" = people decide
/// elsewhere.
base::Result<PlanView> view_plan(const approval::StoredPlan& stored, const std::string& desk_url);

/// JSON Schema text of PlanView::structured, and of what a plan needs.
std::string plan_view_schema();
extern const std::string_view needs_schema;
base::Json needs_json(const runbooks::Requirement& needs);

/// Where people decide this plan; "" = elsewhere.
std::string plan_url(const std::string& desk_url, const std::string& plan_id);

} // namespace interlock::server
