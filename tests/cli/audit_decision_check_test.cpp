#include "cli/audit_decision_check.hpp"
#include "telemetry/audit_scan.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// The record of alice's approval.
struct Approved : test::Story {
    std::string id = run_a_plan();
    std::string digest = digest_of(id);
    std::string presentation = test::must(queue.get(id)).presentation;
    std::string signers;
    PlanRecord record;
    base::Json content;

    Approved() {
        for (const auto& found : test::must(telemetry::read_audit(*store, 0, 1'000, digest))) {
            const auto header = telemetry::read_leaf_header(found.header);
            if (header->type == "plan.approve_counted") {
                record = {
                    found.index, header->time, header->type, header->actor, found.payload, ""};
                content = test::must(base::parse_json(*found.payload));
            }
        }
    }
    CheckedDecision check() const {
        return check_decision({record, content, digest, &presentation, signers, "the bundle"});
    }
    bool finds(const std::string& words) const {
        const auto problems = check().problems;
        return problems.size() == 1 && problems[0].find(words) != std::string::npos;
    }
};

} // namespace

TEST_CASE("a decision that was signed over these bytes holds", "[cli]") {
    Approved plan;
    const auto checked = plan.check();
    CHECK(checked.problems.empty());
    CHECK(checked.approves);
    CHECK(checked.approver == "alice");
    CHECK(checked.signed_at);
    CHECK(checked.report.signature == true);
    CHECK(checked.report.same_bytes == true);
    CHECK(unverified_decision(plan.record).verdict == "approve_counted");
}

TEST_CASE("a decision that is not as its record says is told", "[cli]") {
    Approved plan;
    SECTION("other bytes") {
        plan.digest[0] = 'x';
        CHECK(plan.finds("about other bytes"));
    }
    SECTION("another presentation") {
        plan.presentation += " ";
        CHECK(plan.finds("what the person was shown is not what the bundle holds"));
    }
    SECTION("another key") {
        plan.content["key_fingerprint"] = "SHA256:other";
        CHECK(plan.finds("another key than is recorded"));
    }
    SECTION("somebody else") {
        plan.record.actor = "bob";
        CHECK(plan.finds("signed by somebody else"));
    }
    SECTION("another verdict") {
        plan.record.type = "plan.rejected";
        CHECK(plan.finds("decided otherwise than is recorded"));
    }
    SECTION("a signature that does not hold") {
        plan.content["signature"] = "none";
        CHECK(plan.finds("the decision does not verify"));
        CHECK(plan.check().report.signature == false);
        CHECK_FALSE(plan.check().approves);
    }
}

} // namespace interlock::cli
