// Named places where a test may kill the executor. In product builds crash_point() is empty and the
// optimiser removes it; the test build (INTERLOCK_CRASH_POINTS) raises SIGKILL on itself at the
// place named in the environment variable INTERLOCK_CRASH_AT.
#pragma once

namespace interlock::executor {

#ifdef INTERLOCK_CRASH_POINTS
void crash_point(const char* name);
#else
inline void crash_point(const char*) {}
#endif

}  // namespace interlock::executor
