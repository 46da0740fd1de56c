#include "approval/decision.hpp"
#include "tests/approval/fixture.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

namespace {

DecisionStatement sample_statement() {
    DecisionStatement statement;
    statement.plan_id = "plan_abcdefghijklmnopqrstuvwxyz";
    statement.plan_digest = std::string(64, 'a');
    statement.presentation_digest = std::string(64, 'b');
    statement.verdict = DecisionVerdict::approve;
    statement.approver = "alice@example.com";
    statement.nonce = "nonce_abcdefghijklmnop";
    statement.decided_at = "2026-11-21T03:00:00.000000Z";
    statement.log_checkpoint = "7:" + std::string(64, 'c');
    return statement;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("a statement's bytes are canonical and read back") {
    DecisionStatement statement = sample_statement();
    statement.reason = "Gr\u00fcn \u2013 \"ja\"\n";
    const std::string bytes = decision_bytes(statement);
    CHECK(
        bytes ==
        R"({"approver":"alice@example.com","decided_at":"2026-11-21T03:00:00.000000Z",)"
        R"("log_checkpoint":"7:)" +
            std::string(64, 'c') +
            R"(","nonce":"nonce_abcdefghijklmnop",)"
            R"("plan_digest":")" +
            std::string(64, 'a') +
            R"(","plan_id":"plan_abcdefghijklmnopqrstuvwxyz","presentation_digest":")" +
            std::string(64, 'b') +
            R"(","reason":"Gr\u00fcn \u2013 \"ja\"\n","schema_version":1,"verdict":"approve"})"
    );
    const auto read = parse_decision(bytes);
    REQUIRE(read.ok());
    CHECK(read->reason == statement.reason);
    CHECK(read->approver == statement.approver);
    CHECK(read->log_checkpoint == statement.log_checkpoint);
    CHECK(decision_bytes(*read) == bytes);
}

TEST_CASE("bytes that are not exactly a statement are refused") {
    const std::string good = decision_bytes(sample_statement());
    const std::vector<std::string> bad{
        "",
        "null",
        "[]",
        "{}",
        good + " ",
        good + "\n",
        " " + good,
        replaced(good, "\"verdict\":\"approve\"", "\"verdict\":\"maybe\""),
        replaced(good, "\"verdict\":\"approve\"", "\"verdict\":1"),
        replaced(good, ",\"verdict\":\"approve\"", ""),
        replaced(good, "\"schema_version\":1", "\"schema_version\":2"),
        replaced(good, "\"schema_version\":1", "\"schema_version\":1.0"),
        replaced(good, "{\"approver\"", "{\"also\":1,\"approver\""),
        replaced(good, "\"reason\":\"\"", "\"reason\":null"),
        replaced(good, "alice", "\\u0061lice"),
        replaced(good, "\"verdict\":\"approve\"", "\"verdict\":\"approve\",\"verdict\":\"reject\""),
        good.substr(0, good.size() - 1),
        std::string(1 << 20, ' ') + good,
    };
    for (const auto& bytes : bad) {
        INFO(bytes.substr(0, 300));
        CHECK(test::fails(parse_decision(bytes), base::Errc::invalid_input));
    }
}

TEST_CASE("members in a form that nobody of ours writes are refused") {
    using Change = std::function<void(DecisionStatement&)>;
    const std::vector<std::pair<std::string, Change>> changes{
        {"empty plan id", [](auto& s) { s.plan_id = ""; }},
        {"plan id with a slash", [](auto& s) { s.plan_id = "../plan"; }},
        {"upper-case digest", [](auto& s) { s.plan_digest = std::string(64, 'A'); }},
        {"short digest", [](auto& s) { s.plan_digest = "aa"; }},
        {"short presentation digest", [](auto& s) { s.presentation_digest = ""; }},
        {"no approver", [](auto& s) { s.approver = ""; }},
        {"approver as an option", [](auto& s) { s.approver = "-Overify-time=20200101"; }},
        {"approver as a pattern", [](auto& s) { s.approver = "*"; }},
        {"approver as a pattern", [](auto& s) { s.approver = "alic?"; }},
        {"approver negated", [](auto& s) { s.approver = "!alice"; }},
        {"two approvers", [](auto& s) { s.approver = "alice,bob"; }},
        {"approver with a new line", [](auto& s) { s.approver = "alice\nbob"; }},
        {"approver with a space", [](auto& s) { s.approver = "alice bob"; }},
        {"approver with a NUL", [](auto& s) { s.approver = std::string("alice\0", 6); }},
        {"approver with a look-alike", [](auto& s) { s.approver = "\u0430lice"; }},
        {"approver without an end", [](auto& s) { s.approver = std::string(129, 'a'); }},
        {"short nonce", [](auto& s) { s.nonce = "abc"; }},
        {"long nonce", [](auto& s) { s.nonce = std::string(65, 'a'); }},
        {"nonce with a quote", [](auto& s) { s.nonce = "aaaaaaaaaaaaaaaa'"; }},
        {"no time", [](auto& s) { s.decided_at = "yesterday"; }},
        {"no log position", [](auto& s) { s.log_checkpoint = ""; }},
        {"a log position without a root", [](auto& s) { s.log_checkpoint = "7:"; }},
        {"a log position without an end",
         [](auto& s) { s.log_checkpoint = std::string(19, '9') + ":" + std::string(64, 'c'); }},
        {"reason without an end", [](auto& s) { s.reason = std::string(2001, 'x'); }},
        {"reject without a reason", [](auto& s) { s.verdict = DecisionVerdict::reject; }},
        {"revoke without a reason",
         [](auto& s) {
             s.verdict = DecisionVerdict::revoke;
             s.reason = " \n";
         }},
    };
    for (const auto& [about, change] : changes) {
        INFO(about);
        DecisionStatement statement = sample_statement();
        change(statement);
        CHECK(test::fails(parse_decision(decision_bytes(statement)), base::Errc::invalid_input));
        CHECK(test::fails(
            sign_decision(statement, test::KeyRing::shared().key("alice")),
            base::Errc::invalid_input
        ));
    }
}

TEST_CASE("subjects of one person are the same however they are written") {
    ApproverKeys keys;
    keys.people = {
        {"alice", "alice@example.com", "os:alice"},
        {"alice@example.com", "al"},
        {"bob", "os:robert"},
    };
    CHECK(same_person(keys, "alice", "alice"));
    CHECK(same_person(keys, "os:alice", "alice"));
    CHECK(same_person(keys, "ALICE@Example.Com", "os:alice"));
    CHECK(same_person(keys, "al", "OS:Alice")); // through two groups
    CHECK(same_person(keys, "robert", "bob"));
    CHECK_FALSE(same_person(keys, "alice", "bob"));
    CHECK_FALSE(same_person(keys, "carol", "dave"));
    CHECK(same_person(keys, "os:carol", "carol"));
    CHECK(person(keys, "al") == person(keys, "os:alice"));
    CHECK(person(keys, "al") != person(keys, "bob"));
}

TEST_CASE("what cannot be undone takes two people with keys whatever the plan asks") {
    runbooks::Plan plan = test::sample_plan();
    plan.needs = {1, runbooks::Assurance::chat};
    CHECK(required_approvals(plan).approvals == 1);
    CHECK(required_approvals(plan).assurance == runbooks::Assurance::chat);
    plan.reversibility = runbooks::Reversibility::irreversible;
    CHECK(required_approvals(plan).approvals == 2);
    CHECK(required_approvals(plan).assurance == runbooks::Assurance::ssh_key);
    plan.needs = {3, runbooks::Assurance::hardware_key};
    CHECK(required_approvals(plan).approvals == 3);
    CHECK(required_approvals(plan).assurance == runbooks::Assurance::hardware_key);
    plan.needs.approvals = 0;
    plan.reversibility = runbooks::Reversibility::exact;
    CHECK(required_approvals(plan).approvals == 1);
}

} // namespace interlock::approval
