#include "cli/plan_evidence.hpp"
#include "tests/cli/audit_story.hpp"
#include "tools/open_evidence.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// A plan that cites what was kept for who asked, what was kept for somebody else, and what is
/// kept no more.
struct Citing : test::Story {
    std::string own = kept("requester");
    std::string foreign = kept("somebody");
    const std::string gone = "ev_" + std::string(26, 'a');
    PlansOptions options;

    Citing() {
        approval::Submission submission;
        submission.plan = test::plan_to_approve(1);
        submission.presentation.title = "A title";
        submission.presentation.hypothesis = "A hypothesis";
        submission.presentation.evidence = {own, foreign, gone};
        submission.requester = test::agent_of("requester");
        options.state_directory = state;
        options.plan_id = test::must(queue.submit(submission)).id;
    }
    std::string kept(const std::string& who) {
        base::SystemClock now; // the command's own, which decides what has lapsed
        const auto evidence = test::must(tools::open_evidence(base::StateDirectory{state}, now));
        tools::StoredEvidence record{
            {},
            test::agent_of(who).subject,
            "get_blocking",
            "shop",
            base::format_time(now.now()),
            R"({"summary":"Of )" + who + R"(\u001b[2J."})"};
        record.id = tools::evidence_id(record);
        test::must(evidence->put(record));
        return record.id;
    }
    std::pair<Exit, std::string> shown() {
        return test::printed([&] { return show_plan_evidence(options); });
    }
};

} // namespace

TEST_CASE("who decides on a plan reads what it cites, and nothing else", "[cli]") {
    Citing plan;
    auto [exit, text] = plan.shown();
    CHECK(exit == Exit::ok);
    CHECK_THAT(text, Catch::Contains(plan.own + "  2") && Catch::Contains("get_blocking  shop"));
    CHECK_THAT(text, Catch::Contains(plan.gone + "  The evidence " + plan.gone));
    plan.options.evidence_id = plan.own;
    std::tie(exit, text) = plan.shown();
    CHECK(exit == Exit::ok);
    const auto packet = base::parse_json(text);
    REQUIRE(packet.ok());
    CHECK((*packet)["body"]["summary"] == "Of requester\x1b[2J.");
    CHECK(text.find('\x1b') == std::string::npos);
    // Cited by the plan, but kept for somebody who did not ask for it.
    plan.options.evidence_id = plan.foreign;
    CHECK(plan.shown().first == Exit::not_found);
    plan.options.evidence_id = plan.kept("requester 2");
    CHECK(plan.shown().first == Exit::not_found); // not cited
    plan.options.plan_id = "plan_" + std::string(26, 'a');
    CHECK(plan.shown().first == Exit::not_found);
}

TEST_CASE("a plan's evidence is listed for programs, too", "[cli]") {
    Citing plan;
    plan.options.json = true;
    const auto document = base::parse_json(plan.shown().second);
    REQUIRE(document.ok());
    const auto& listed = (*document)["evidence"];
    REQUIRE(listed.size() == 3);
    CHECK(listed[0]["kept"] == true);
    CHECK(listed[0]["bytes"] > 0);
    CHECK(listed[1]["kept"] == false);
    CHECK(listed[2]["kept"] == false);
}

} // namespace interlock::cli
