#include "cli/audit_plan_check.hpp"
#include "cli/audit_plan_files.hpp"
#include "telemetry/audit_scan.hpp"
#include "tests/cli/audit_story.hpp"

#include <algorithm>
#include <map>

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
    std::map<std::string, std::string> signers;
    telemetry::AuditScan of_plan;
    of_plan.plan_digest = plan.digest;
    of_plan.payloads = true;
    must(telemetry::scan_audit(
        *story.store,
        of_plan,
        [&](telemetry::ScannedRecord& record) -> base::Result<telemetry::Scan> {
            const auto header = telemetry::read_leaf_header(record.header).value();
            evidence.records.push_back(
                {record.index, header.time, header.type, header.actor, record.payload, {}}
            );
            const auto payload = must(base::parse_json(*record.payload));
            if (const auto statement = base::string_member(payload, "statement"))
                signers[*statement] = payload["allowed_signers"];
            return telemetry::Scan::go_on;
        }
    ));
    evidence.files = plan_files(plan, must(story.queue.steps(plan_id)), signers);
    return evidence;
}

/// With another value in about.json.
void say_about(PlanEvidence& evidence, const std::string& name, const base::Json& value) {
    auto about = must(base::parse_json(evidence.files.at("about.json")));
    about[name] = value;
    evidence.files["about.json"] = base::render_json(about);
}

bool tells(const std::vector<std::string>& sentences, const std::string& words) {
    return std::any_of(sentences.begin(), sentences.end(), [&](const auto& sentence) {
        return sentence.find(words) != std::string::npos;
    });
}

bool says(const PlanReport& report, const std::string& words) {
    return tells(report.problems, words);
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
    say_about(evidence, "state", "SUCCEEDED");
    CHECK(says(check_plan(evidence), "about.json says that it is SUCCEEDED"));
    say_about(evidence, "state", "EXPIRED");
    say_about(evidence, "state_reason", "Its time was up.");
    CHECK(check_plan(evidence).problems.empty()); // told by the clock, and recorded by nobody yet
    say_about(evidence, "plan_id", "plan_other");
    CHECK(says(check_plan(evidence), "its plan_id is \"plan_other\""));
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
        auto report = check_plan(evidence);
        std::erase_if(report.problems, [](const auto& problem) {
            return problem.find("about.json") != std::string::npos;
        });
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
        CHECK(tells(report.erased, "what was done cannot be known"));
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
    evidence.executor_keys = {key};
    report = check_plan(evidence);
    CHECK(report.outcome_key_vouched == Vouched::by_bundle);
    CHECK(report.not_known.empty());
    evidence.executor_keys_given = true;
    CHECK(check_plan(evidence).outcome_key_vouched == Vouched::by_reader);
    evidence.executor_keys = {"no key", story.key_of("interlock-server"), key};
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
        CHECK(report.decisions.back().signature == false);
    }
    SECTION("the requester approved") {
        record_of(evidence, "plan.submitted").actor = "os:bob";
        CHECK(says(check_plan(evidence), "bob approved what was requested by the same"));
    }
    SECTION("a decision erased") {
        auto& record = record_of(evidence, "plan.approved");
        record.payload.reset();
        record.erased = "erased on T, by os:eve: why";
        const auto report = check_plan(evidence);
        CHECK(report.problems.empty());
        CHECK(tells(report.erased, "whose payload was erased on T, by os:eve: why"));
        CHECK(tells(report.erased, "whether 2 people approved it is not known"));
        REQUIRE(report.decisions.size() == 2);
        CHECK_FALSE(report.decisions.back().signature.has_value());
        CHECK(report.decisions.back().erased == record.erased);
        CHECK_FALSE(report.expiry_kept.has_value());
        CHECK(report.same_bytes_ran == true); // the outcome is signed
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
        evidence.executor_keys = {story.key_of("interlock-server")};
        auto report = check_plan(evidence); // whose key that is, nobody said
        CHECK(report.problems.empty());
        CHECK(tells(report.not_known, "nothing in the bundle says whose that is"));
        evidence.executor_keys_given = true;
        report = check_plan(evidence);
        CHECK(says(report, "which is none of the executors' keys"));
        CHECK_FALSE(report.outcome_signed);
        CHECK(report.outcome_key == story.key_of("interlock-executor")); // named all the same
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

TEST_CASE("of a plan whose payloads were all erased, nothing is said that is not known", "[cli]") {
    Story story;
    auto evidence = evidence_of(story, story.run_a_plan());
    evidence.executor_keys = {story.key_of("interlock-executor")};
    for (auto& record : evidence.records) {
        record.payload.reset();
        record.erased = "erased on T, by os:eve: why";
    }
    const auto report = check_plan(evidence);
    for (const auto& problem : report.problems)
        FAIL_CHECK(problem);
    CHECK(report.not_known.empty());
    CHECK(tells(report.erased, "only about.json tells its id"));
    CHECK(tells(report.erased, "whether its outcome is the one that was recorded"));
    CHECK(report.plan_id.starts_with("plan_"));
    CHECK(report.runbook == runbooks::parse_plan(evidence.files.at("plan.json"))->runbook);
    CHECK(report.state == "SUCCEEDED");
    CHECK_FALSE(report.decisions.at(0).signature.has_value());
    // Yet what the headers alone tell must still fit.
    record_of(evidence, "plan.approve_counted").type = "plan.noted";
    CHECK(says(check_plan(evidence), "it was approved by 0 of 2 people"));
}

TEST_CASE("each thing that about.json says is held against the records", "[cli]") {
    Story story;
    const auto whole = evidence_of(story, story.run_a_plan());
    REQUIRE(check_plan(whole).problems.empty());
    const auto whole_about = must(base::parse_json(whole.files.at("about.json")));
    for (const auto& [name, value] : whole_about.items()) {
        INFO(name);
        auto changed = whole;
        say_about(changed, name, value.is_string() ? base::Json("x") : base::Json::array({"x"}));
        CHECK_FALSE(check_plan(changed).problems.empty());
        auto without = whole;
        auto about = whole_about;
        about.erase(name);
        without.files["about.json"] = base::render_json(about);
        CHECK_FALSE(check_plan(without).problems.empty());
    }
    auto more = whole;
    say_about(more, "blessed_by", "the Pope");
    CHECK(says(check_plan(more), "and no record does"));
}

TEST_CASE("no file beside a plan is missing, too many or another's", "[cli]") {
    Story story;
    const auto whole = evidence_of(story, story.run_a_plan());
    for (const auto& [name, content] : whole.files) {
        INFO(name);
        auto without = whole;
        without.files.erase(name);
        CHECK_FALSE(check_plan(without).problems.empty());
        auto twice = whole;
        twice.files[name + ".copy"] = content;
        CHECK(says(check_plan(twice), "no record holds the file"));
    }
    auto duplicate = whole;
    duplicate.files["decisions/03.json"] = duplicate.files["decisions/01.json"];
    CHECK(says(check_plan(duplicate), "no record holds the file decisions/03.json"));
}

TEST_CASE("why it was asked for and decided is told", "[cli]") {
    Story story;
    const auto id = story.proposed(1, "INC-7");
    must(story.decide("carol", id, approval::DecisionVerdict::reject));
    const auto report = check_plan(evidence_of(story, id));
    CHECK(report.problems.empty());
    CHECK(report.hypothesis == "A hypothesis");
    CHECK(report.incident == "INC-7");
    CHECK(report.decisions.at(0).reason == "It is not needed.");
}

} // namespace interlock::cli
