#include "base/limits.hpp"
#include "server/sessions.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::server::Client;
using interlock::server::LegacySession;
using interlock::server::LogSeverity;
using interlock::server::SessionPointer;
using interlock::server::Sessions;
using interlock::server::StreamCarrier;

struct Opened {
    void tick() { clock.advance(std::chrono::milliseconds(1)); }
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    Sessions sessions{clock, random};
};

StreamCarrier carrier(bool& ended, const bool& broken) {
    return {[&broken](const std::string&) { return !broken; }, [&ended] { ended = true; }};
}

} // namespace

TEST_CASE("a session is found by its id and its subject until it ends", "[server]") {
    Opened opened;
    const SessionPointer session = opened.sessions.open("alice");
    CHECK(opened.sessions.find(session->id(), "alice") == session);
    CHECK_FALSE(opened.sessions.find(session->id(), "bob"));
    CHECK_FALSE(opened.sessions.find("mcp_other", "alice"));
    CHECK_FALSE(opened.sessions.find("", "alice"));
    CHECK_FALSE(opened.sessions.end(session->id(), "bob"));
    CHECK(opened.sessions.find(session->id(), "alice"));
    CHECK(opened.sessions.end(session->id(), "alice"));
    CHECK_FALSE(opened.sessions.find(session->id(), "alice"));
    CHECK_FALSE(opened.sessions.end(session->id(), "alice"));
}

TEST_CASE("session ids are visible ASCII, long enough, and differ", "[server]") {
    Opened opened;
    const std::string first = opened.sessions.open("a")->id();
    CHECK(first != opened.sessions.open("a")->id());
    CHECK(first.size() >= 26); // 128 bits in base32
    CHECK(std::all_of(first.begin(), first.end(), [](char letter) {
        return letter >= 0x21 && letter <= 0x7E;
    }));
}

TEST_CASE("a session idles out and is used by being found", "[server]") {
    Opened opened;
    const auto id = opened.sessions.open("a")->id();
    opened.clock.advance(limits::session_idle_max);
    CHECK(opened.sessions.find(id, "a"));
    opened.clock.advance(limits::session_idle_max);
    CHECK(opened.sessions.find(id, "a"));
    opened.clock.advance(limits::session_idle_max + std::chrono::milliseconds(1));
    CHECK(opened.sessions.all().empty());
    CHECK_FALSE(opened.sessions.find(id, "a"));
}

TEST_CASE("a session with an open stream is not idle", "[server]") {
    Opened opened;
    const auto session = opened.sessions.open("a");
    bool ended = false;
    bool broken = false;
    session->streams().open_standing(carrier(ended, broken), true);
    opened.clock.advance(2 * limits::session_idle_max);
    CHECK(opened.sessions.all().size() == 1);
    broken = true;
    session->streams().keep_alive(); // notices
    CHECK(opened.sessions.all().empty());
}

TEST_CASE("the end of a session ends its streams", "[server]") {
    Opened opened;
    const bool broken = false;
    bool ended = false;
    const auto session = opened.sessions.open("a");
    session->streams().open_standing(carrier(ended, broken), true);
    CHECK(opened.sessions.end(session->id(), "a"));
    CHECK(ended);

    ended = false;
    const auto other = opened.sessions.open("a");
    other->streams().open_standing(carrier(ended, broken), true);
    opened.sessions.close();
    CHECK(ended);
    CHECK(opened.sessions.all().empty());
    CHECK_FALSE(opened.sessions.find(other->id(), "a"));
}

TEST_CASE("a session that others push out is not told: its client still waits", "[server]") {
    Opened opened;
    std::size_t told = 0;
    opened.sessions.on_end([&](const std::string&) { ++told; });
    for (std::size_t i = 0; i <= limits::sessions_per_subject_max; ++i) {
        opened.sessions.open("a");
    }
    CHECK(opened.sessions.all().size() == limits::sessions_per_subject_max);
    CHECK(told == 0);
    opened.sessions.on_end({});
}

TEST_CASE("a session that its client or time ends is told", "[server]") {
    Opened opened;
    std::vector<std::string> left;
    opened.sessions.on_end([&](const std::string& id) { left.push_back(id); });
    const auto ended = opened.sessions.open("a")->id();
    CHECK(opened.sessions.end(ended, "a"));
    CHECK(left == std::vector{ended});
    const auto idle = opened.sessions.open("a")->id();
    opened.clock.advance(limits::session_idle_max + std::chrono::milliseconds(1));
    const auto other = opened.sessions.open("b")->id();
    CHECK(opened.sessions.all().size() == 1);
    CHECK(left == std::vector{ended, idle});
    opened.sessions.close();
    CHECK(left == std::vector{ended, idle, other});
    opened.sessions.open("a");
    opened.sessions.on_end({});
    opened.sessions.close();
    CHECK(left.size() == 3);
}

TEST_CASE("one subject cannot push out the sessions of others", "[server]") {
    Opened opened;
    const auto bystander = opened.sessions.open("bystander");
    opened.tick();
    const auto first = opened.sessions.open("greedy");
    opened.tick();
    const auto second = opened.sessions.open("greedy");
    opened.tick();
    for (std::size_t i = 2; i < limits::sessions_per_subject_max; ++i) {
        opened.sessions.open("greedy");
    }
    opened.tick();
    CHECK(opened.sessions.find(first->id(), "greedy"));
    bool ended = false;
    const bool broken = false;
    second->streams().open_standing(carrier(ended, broken), true);
    opened.sessions.open("greedy");
    CHECK(opened.sessions.find(first->id(), "greedy"));
    CHECK_FALSE(opened.sessions.find(second->id(), "greedy")); // the longest idle of its own
    CHECK(ended);
    CHECK(opened.sessions.find(bystander->id(), "bystander"));
    CHECK(opened.sessions.all().size() == limits::sessions_per_subject_max + 1);
}

TEST_CASE("the longest idle session makes room when all places are taken", "[server]") {
    Opened opened;
    std::vector<SessionPointer> made;
    for (std::size_t i = 0; i < limits::sessions_max; ++i) {
        opened.tick();
        made.push_back(opened.sessions.open("subject " + std::to_string(i % 20)));
    }
    opened.tick();
    opened.sessions.open("subject 7"); // has sessions of its own
    CHECK_FALSE(opened.sessions.find(made[7]->id(), "subject 7"));
    opened.sessions.open("newcomer");
    CHECK_FALSE(opened.sessions.find(made[0]->id(), "subject 0"));
    CHECK(opened.sessions.find(made[1]->id(), "subject 1"));
    CHECK(opened.sessions.all().size() == limits::sessions_max);
}

TEST_CASE("a session remembers what was agreed on", "[server]") {
    LegacySession session;
    CHECK(session.id().empty());
    CHECK(session.version().empty());
    CHECK_FALSE(session.log_level());
    Client client;
    client.name = "c/1";
    client.sampling = true;
    session.agree("2025-06-18", client);
    session.set_log_level(LogSeverity::warning);
    CHECK(session.version() == "2025-06-18");
    CHECK(session.client().name == "c/1");
    CHECK(session.client().sampling);
    CHECK(session.log_level() == LogSeverity::warning);
}

TEST_CASE("a session watches a bounded number of resources", "[server]") {
    LegacySession session;
    const auto uri = [](std::size_t i) { return "plan://" + std::to_string(i); };
    for (std::size_t i = 0; i < limits::session_subscriptions_max; ++i) {
        CHECK(session.subscribe(uri(i)));
    }
    CHECK(session.subscribe(uri(0)));
    CHECK_FALSE(session.subscribe("plan://more"));
    CHECK_FALSE(session.subscribed("plan://more"));
    session.unsubscribe(uri(0));
    CHECK_FALSE(session.subscribed(uri(0)));
    CHECK(session.subscribe("plan://more"));
    CHECK(session.subscribed("plan://more"));
}

TEST_CASE("how sessions end, how long they lasted and how many are open is counted", "[server]") {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    interlock::telemetry::Metrics metrics;
    Sessions sessions{clock, random, &metrics};
    const std::string deleted = sessions.open("alice")->id();
    (void)sessions.open("alice");
    (void)sessions.open("bob");
    const auto shows = [&](const std::string& line) {
        return metrics.render().find(line + "\n") != std::string::npos;
    };
    CHECK(shows("interlock_sessions 3"));
    clock.advance(std::chrono::seconds(7));
    CHECK(sessions.end(deleted, "alice"));
    CHECK(shows("interlock_sessions 2"));
    CHECK(shows("mcp_server_session_duration_seconds_sum{ended=\"deleted\"} 7"));
    clock.advance(limits::session_idle_max + std::chrono::seconds(1));
    CHECK(sessions.all().empty());
    CHECK(shows("mcp_server_session_duration_seconds_count{ended=\"idle\"} 2"));
    (void)sessions.open("bob");
    sessions.close();
    CHECK(shows("mcp_server_session_duration_seconds_count{ended=\"shutdown\"} 1"));
    CHECK(shows("interlock_sessions 0"));
}
