#include "base/limits.hpp"
#include "server/sessions.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

using interlock::server::LegacySession;
using interlock::server::Sessions;

TEST_CASE("a session is found by its id and its subject until it ends", "[server]") {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    Sessions sessions(clock, random);
    const auto id = sessions.open({"2025-11-25", "c/1"}, "alice");
    REQUIRE(sessions.find(id, "alice"));
    CHECK(sessions.find(id, "alice")->version == "2025-11-25");
    CHECK_FALSE(sessions.find(id, "bob"));
    CHECK_FALSE(sessions.find("mcp_other", "alice"));
    CHECK_FALSE(sessions.end(id, "bob"));
    CHECK(sessions.end(id, "alice"));
    CHECK_FALSE(sessions.end(id, "alice"));
    CHECK_FALSE(sessions.find(id, "alice"));
}

TEST_CASE("a session id is visible ASCII and different every time", "[server]") {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    Sessions sessions(clock, random);
    const auto first = sessions.open({}, "a");
    CHECK(first != sessions.open({}, "a"));
    CHECK(first.size() >= 26);
    for (const char letter : first) {
        CHECK((letter > 0x20 && letter < 0x7f));
    }
}

TEST_CASE("an idle session is forgotten, use keeps it", "[server]") {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    Sessions sessions(clock, random);
    const auto used = sessions.open({}, "a");
    const auto idle = sessions.open({}, "a");
    const auto most = interlock::base::limits::session_idle_max - std::chrono::seconds(1);
    clock.advance(most);
    CHECK(sessions.find(used, "a"));
    clock.advance(std::chrono::seconds(2));
    CHECK(sessions.find(used, "a"));
    CHECK_FALSE(sessions.find(idle, "a"));
}

TEST_CASE("past the limit the longest idle session makes room", "[server]") {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    Sessions sessions(clock, random);
    const auto first = sessions.open({}, "a");
    clock.advance(std::chrono::milliseconds(1));
    const auto second = sessions.open({}, "a");
    clock.advance(std::chrono::milliseconds(1));
    for (std::size_t i = 2; i < interlock::base::limits::sessions_max; ++i) {
        sessions.open({}, "a");
    }
    clock.advance(std::chrono::milliseconds(1));
    CHECK(sessions.find(first, "a"));
    clock.advance(std::chrono::milliseconds(1));
    sessions.open({}, "a");
    CHECK(sessions.find(first, "a"));
    CHECK_FALSE(sessions.find(second, "a"));
}
