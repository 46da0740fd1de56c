// The sweep: everything diagnose reads, in one bounded go. Two looks at the locks, a moment apart,
// when anybody waits: a wait that is gone at the second look is nobody's incident.
#pragma once

#include "base/result.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace interlock::tools {

/// Long enough for short transactions to end, short enough for the budget of a sweep.
inline constexpr std::chrono::milliseconds looks_apart{300};
/// Steps that a call is told of: two looks, and the judgement after them.
inline constexpr double sweep_steps = 3;

struct Facts {
    LockFacts first;
    std::optional<LockFacts> second; // absent: nobody waited, or it could not be read
    double apart_seconds = 0;        // between the looks
    Source source;
};

/// An Error: the target could not be reached at all. What failed in part is in the facts' gaps.
base::Result<Facts> sweep(Context& context, const Call& call, const std::string& target);

/// The facts as JSON text, for the evidence store.
std::string facts_json(const Facts& facts);

} // namespace interlock::tools
