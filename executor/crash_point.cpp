#include "executor/crash_point.hpp"

#ifdef INTERLOCK_CRASH_POINTS

#include <csignal>
#include <cstdlib>
#include <cstring>

namespace interlock::executor {

void crash_point(const char* name) {
    const char* wanted = std::getenv("INTERLOCK_CRASH_AT");
    if (wanted != nullptr && std::strcmp(wanted, name) == 0) {
        (void)std::raise(SIGKILL); // as kill -9 would: no destructor, no flush
    }
}

} // namespace interlock::executor

#endif
