#include "base/digest.hpp"
#include "base/limits.hpp"
#include "server/request_state.hpp"
#include "tests/support/fakes.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace {

using interlock::server::RequestStates;
using interlock::server::StateBinding;

const StateBinding binding{"issuer\nalice", "tools/call", "echo", R"({"a":1})"};

struct States {
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    RequestStates states{clock, random};
};

} // namespace

TEST_CASE("a state comes back to the call it was given out for", "[server]") {
    States fixture;
    for (const std::string& state :
         {std::string(), std::string("step 2"), std::string("\0\xff", 2)}) {
        const auto opened = fixture.states.open(binding, fixture.states.seal(binding, state));
        REQUIRE(opened.ok());
        CHECK(opened.value() == state);
    }
}

TEST_CASE("a state of another caller, method, name or argument is refused", "[server]") {
    States fixture;
    const auto sealed = fixture.states.seal(binding, "state");
    for (const StateBinding& other :
         {StateBinding{"issuer\nmallory", "tools/call", "echo", R"({"a":1})"},
          StateBinding{"other\nalice", "tools/call", "echo", R"({"a":1})"},
          StateBinding{"issuer\nalice", "prompts/get", "echo", R"({"a":1})"},
          StateBinding{"issuer\nalice", "tools/call", "fails", R"({"a":1})"},
          StateBinding{"issuer\nalice", "tools/call", "echo", R"({"a":2})"},
          StateBinding{"issuer\nalice", "tools/call", "", R"(echo{"a":1})"},
          StateBinding{"issuer\nalicetools/call", "", "echo", R"({"a":1})"}}) {
        const auto opened = fixture.states.open(other, sealed);
        REQUIRE_FALSE(opened.ok());
        CHECK(opened.error().code == interlock::base::Errc::invalid_input);
    }
}

TEST_CASE("every change of a state is found", "[server]") {
    States fixture;
    const auto sealed = fixture.states.seal(binding, "state");
    const auto bytes = interlock::base::from_base64(sealed).value();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CHECK_FALSE(fixture.states.open(binding, interlock::base::base64(changed)).ok());
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CHECK_FALSE(
            fixture.states.open(binding, interlock::base::base64(bytes.substr(0, length))).ok()
        );
    }
    for (const std::string& wrong :
         {std::string(),
          std::string("nonsense"),
          sealed + "-TAMPERED",
          sealed + "=",
          " " + sealed,
          sealed.substr(1),
          std::string(1'000'000, 'A')}) {
        CHECK_FALSE(fixture.states.open(binding, wrong).ok());
    }
}

TEST_CASE("a state ends after its lifetime", "[server]") {
    States fixture;
    const auto sealed = fixture.states.seal(binding, "state");
    const interlock::base::Duration lifetime = interlock::base::limits::request_state_lifetime;
    fixture.clock.advance(lifetime - interlock::base::Duration(1));
    CHECK(fixture.states.open(binding, sealed).ok());
    fixture.clock.advance(interlock::base::Duration(1));
    CHECK_FALSE(fixture.states.open(binding, sealed).ok());
}

TEST_CASE("a refusal never says why", "[server]") {
    States fixture;
    const auto sealed = fixture.states.seal(binding, "state");
    const auto foreign =
        fixture.states.open({"issuer\nmallory", "tools/call", "echo", R"({"a":1})"}, sealed);
    const auto tampered = fixture.states.open(binding, "AAAA");
    fixture.clock.advance(interlock::base::limits::request_state_lifetime);
    const auto late = fixture.states.open(binding, sealed);
    CHECK(foreign.error().what == tampered.error().what);
    CHECK(late.error().what == tampered.error().what);
}

TEST_CASE("processes that share a key take each other's states, others do not", "[server]") {
    States one;
    const std::string key(32, 'k');
    const RequestStates left(one.clock, one.random, key);
    const RequestStates right(one.clock, one.random, key);
    CHECK(right.open(binding, left.seal(binding, "s")).ok());
    CHECK_FALSE(one.states.open(binding, left.seal(binding, "s")).ok());
    const RequestStates fresh(one.clock, one.random);
    CHECK_FALSE(fresh.open(binding, one.states.seal(binding, "s")).ok());
}

TEST_CASE("the largest state that may travel comes back", "[server]") {
    States fixture;
    const std::string most(interlock::base::limits::request_state_bytes_max, 's');
    CHECK(fixture.states.open(binding, fixture.states.seal(binding, most)).ok());
    CHECK_FALSE(fixture.states.open(binding, fixture.states.seal(binding, most + "xyz")).ok());
}
