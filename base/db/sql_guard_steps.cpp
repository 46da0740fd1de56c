#include "base/db/sql_guard_steps.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace interlock::db {
namespace {

// One statement at a time on each thread; handed to every walk it would stand in all signatures.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local std::size_t steps_taken = 0;

} // namespace

void GuardSteps::begin() {
    steps_taken = 0;
}

bool GuardSteps::take(std::size_t steps) {
    steps_taken += std::min(steps, base::limits::sql_guard_steps_max + 1);
    return !spent();
}

bool GuardSteps::spent() {
    return steps_taken > base::limits::sql_guard_steps_max;
}

std::size_t GuardSteps::taken() {
    return steps_taken;
}

} // namespace interlock::db
