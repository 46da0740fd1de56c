// Named places where a test may kill the executor. In product builds crash_point() is empty and the
// optimiser removes it; the test build (INTERLOCK_CRASH_POINTS) raises SIGKILL on itself at the
// place named in the environment variable INTERLOCK_CRASH_AT.
#pragma once

#include <array>

namespace interlock::executor {

/// Every place, in the order a plan passes them. Tests iterate over this list.
inline constexpr std::array crash_points{
    "before_claim",
    "after_claim",
    "after_connect",
    "after_target_lock",
    "after_preconditions",
    "after_intent",
    "before_effect",
    "after_effect_before_commit",
    "after_commit_before_done",
    "after_done",
    "during_verify",
    "after_verify_before_finish",
    "after_finish",
};

#ifdef INTERLOCK_CRASH_POINTS
void crash_point(const char* name);
#else
inline void crash_point(const char*) {}
#endif

} // namespace interlock::executor
