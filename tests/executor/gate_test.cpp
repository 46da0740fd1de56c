#include "executor/gate.hpp"
#include "tests/executor/scene.hpp"

#include <catch2/catch.hpp>

namespace interlock::test {

TEST_CASE("a plan under the policy in force passes the gate", "[executor]") {
    CHECK(executor::check_policy(bounded_plan(), test_library()).ok());
}

TEST_CASE("the gate tells every way in which an approval became void", "[executor]") {
    auto library = test_library();
    auto plan = bounded_plan();
    std::string reason;
    SECTION("unknown runbook") {
        plan.runbook = "other";
        reason = "not in this executor's library";
    }
    SECTION("another version") {
        plan.runbook_version = 2;
        reason = "has changed since the plan was made";
    }
    SECTION("other contract bytes") {
        plan.runbook_digest[0] = plan.runbook_digest[0] == '0' ? '1' : '0';
        reason = "has changed since the plan was made";
    }
    SECTION("other rules") {
        plan.policy_digest[0] = plan.policy_digest[0] == '0' ? '1' : '0';
        reason = "the policy has changed";
    }
    SECTION("a statement the policy denies") {
        plan.steps[0].statement.sql = "drop table app.orders";
        reason = "the policy denies the plan";
    }
    SECTION("fewer approvals than the policy asks for") {
        plan.needs.approvals = 0;
        reason = "more or stronger approvals";
    }
    SECTION("weaker approvals than the policy asks for") {
        plan.needs.assurance = runbooks::Assurance::chat;
        reason = "more or stronger approvals";
    }
    const auto checked = executor::check_policy(plan, library);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == base::Errc::refused);
    CHECK_THAT(checked.error().what, Catch::Contains(reason));
    CHECK_FALSE(checked.error().remedy.empty());
}

} // namespace interlock::test
