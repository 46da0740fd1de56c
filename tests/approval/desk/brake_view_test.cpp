#include "approval/desk/brake_view.hpp"
#include "base/json.hpp"
#include "tests/approval/brakes_fixture.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::desk {

namespace {

approval::Brake suspension(const std::string& subject) {
    auto brake = test::BrakeStore::brake(approval::BrakeKind::identity, subject);
    brake.origin = approval::BrakeOrigin::supervisor;
    brake.who = "interlock-server";
    brake.cause = "loop";
    brake.reason = "`get_blocking` was called 5 times in a row.";
    return brake;
}

constexpr const char* transcript =
    R"([{"at":"2026-11-22T01:00:00Z","tool":"get_blocking","arguments":"{}","outcome":"ok"}])";

} // namespace

TEST_CASE("brakes come with what led to them, the oldest first, from a leaf on", "[approval]") {
    test::BrakeStore room;
    REQUIRE(set_brake(*room.store, room.random, suspension("os:alice"), transcript).ok());
    REQUIRE(room.set(approval::BrakeKind::tool, "get_plan").ok());
    const auto all = brakes_from(*room.store, 0, 10);
    REQUIRE(all.ok());
    REQUIRE(all->size() == 2);
    CHECK((*all)[0].brake.name == "os:alice");
    REQUIRE((*all)[0].transcript.size() == 1);
    CHECK((*all)[0].transcript[0].tool == "get_blocking");
    CHECK((*all)[0].transcript[0].outcome == "ok");
    CHECK((*all)[1].transcript.empty());
    const auto later = brakes_from(*room.store, (*all)[1].brake.leaf, 10);
    REQUIRE(later->size() == 1);
    CHECK((*later)[0].brake.name == "get_plan");
    CHECK(brakes_from(*room.store, 0, 1)->size() == 1);
}

TEST_CASE("the command that lifts is safe to paste, whatever the name", "[approval]") {
    auto brake = suspension("x'; rm -rf / #");
    brake.issuer = "https://one.example/$(id)";
    CHECK(
        lift_command(brake) == "interlock kill lift identity 'x'\\''; rm -rf / #' --issuer "
                               "'https://one.example/$(id)' --reason WHY"
    );
    CHECK(lift_command({}) == "interlock kill lift all --reason WHY");
}

TEST_CASE("a notification is one sentence for people and the rest for programs", "[approval]") {
    BrakeView view{suspension("os:alice"), {{"now", "get_blocking", "{}", "ok"}}};
    view.brake.at = "2026-11-22T01:00:00.000000Z";
    view.brake.leaf = 7;
    const auto sent = base::parse_json(notification(view, "log/7")).value();
    CHECK(sent["type"] == "interlock.brake.set");
    CHECK(sent["timestamp"] == "2026-11-22T01:00:00.000000Z");
    CHECK(
        sent["text"] ==
        "The identity `os:alice` is suspended by the supervisor (loop): `'get_blocking' was called "
        "5 times in a row.`. Only a person lifts it: `interlock kill lift identity 'os:alice' "
        "--reason WHY`"
    );
    CHECK(sent["data"]["id"] == "log/7");
    CHECK(sent["data"]["audit_index"] == 7);
    CHECK(sent["data"]["transcript"][0]["tool"] == "get_blocking");
    view.brake.kind = approval::BrakeKind::all;
    view.brake.name.clear();
    view.brake.origin = approval::BrakeOrigin::person;
    view.brake.who = "os:bob";
    const auto all = base::parse_json(notification(view, "log/8")).value();
    CHECK(all["text"].get<std::string>().starts_with("All calls are stopped by `os:bob`: "));
}

TEST_CASE("no name and no reason calls everybody in a chat or breaks out of its quotes") {
    BrakeView view{suspension("<!channel> `@here` \u202e&amp; x\ny"), {}};
    view.brake.reason = "``` <https://evil.example|click> ```";
    const auto raw = notification(view, "1");
    CHECK(raw.find('<') == std::string::npos);
    CHECK(raw.find('>') == std::string::npos);
    const auto text = base::parse_json(raw).value()["text"].get<std::string>();
    CHECK(text.find('<') == std::string::npos);
    CHECK(text.find('>') == std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    CHECK(text.find("\u202e") == std::string::npos);
    // The quotes are ours: a pair each around the name, the reason and the command.
    CHECK(std::count(text.begin(), text.end(), '`') == 6);
}

} // namespace interlock::desk
