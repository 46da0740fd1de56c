#include "base/limits.hpp"
#include "runbooks/plan.hpp"
#include "tests/runbooks/samples.hpp"

#include <set>

#include <catch2/catch.hpp>

namespace interlock {
namespace {

using runbooks::parse_plan;
using runbooks::plan_bytes;
using runbooks::plan_digest;
using test::sample_plan;

std::string digest_of(const runbooks::Plan& plan) {
    return base::hex(plan_digest(plan_bytes(plan)));
}

std::string with(std::string bytes, const std::string& what, const std::string& instead) {
    const auto at = bytes.find(what);
    REQUIRE(at != std::string::npos);
    return bytes.replace(at, what.size(), instead);
}

} // namespace

TEST_CASE("a plan's bytes are sorted, compact ASCII and its digest is pinned", "[runbooks]") {
    runbooks::Plan plan;
    plan.runbook = "r";
    plan.target = {"t", "1", "d\u00e9\U0001F600", 1, false, 15};
    const auto bytes = plan_bytes(plan);
    CHECK(
        bytes ==
        R"({"approval_lifetime_s":0,"attempt":1,"lease_key":"","needs":{"approvals":1,)"
        R"("assurance":"ssh_key"},"pending_lifetime_s":0,"policy_digest":"","policy_verdict":"",)"
        R"("preconditions":[],"reversibility":"irreversible","risk":"","runbook":"r",)"
        R"("runbook_digest":"","runbook_version":1,"schema_version":1,"steps":[],)"
        R"("target":{"database":"d\u00e9\ud83d\ude00","in_recovery":false,"server_major":15,)"
        R"("system_identifier":"1","target":"t","timeline":1},"verification":{"deadline_ms":60000,)"
        R"("guardrails":[],"hold_ms":10000,"interval_ms":1000,"recovery":[]}})"
    );
    // sha256 over "DSSEv1 38 application/vnd.interlock.plan.v1+json 538 " and these bytes,
    // computed with another implementation.
    CHECK(digest_of(plan) == "fe96d91df15fa185ce2be6fdf00dce039f108d35802e166d7a08f1e61d1bb3c9");
}

TEST_CASE("a plan reads back as it was written", "[runbooks]") {
    const auto bytes = plan_bytes(sample_plan());
    const auto parsed = parse_plan(bytes);
    REQUIRE(parsed.ok());
    CHECK(plan_bytes(*parsed) == bytes);
    CHECK(parsed->steps.at(0).probe->expected == "7");
    CHECK(parsed->needs.assurance == runbooks::Assurance::ssh_key);
}

TEST_CASE("every single change of a plan changes its digest", "[runbooks]") {
    std::set<std::string> digests{digest_of(sample_plan())};
    for (const auto& [name, change] : test::plan_changes()) {
        auto plan = sample_plan();
        change(plan);
        INFO(name);
        CHECK(digests.insert(digest_of(plan)).second);
        const auto parsed = parse_plan(plan_bytes(plan));
        REQUIRE(parsed.ok());
        CHECK(digest_of(*parsed) == digest_of(plan));
    }
    CHECK(digests.size() > 80);
}

TEST_CASE("every single changed byte of a plan is refused or changes its digest", "[runbooks]") {
    const auto bytes = plan_bytes(sample_plan());
    const auto digest = plan_digest(bytes);
    constexpr std::string_view replacements = "0x\" ";
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto changed = bytes;
        changed[at] = replacements[at % replacements.size()];
        if (changed == bytes) {
            continue;
        }
        CHECK(plan_digest(changed) != digest);
        const auto parsed = parse_plan(changed);
        CHECK((!parsed.ok() || plan_bytes(*parsed) == changed));
    }
}

TEST_CASE("text that looks like a plan but is not canonical is refused", "[runbooks]") {
    const auto bytes = plan_bytes(sample_plan());
    const std::vector<std::pair<std::string, std::string>> changed{
        {"a space", with(bytes, R"("attempt":1)", R"("attempt": 1)")},
        {"a trailing newline", bytes + "\n"},
        {"an unknown member", with(bytes, R"("attempt":1)", R"("attempt":1,"extra":1)")},
        {"an unknown member of a step", with(bytes, R"("class":)", R"("clasp":"x","class":)")},
        {"another escape", with(bytes, "main", "\\u006dain")},
        {"another order", with(with(bytes, R"("attempt":1,)", ""), "{", R"({"attempt":1,)")},
        {"null for nothing", with(bytes, R"("value":"4242")", R"("value":"4242","x":null)")},
    };
    for (const auto& [name, text] : changed) {
        INFO(name);
        const auto parsed = parse_plan(text);
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().code == base::Errc::changed);
    }
}

TEST_CASE("a plan with missing, mistyped or impossible members is refused by name", "[runbooks]") {
    const auto bytes = plan_bytes(sample_plan());
    const std::vector<std::array<std::string, 3>> broken{
        {R"("attempt":1,)", "", "/attempt"},
        {R"("attempt":1)", R"("attempt":"1")", "/attempt"},
        {R"("attempt":1)", R"("attempt":0)", "/attempt"},
        {R"("attempt":1)", R"("attempt":1.0)", "/attempt"},
        {R"("attempt":1)", R"("attempt":18446744073709551615)", "/attempt"},
        {R"("schema_version":1)", R"("schema_version":2)", "/schema_version"},
        {R"("comparison":"at_most")", R"("comparison":"like")", "/comparison"},
        {R"("expected":"7")", R"("expected":"seven")", "/expected"},
        {R"("expected":"7")", R"("expected":7)", "/expected"},
        {R"("class":"readback")", R"("class":"magic")", "/class"},
        {R"("exists":true)", R"("exists":false)", "/statement"},
        {R"("assurance":"ssh_key")", R"("assurance":"trust_me")", "/assurance"},
        {R"("approvals":2)", R"("approvals":0)", "/approvals"},
        {R"("reversibility":"compensating")", R"("reversibility":"yes")", "/reversibility"},
        {R"("in_recovery":false)", R"("in_recovery":"false")", "/in_recovery"},
        {R"("parameters":[{)", R"("parameters":[1,{)", "/parameters/0"},
        {R"("lock_timeout_ms":500)", R"("lock_timeout_ms":-1)", "/lock_timeout_ms"},
    };
    for (const auto& [what, instead, path] : broken) {
        INFO(what << " -> " << instead);
        const auto parsed = parse_plan(with(bytes, what, instead));
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().code == base::Errc::invalid_input);
        CHECK(parsed.error().what.find(path) != std::string::npos);
    }
}

TEST_CASE("what is no JSON object or too long is no plan", "[runbooks]") {
    for (const std::string text : {"", "null", "[]", "{}", "{\"a\":1,\"a\":1}", "\"plan\""}) {
        CHECK_FALSE(parse_plan(text).ok());
    }
    auto plan = sample_plan();
    plan.steps[0].about.assign(base::limits::plan_bytes_max, 'x');
    const auto parsed = parse_plan(plan_bytes(plan));
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == base::Errc::limit_exceeded);
}

TEST_CASE("bytes that are not UTF-8 still render to one canonical plan", "[runbooks]") {
    auto plan = sample_plan();
    plan.steps[0].about = "bad \xff byte";
    const auto bytes = plan_bytes(plan);
    CHECK(bytes.find("bad \\ufffd byte") != std::string::npos);
    CHECK(parse_plan(bytes).ok());
}

} // namespace interlock
