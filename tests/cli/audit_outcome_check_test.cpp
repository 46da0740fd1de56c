#include "cli/audit_outcome_check.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

TEST_CASE("an outcome's signature names its key, and counts if that is an executor's", "[cli]") {
    test::Story story;
    const auto id = story.run_a_plan();
    auto outcome = test::must(base::parse_json(test::must(story.queue.get(id)).outcome));
    const auto key = story.key_of("interlock-executor");
    const auto other = story.key_of("interlock-server");
    auto found = check_outcome_signature(outcome, {}, false);
    CHECK(found.holds);
    CHECK(found.key == key);
    CHECK(found.vouched == Vouched::nobody);
    CHECK(check_outcome_signature(outcome, {other, key}, false).vouched == Vouched::by_bundle);
    CHECK(check_outcome_signature(outcome, {other, key}, true).vouched == Vouched::by_reader);
    found = check_outcome_signature(outcome, {other, "no key"}, true);
    CHECK_FALSE(found.holds);
    CHECK(found.key == key);
    outcome["state"] = "FAILED";
    found = check_outcome_signature(outcome, {key}, true);
    CHECK_FALSE(found.holds);
    CHECK(found.key.empty());
    CHECK_FALSE(check_outcome_signature(base::Json::object(), {key}, true).holds);
}

} // namespace interlock::cli
