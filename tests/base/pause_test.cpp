#include "base/clock.hpp"
#include "base/pause.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace interlock::base {

using std::chrono::milliseconds;

TEST_CASE("a pause lasts as long as it is to", "[base]") {
    SystemClock clock;
    const auto began = clock.ticks();
    CHECK(pause({}, milliseconds{20}));
    CHECK(clock.ticks() - began >= milliseconds{20});
}

TEST_CASE("a stop ends a pause, also one that is yet to begin", "[base]") {
    constexpr milliseconds long_enough{600'000}; // the test would not end
    std::stop_source source;
    std::jthread stopper([&] { source.request_stop(); });
    CHECK_FALSE(pause(source.get_token(), long_enough));
    CHECK_FALSE(pause(source.get_token(), long_enough));
}

} // namespace interlock::base
