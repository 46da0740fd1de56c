#include "base/signals.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace interlock::base {
namespace {

// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): signals are global
std::atomic<bool> stop{false};
std::atomic<bool> reload{false};
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

/// Becomes readable when stop is requested, and stays so: any number of threads may wait on it.
int stop_descriptor() {
    static const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor;
}

/// Becomes readable when a reload is requested, until a wait has ended by it.
int reload_descriptor() {
    static const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor;
}

void wake(int descriptor) {
    const std::uint64_t one = 1;
    // A full counter is readable already, so a failed write loses nothing.
    [[maybe_unused]] const ssize_t written = ::write(descriptor, &one, sizeof one);
}

void on_termination(int) {
    const int saved = errno;
    request_stop();
    errno = saved;
}

void on_hangup(int) {
    const int saved = errno;
    reload.store(true);
    wake(reload_descriptor());
    errno = saved;
}

void handle(int number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    ::sigaction(number, &action, nullptr);
}

} // namespace

void install_signal_handling(Hangup hangup) {
    stop_descriptor(); // made here, because a handler must not initialise them
    reload_descriptor();
    handle(SIGTERM, on_termination);
    handle(SIGINT, on_termination);
    handle(SIGHUP, hangup == Hangup::reloads ? on_hangup : on_termination);
    handle(SIGPIPE, SIG_IGN);
}

bool stop_requested() {
    return stop.load();
}

bool take_reload_request() {
    return reload.exchange(false);
}

void request_stop() {
    stop.store(true);
    wake(stop_descriptor());
}

bool wait_for_stop(std::chrono::milliseconds duration) {
    const SystemClock clock;
    const Ticks end = clock.ticks() + duration;
    while (!stop_requested()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.ticks());
        if (left.count() <= 0) {
            return false;
        }
        std::array<pollfd, 2> waits{
            {{stop_descriptor(), POLLIN, 0}, {reload_descriptor(), POLLIN, 0}}};
        constexpr std::chrono::milliseconds slice{3'600'000}; // poll takes an int
        (void)::poll(waits.data(), waits.size(), static_cast<int>(std::min(left, slice).count()));
        std::uint64_t requests = 0;
        if (::read(reload_descriptor(), &requests, sizeof requests) > 0) {
            return stop_requested();
        }
    }
    return true;
}

} // namespace interlock::base
