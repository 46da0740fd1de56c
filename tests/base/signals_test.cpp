#include "base/clock.hpp"
#include "base/signals.hpp"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

/// The flag is for a whole process and is never taken back, so each case has a process of its own.
template <class Body>
int exit_code_of(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

TEST_CASE("termination signals request a stop and end every wait", "[base]") {
    const int number = GENERATE(SIGTERM, SIGINT);
    CHECK(exit_code_of([number] {
              install_signal_handling();
              if (stop_requested() || wait_for_stop(1ms)) {
                  return 1;
              }
              (void)std::raise(number);
              return stop_requested() && wait_for_stop(1h) && wait_for_stop(0ms) ? 0 : 2;
          }) == 0);
}

TEST_CASE("a signal from outside wakes a waiter", "[base]") {
    CHECK(exit_code_of([] {
              install_signal_handling();
              const pid_t self = ::getpid();
              const pid_t sender = ::fork();
              if (sender == 0) {
                  ::kill(self, SIGTERM);
                  ::_exit(0);
              }
              const bool woken = wait_for_stop(30s);
              ::waitpid(sender, nullptr, 0);
              return woken ? 0 : 1;
          }) == 0);
}

TEST_CASE("a stop can be requested from inside", "[base]") {
    CHECK(exit_code_of([] {
              request_stop();
              return wait_for_stop(1h) ? 0 : 1;
          }) == 0);
}

TEST_CASE("a hangup asks for a reload, wakes one wait, and stops nothing", "[base]") {
    CHECK(exit_code_of([] {
              install_signal_handling();
              if (take_reload_request()) {
                  return 1;
              }
              (void)std::raise(SIGHUP);
              (void)std::raise(SIGHUP);
              if (wait_for_stop(1h) || stop_requested()) {
                  return 2;
              }
              if (!take_reload_request() || take_reload_request()) {
                  return 3;
              }
              (void)std::raise(SIGTERM);
              return wait_for_stop(1h) ? 0 : 4;
          }) == 0);
}

TEST_CASE("a hangup that nobody takes does not keep a loop awake", "[base]") {
    CHECK(exit_code_of([] {
              install_signal_handling();
              (void)std::raise(SIGHUP);
              const SystemClock clock;
              (void)wait_for_stop(1h);
              const Ticks before = clock.ticks();
              (void)wait_for_stop(50ms);
              return clock.ticks() - before >= 50ms && take_reload_request() ? 0 : 1;
          }) == 0);
}

TEST_CASE("a program at a terminal ends with it", "[base]") {
    CHECK(exit_code_of([] {
              install_signal_handling(Hangup::stops);
              (void)std::raise(SIGHUP);
              return wait_for_stop(1h) && !take_reload_request() ? 0 : 1;
          }) == 0);
}

TEST_CASE("writing to a pipe without a reader is an error, not the end", "[base]") {
    CHECK(exit_code_of([] {
              install_signal_handling();
              int ends[2];
              if (::pipe(ends) != 0) {
                  return 1;
              }
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) < 0 ? 0 : 2;
          }) == 0);
}

} // namespace interlock::base
