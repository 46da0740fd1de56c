// The wait between two looks of a thread that repeats itself.
#pragma once

#include <chrono>
#include <stop_token>

namespace interlock::base {

/// Waits for `length`, or until a stop is requested. False: it was, then or before.
bool pause(const std::stop_token& stop, std::chrono::milliseconds length);

} // namespace interlock::base
