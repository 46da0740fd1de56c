// What to do about a plan whose execution was interrupted, from what is known of its steps.
// After a crash the probe is run, never the action: an interrupted plan is judged, not continued.
#pragma once

#include "base/db/store.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <string>
#include <vector>

namespace interlock::executor {

/// What is known of one step's effect.
enum class StepFact { not_done, done, unknown };

enum class Course {
    verify,    // every step happened: go on to verification
    clean,     // nothing happened
    roll_back, // some happened and each has an inverse
    human,     // cannot be known, or cannot be undone
};

struct Resolution {
    Course course = Course::human;
    std::string reason; // one sentence for people
};

/// `forward` has one entry a step. `rolling_back`: a rollback was decided or begun, so the only way
/// is further back.
Resolution
resolve(const runbooks::Plan& plan, const std::vector<StepFact>& forward, bool rolling_back);

/// The done steps whose effect cannot be undone: ids, in order.
std::vector<std::string>
without_inverse(const runbooks::Plan& plan, const std::vector<StepFact>& forward);

/// Whether the audit log records that a rollback was decided for this plan, by any executor. The
/// leaf is written with the transition, so a crash before the first inverse does not lose it.
base::Result<bool> rollback_decided(db::Store& store, const std::string& plan_digest);

} // namespace interlock::executor
