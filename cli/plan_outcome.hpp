// What became of a plan, for a person at a terminal: its steps and its outcome, as the executor
// recorded them.
#pragma once

#include "approval/queue.hpp"
#include "base/json.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

/// Lines like those of `plans show`; "" while no executor has begun. Nothing of it is verified
/// here.
std::string
outcome_text(const approval::StoredPlan& stored, const std::vector<approval::StepRun>& steps);
/// An array. Callers include <nlohmann/json.hpp>.
base::Json steps_document(const std::vector<approval::StepRun>& steps);

} // namespace interlock::cli
