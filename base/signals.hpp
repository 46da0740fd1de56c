// Termination: SIGTERM and SIGINT become one flag that loops and servers wait on. SIGPIPE is
// ignored. Call install_signal_handling() before any thread starts.
#pragma once

#include <chrono>

namespace interlock::base {

void install_signal_handling();
bool stop_requested();
/// For in-process tests and orderly ends from inside.
void request_stop();
/// Waits until stop is requested or `duration` has passed; true when stop was requested.
bool wait_for_stop(std::chrono::milliseconds duration);

} // namespace interlock::base
