// Termination and reload: SIGTERM and SIGINT become one flag that loops and servers wait on, SIGHUP
// another, unless it is to stop the program too. SIGPIPE is ignored. Call install_signal_handling()
// before any thread starts.
#pragma once

#include <chrono>

namespace interlock::base {

/// What SIGHUP asks for: a daemon reads its files again, a program at a terminal ends with it.
enum class Hangup { reloads, stops };

void install_signal_handling(Hangup hangup = Hangup::reloads);
bool stop_requested();
/// SIGHUP came since the last call: configuration and certificates are to be read again.
bool take_reload_request();
/// For in-process tests and orderly ends from inside.
void request_stop();
/// Waits until stop or a reload is requested or `duration` has passed; true when stop was
/// requested. Each SIGHUP ends at most one wait, so a loop that takes no reloads does not spin.
bool wait_for_stop(std::chrono::milliseconds duration);

} // namespace interlock::base
