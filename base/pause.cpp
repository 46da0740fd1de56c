#include "base/pause.hpp"

#include <condition_variable>
#include <mutex>

namespace interlock::base {

bool pause(const std::stop_token& stop, std::chrono::milliseconds length) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any nobody; // woken by the stop request alone
    nobody.wait_for(lock, stop, length, [] { return false; });
    return !stop.stop_requested();
}

} // namespace interlock::base
