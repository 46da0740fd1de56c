#include "cli/audit_store_check.hpp"
#include "telemetry/audit_erase.hpp"
#include "tests/cli/audit_story.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::Story;

StoreReport checked(Story& story, const StoreTrust& trust = {}) {
    return must(check_store(
        *story.store,
        telemetry::kept_checkpoints(base::StateDirectory{story.state}.checkpoints()),
        trust
    ));
}

bool says(const std::vector<std::string>& sentences, const std::string& words) {
    return std::any_of(sentences.begin(), sentences.end(), [&](const auto& sentence) {
        return sentence.find(words) != std::string::npos;
    });
}

} // namespace

TEST_CASE("a store whose plans are as the log tells is whole", "[cli]") {
    Story story;
    story.run_a_plan();
    const auto open = story.proposed(1);
    story.executor_signs();
    auto found = checked(story);
    for (const auto* list : {&found.problems, &found.not_known, &found.erased})
        for (const auto& sentence : *list)
            FAIL_CHECK(sentence);
    CHECK(found.plans == 2);
    must(story.decide("alice", open));
    (void)must(story.claim(open)); // it may be running at this very moment
    CHECK(checked(story).problems.empty());
    StoreTrust trust;
    trust.executor_keys = {story.key_of("interlock-executor")};
    trust.allowed_signers = story.keys.allowed_signers;
    CHECK(checked(story, trust).problems.empty());
    trust.executor_keys = {story.key_of("interlock-server")};
    CHECK(says(checked(story, trust).problems, "which is none of the executors' keys"));
}

TEST_CASE("outcomes of a year in which the executor's key was changed are all known", "[cli]") {
    Story story;
    story.run_a_plan();
    const auto first = story.key_of("interlock-executor");
    story.executor_key = base::signing_key_from_seed(std::string(32, 'n'));
    const auto second = story.key_of("interlock-executor");
    story.run_a_plan();
    story.executor_signs();
    auto found = checked(story); // its checkpoint tells the second key only
    CHECK(found.problems.empty());
    CHECK(says(found.not_known, "is signed by the key " + first));
    REQUIRE(found.outcome_keys.size() == 2);
    CHECK(found.outcome_keys[first].vouched == Vouched::nobody);
    CHECK(found.outcome_keys[second].vouched == Vouched::by_bundle);
    StoreTrust trust;
    trust.executor_keys = {first, second};
    found = checked(story, trust);
    CHECK(found.problems.empty());
    CHECK(found.not_known.empty());
    CHECK(found.outcome_keys[first].plans == 1);
    CHECK(found.outcome_keys[first].vouched == Vouched::by_reader);
    trust.executor_keys = {second};
    CHECK(says(checked(story, trust).problems, first));
}

TEST_CASE("a plan's rows cannot be changed beside the log", "[cli]") {
    for (const char* change : {
             "update plans set plan_bytes = replace(plan_bytes, 'attempt', 'attempx')",
             "update plans set plan_digest = replace(plan_digest, substr(plan_digest, 1, 1), 'z')",
             "update plans set presentation = replace(presentation, 'hypothesis', 'Hypothesis')",
             "update plans set state = 'REJECTED'",
             "update plans set state_reason = 'It was nothing.'",
             "update plans set version = version + 1",
             "update plans set requester = 'os:mallory'",
             "update plans set requester_client = 'another'",
             "update plans set created_at = '2020-01-01T00:00:00.000000Z'",
             "update plans set trace_parent = ''",
             "update plans set outcome = ''",
             "update plans set outcome = replace(outcome, 'exec-1', 'exec-2')",
             "update plan_requesters set subject = 'os:mallory'",
             "delete from decisions where approver = 'alice'",
             "update decisions set signature = replace(signature, 'A', 'B')",
             "update step_runs set state = 'FAILED'",
             "update step_runs set detail = 'other'",
             "delete from step_runs",
         }) {
        INFO(change);
        Story story;
        story.run_a_plan();
        story.executor_signs();
        story.tamper(change);
        CHECK_FALSE(checked(story).problems.empty());
    }
}

TEST_CASE("a plan whose rows were taken away is missed", "[cli]") {
    Story story;
    story.run_a_plan();
    story.executor_signs();
    story.tamper("delete from step_runs");
    story.tamper("delete from decisions");
    story.tamper("delete from plan_requesters");
    story.tamper("delete from executions");
    story.tamper("delete from plans");
    CHECK(says(checked(story).problems, "the store holds no such plan"));
}

TEST_CASE("how long a waiting plan waits cannot be changed beside the log", "[cli]") {
    Story story;
    const auto id = story.proposed(1);
    story.executor_signs();
    const bool approved = GENERATE(false, true);
    if (approved)
        must(story.decide("alice", id));
    CHECK(checked(story).problems.empty());
    story.tamper("update plans set expires_at = '2999-01-01T00:00:00.000000Z'");
    CHECK(says(checked(story).problems, "expires_at"));
}

TEST_CASE("what was erased on the record accuses nobody in the store", "[cli]") {
    Story story;
    const auto id = story.run_a_plan();
    telemetry::ErasureSelection selection;
    selection.plan_digest = story.digest_of(id);
    const auto payloads = must(telemetry::select_payloads(*story.store, selection, {}));
    (void)must(telemetry::erase_payloads(
        *story.store, story.random, payloads, "os:eve", "Asked for by the person"
    ));
    story.executor_signs();
    const auto found = checked(story);
    for (const auto* list : {&found.problems, &found.not_known})
        for (const auto& sentence : *list)
            FAIL_CHECK(sentence);
    CHECK(says(found.erased, "by os:eve: Asked for by the person"));
}

} // namespace interlock::cli
