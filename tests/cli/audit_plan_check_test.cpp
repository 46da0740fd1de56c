#include "cli/audit_plan_check.hpp"
#include "telemetry/audit_scan.hpp"
#include "tests/cli/audit_story.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::Story;

/// What a bundle would hold of the plan.
PlanEvidence evidence_of(Story& story, const std::string& plan_id) {
    const auto plan = must(story.queue.get(plan_id));
    PlanEvidence evidence;
    evidence.digest = plan.digest;
    evidence.files = {
        {"plan.json", plan.bytes},
        {"presentation.json", plan.presentation},
        {"about.json", base::render_json({{"plan_id", plan.id}})}};
    if (!plan.outcome.empty())
        evidence.files["outcome.json"] = plan.outcome;
    telemetry::AuditScan of_plan;
    of_plan.plan_digest = plan.digest;
    of_plan.payloads = true;
    must(telemetry::scan_audit(
        *story.store,
        of_plan,
        [&](telemetry::ScannedRecord& record) -> base::Result<telemetry::Scan> {
            const auto header = telemetry::read_leaf_header(record.header).value();
            evidence.records.push_back(
                {record.index, header.time, header.type, header.actor, record.payload}
            );
            return telemetry::Scan::go_on;
        }
    ));
    return evidence;
}

bool says(const PlanReport& report, const std::string& words) {
    return std::any_of(report.problems.begin(), report.problems.end(), [&](const auto& problem) {
        return problem.find(words) != std::string::npos;
    });
}

PlanRecord& record_of(PlanEvidence& evidence, const std::string& type) {
    const auto found =
        std::find_if(evidence.records.begin(), evidence.records.end(), [&](const auto& record) {
            return record.type == type;
        });
    REQUIRE(found != evidence.records.end());
    return *found;
}

} // namespace

TEST_CASE("a plan that went the whole way has a story without problems", "[cli]") {
    Story story;
    const auto report = check_plan(evidence_of(story, story.run_a_plan()));
    CHECK(report.problems.empty());
    CHECK(report.decisions.size() == 2);
    CHECK(report.expiry_kept == true);
    CHECK(report.same_bytes_ran == true);
    CHECK(report.outcome_signed);
}

TEST_CASE("a plan that did not run is told as that", "[cli]") {
    Story story;
    const auto report = check_plan(evidence_of(story, story.submitted()));
    CHECK(report.problems.empty());
    CHECK(report.state == "PENDING");
    CHECK(report.decisions.empty());
    CHECK_FALSE(report.expiry_kept);
    CHECK_FALSE(report.same_bytes_ran);
    const auto rejected = story.submitted(3);
    must(story.decide("carol", rejected, approval::DecisionVerdict::reject));
    const auto refused = check_plan(evidence_of(story, rejected));
    CHECK(refused.problems.empty());
    REQUIRE(refused.decisions.size() == 1);
    CHECK(refused.decisions[0].verdict == "reject");
    CHECK(refused.state == "REJECTED");
}

TEST_CASE("a story that may go on is not called whole, unless the log shows its end", "[cli]") {
    Story story;
    auto evidence = evidence_of(story, story.approved());
    auto report = check_plan(evidence);
    CHECK(report.problems.empty());
    REQUIRE(report.not_known.size() == 1);
    CHECK(report.not_known[0].find("leaves it APPROVED") != std::string::npos);
    evidence.nothing_follows = true;
    CHECK(check_plan(evidence).not_known.empty());
    // What the queue said when it was exported tells of records that were left out.
    evidence.files["about.json"] = base::render_json({{"state", "SUCCEEDED"}});
    CHECK(says(check_plan(evidence), "about.json says that it is SUCCEEDED"));
    evidence.files["about.json"] = base::render_json({{"state", "EXPIRED"}});
    CHECK(check_plan(evidence).problems.empty()); // told by the clock, and recorded by nobody yet
    evidence.files["about.json"] = base::render_json({{"plan_id", "plan_other"}});
    CHECK(says(check_plan(evidence), "about.json names the plan plan_other"));
    Story other;
    CHECK(says(check_plan(evidence_of(other, other.claimed().plan_id)), "may still be running"));
}

TEST_CASE("the end of a plan's story cannot be taken away", "[cli]") {
    Story story;
    const auto whole = evidence_of(story, story.run_a_plan());
    auto evidence = whole;
    // However much of the tail is gone, with everything else that tells of it.
    while (!evidence.records.empty()) {
        evidence.records.pop_back();
        evidence.files.erase("outcome.json");
        evidence.files.erase("steps.json");
        evidence.files.erase("about.json");
        const auto report = check_plan(evidence);
        CHECK_FALSE(report.problems.size() + report.not_known.size() == 0);
    }
    // Nor may any one record of it, whatever its type.
    for (std::size_t i = 0; i < whole.records.size(); ++i) {
        evidence = whole;
        evidence.records.erase(evidence.records.begin() + static_cast<std::ptrdiff_t>(i));
        INFO(whole.records[i].type);
        CHECK_FALSE(check_plan(evidence).problems.empty());
    }
}

TEST_CASE("an outcome is held against the records of its steps and of its end", "[cli]") {
    Story story;
    auto evidence = evidence_of(story, story.run_a_plan());
    SECTION("another end") {
        auto& payload = *record_of(evidence, "plan.finished").payload;
        auto content = base::parse_json(payload).value();
        content["state"] = "ROLLED_BACK";
        payload = base::render_json(content);
        CHECK(says(check_plan(evidence), "its outcome ends in SUCCEEDED"));
    }
    SECTION("a list of other steps") {
        evidence.files["steps.json"] =
            R"([{"index": 0, "direction": "forward", "state": "FAILED"}])";
        CHECK(says(check_plan(evidence), "steps.json says that step 0 is FAILED"));
        evidence.files["steps.json"] = "{}";
        CHECK(says(check_plan(evidence), "its list of steps cannot be read"));
    }
    SECTION("a step whose payload was erased") {
        record_of(evidence, "step.done").payload.reset();
        const auto report = check_plan(evidence);
        CHECK(report.problems.empty());
        CHECK(report.not_known.back().find("what was done cannot be known") != std::string::npos);
    }
}

TEST_CASE("the key of an outcome is named, and who vouches for it", "[cli]") {
    Story story;
    auto evidence = evidence_of(story, story.run_a_plan());
    const auto key = story.key_of("interlock-executor");
    auto report = check_plan(evidence);
    CHECK(report.outcome_key == key);
    CHECK(report.outcome_key_vouched == Vouched::nobody);
    CHECK(report.not_known.at(0).find("nothing in the bundle says whose") != std::string::npos);
    evidence.executor_key = key;
    report = check_plan(evidence);
    CHECK(report.outcome_key_vouched == Vouched::by_bundle);
    CHECK(report.not_known.empty());
    evidence.executor_key_given = true;
    CHECK(check_plan(evidence).outcome_key_vouched == Vouched::by_reader);
}

TEST_CASE("a run that has no end is a gap", "[cli]") {
    Story story;
    const auto claim = story.executing();
    const auto report = check_plan(evidence_of(story, claim.plan_id));
    CHECK(says(report, "no record tells how it ended"));
    CHECK(report.expiry_kept == true);
}

TEST_CASE("what does not fit together is a problem each", "[cli]") {
    Story story;
    auto evidence = evidence_of(story, story.run_a_plan());
    SECTION("other bytes") {
        evidence.files["plan.json"].back() = ' ';
        CHECK(says(check_plan(evidence), "do not have the digest"));
    }
    SECTION("no bytes") {
        evidence.files.erase("plan.json");
        CHECK(says(check_plan(evidence), "its bytes are not in the bundle"));
    }
    SECTION("something else was shown") {
        evidence.files["presentation.json"] += " ";
        CHECK(says(check_plan(evidence), "was shown is not what the bundle holds"));
    }
    SECTION("too late") {
        record_of(evidence, "plan.executing").time = "2999-01-01T00:00:00.000000Z";
        const auto report = check_plan(evidence);
        CHECK(report.expiry_kept == false);
        CHECK(says(report, "its approval ended at"));
    }
    SECTION("one approval less than needed") {
        std::erase_if(evidence.records, [](const auto& record) {
            return record.type == "plan.approve_counted";
        });
        const auto report = check_plan(evidence);
        CHECK(says(report, "it was approved by 1 of 2 people"));
        CHECK(says(report, "a record is missing or was put elsewhere"));
    }
    SECTION("the signature of another") {
        auto& record = record_of(evidence, "plan.approved");
        record.actor = "carol";
        CHECK(says(check_plan(evidence), "was signed by somebody else"));
    }
    SECTION("a signature edited") {
        auto& payload = *record_of(evidence, "plan.approved").payload;
        auto content = base::parse_json(payload).value();
        auto statement = content["statement"].get<std::string>();
        statement.replace(statement.find("nonce_"), 6, "nonce-");
        content["statement"] = statement;
        payload = base::render_json(content);
        const auto report = check_plan(evidence);
        CHECK(says(report, "the decision does not verify"));
        CHECK_FALSE(report.decisions.back().signature);
    }
    SECTION("the requester approved") {
        record_of(evidence, "plan.submitted").actor = "os:bob";
        CHECK(says(check_plan(evidence), "bob approved what was requested by the same"));
    }
    SECTION("a decision erased") {
        record_of(evidence, "plan.approved").payload.reset();
        CHECK(says(check_plan(evidence), "was erased, so the decision cannot be verified"));
    }
    SECTION("an outcome of other bytes, or edited") {
        auto& outcome = evidence.files["outcome.json"];
        outcome.replace(outcome.find(evidence.digest), 4, "0000");
        const auto report = check_plan(evidence);
        CHECK(says(report, "its outcome is not the one that was recorded"));
        CHECK(says(report, "ran other bytes"));
        CHECK(says(report, "not signed by the executor"));
        CHECK(report.same_bytes_ran == false);
    }
    SECTION("an outcome signed by another executor") {
        evidence.executor_key = story.key_of("interlock-server");
        CHECK(says(check_plan(evidence), "not signed by the executor's key"));
    }
    SECTION("no outcome") {
        evidence.files.erase("outcome.json");
        CHECK(says(check_plan(evidence), "its outcome is not in the bundle"));
    }
    SECTION("no submission") {
        evidence.records.erase(evidence.records.begin());
        CHECK(says(check_plan(evidence), "one is missing"));
    }
    SECTION("nothing at all") {
        evidence.records.clear();
        CHECK(says(check_plan(evidence), "no record tells of its submission"));
    }
}

} // namespace interlock::cli
