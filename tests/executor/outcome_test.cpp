#include "base/json.hpp"
#include "base/limits.hpp"
#include "executor/outcome.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::executor {
namespace {

base::SigningKey key(char seed) {
    return base::signing_key_from_seed(std::string(32, seed));
}

Outcome sample_outcome() {
    Outcome outcome;
    outcome.plan_id = "plan_x";
    outcome.plan_digest = "ab";
    outcome.executor = "executor_1";
    outcome.fence = 7;
    outcome.state = "SUCCEEDED";
    outcome.verdict = "recovered";
    outcome.reason = "It held.";
    outcome.steps = {{0, "end_it", "forward", "DONE", "commit", 1, 12, ""}};
    outcome.baseline = {{"recovered", Finding::fails, "3", "Too many."}};
    outcome.samples = {{0, {{"recovered", Finding::holds, "0", ""}}, {}}};
    return outcome;
}

} // namespace

TEST_CASE("an outcome verifies with its executor's key only", "[executor]") {
    const auto document = sign_outcome(sample_outcome(), key('a'));
    CHECK(verify_outcome(document, key('a').public_key).ok());
    CHECK(
        verify_outcome(document, key('b').public_key).error().code == base::Errc::invalid_signature
    );
}

TEST_CASE("no member of an outcome can be changed, added or removed", "[executor]") {
    const auto original = base::parse_json(sign_outcome(sample_outcome(), key('a'))).value();
    const auto refused = [&](const base::Json& changed) {
        return !verify_outcome(base::render_json(changed), key('a').public_key).ok();
    };
    CHECK_FALSE(refused(original));
    for (const auto& [name, value] : original.items()) {
        CAPTURE(name);
        auto changed = original;
        changed[name] = "other";
        CHECK(refused(changed));
        changed.erase(name);
        CHECK(refused(changed));
    }
    auto longer = original;
    longer["more"] = 1;
    CHECK(refused(longer));
    CHECK_FALSE(verify_outcome("not JSON", key('a').public_key).ok());
}

TEST_CASE("an outcome of very many samples keeps both ends and stays readable", "[executor]") {
    auto outcome = sample_outcome();
    for (int i = 1; i < 5'000; ++i) {
        outcome.samples.push_back(
            {i, {{"recovered", Finding::fails, std::string(500, 'v'), std::string(900, 'w')}}, {}}
        );
    }
    const auto document = sign_outcome(outcome, key('a'));
    CHECK(document.size() <= base::limits::outcome_bytes_max);
    CHECK(verify_outcome(document, key('a').public_key).ok());
    const auto verification = base::parse_json(document).value()["verification"];
    CHECK(verification["samples_taken"] == 5'000);
    CHECK(verification["samples"].front()["at_ms"] == 0);
    CHECK(verification["samples"].back()["at_ms"] == 4'999);
}

TEST_CASE("an outcome says as which role and by which backend a step was done", "[executor]") {
    auto outcome = sample_outcome();
    outcome.steps[0].acts_as = {"shop_executor", 77};
    outcome.steps.push_back({1, "never", "forward", "IN_DOUBT", "", 0, 0, ""});
    const auto document = base::parse_json(sign_outcome(outcome, key('a'))).value();
    CHECK(document["steps"][0]["database_role"] == "shop_executor");
    CHECK(document["steps"][0]["backend_pid"] == 77);
    CHECK_FALSE(document["steps"][1].contains("database_role")); // nobody had a session
    const auto detail = base::parse_json(step_detail("", {}, {"shop_executor", 77})).value();
    CHECK(detail == base::Json{{"database_role", "shop_executor"}, {"backend_pid", 77}});
}

TEST_CASE("the baseline survives beside the first step", "[executor]") {
    const auto detail = step_detail("It failed.", sample_outcome().baseline, {"shop_executor", 77});
    const auto readings = baseline_of(detail);
    REQUIRE(readings.size() == 1);
    CHECK(readings[0].check == "recovered");
    CHECK(readings[0].finding == Finding::fails);
    CHECK(readings[0].value == "3");
    CHECK(baseline_of(step_detail("", {}, {})).empty());
    CHECK(baseline_of("nonsense").empty());
    CHECK(baseline_of(R"({"baseline": 3})").empty());
}

} // namespace interlock::executor
