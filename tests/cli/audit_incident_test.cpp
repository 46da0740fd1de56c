#include "cli/audit_incident.hpp"
#include "tests/cli/audit_story.hpp"

#include <limits>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

constexpr auto whole_log = std::numeric_limits<std::uint64_t>::max();

} // namespace

TEST_CASE("a record names its incident itself, or a call's argument does", "[cli]") {
    using base::Json;
    CHECK(incident_of(Json::object()).empty());
    CHECK(incident_of({{"incident", "INC-7"}}) == "INC-7");
    CHECK(incident_of({{"arguments", {{"incident", "INC-8"}}}}) == "INC-8");
    CHECK(incident_of({{"incident", "INC-7"}, {"arguments", {{"incident", "INC-8"}}}}) == "INC-7");
    CHECK(incident_of({{"incident", 7}, {"arguments", "INC-8"}}).empty());
    CHECK(incident_of(Json("INC-7")).empty());
}

TEST_CASE("the plans of an incident are those that were shown as of it", "[cli]") {
    test::Story story;
    const auto plan = story.proposed(1, "INC-7");
    const auto before = story.leaves();
    story.proposed(2, "INC-8");
    story.proposed(3);
    const auto found = test::must(plans_of_incident(*story.store, "INC-7", whole_log));
    REQUIRE(found.size() == 1);
    CHECK(found.begin()->first == story.digest_of(plan));
    CHECK(found.begin()->second == plan);
    CHECK(test::must(plans_of_incident(*story.store, "INC-8", before)).empty()); // came later
    CHECK(test::must(plans_of_incident(*story.store, "INC-9", whole_log)).empty());
    // Recorded before records named it: the plan itself tells.
    story.append(
        "plan.submitted", "os:requester", {{"plan_id", plan}, {"runbook", "test-runbook"}}
    );
    CHECK(test::must(plans_of_incident(*story.store, "INC-7", whole_log)).size() == 2);
    story.append("plan.submitted", "os:requester", {{"plan_id", "plan_gone"}});
    CHECK(test::must(plans_of_incident(*story.store, "INC-7", whole_log)).size() == 2);
}

} // namespace interlock::cli
