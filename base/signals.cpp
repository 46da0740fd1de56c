#include "base/signals.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace interlock::base {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): signals are global
std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

/// Becomes readable when stop is requested, and stays so: any number of threads may wait on it.
int wake_descriptor() {
    static const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor;
}

void on_termination(int) {
    const int saved = errno;
    request_stop();
    errno = saved;
}

} // namespace

void install_signal_handling() {
    wake_descriptor(); // made here, because a handler must not initialise it
    struct sigaction action {};
    action.sa_handler = on_termination;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
}

bool stop_requested() {
    return requested.load();
}

void request_stop() {
    requested.store(true);
    const std::uint64_t one = 1;
    // A full counter is readable already, so a failed write loses nothing.
    [[maybe_unused]] const ssize_t written = ::write(wake_descriptor(), &one, sizeof one);
}

bool wait_for_stop(std::chrono::milliseconds duration) {
    const SystemClock clock;
    const Ticks end = clock.ticks() + duration;
    while (!stop_requested()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.ticks());
        if (left.count() <= 0) {
            return false;
        }
        pollfd wait{wake_descriptor(), POLLIN, 0};
        constexpr std::chrono::milliseconds slice{3'600'000}; // poll takes an int
        (void)::poll(&wait, 1, static_cast<int>(std::min(left, slice).count()));
    }
    return true;
}

} // namespace interlock::base
