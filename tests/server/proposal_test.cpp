#include "server/proposal.hpp"
#include "tests/server/offer_bench.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace {

using interlock::server::objections;
using interlock::server::ProposedWith;
using interlock::test::OfferBench;

const interlock::runbooks::Contract& contract() {
    return interlock::runbooks::library().at("release-blocking-session");
}

/// Its id.
std::string store(
    OfferBench& bench,
    const std::string& subject,
    const std::string& tool,
    const std::string& target,
    const std::string& body
) {
    interlock::tools::StoredEvidence record{
        {}, subject, tool, target, "2026-11-21T03:00:00Z", body};
    record.id = interlock::tools::evidence_id(record);
    const auto kept = bench.evidence->put(record);
    INFO((kept ? std::string() : interlock::base::to_text(kept.error())));
    REQUIRE(kept.ok());
    return record.id;
}

interlock::telemetry::Identity tester() {
    interlock::telemetry::Identity identity;
    identity.subject = "os:tester";
    return identity;
}

std::vector<std::string> against(OfferBench& bench, const ProposedWith& proposed) {
    return objections(bench.context, tester(), contract(), proposed);
}

bool says(const std::vector<std::string>& reasons, const std::string& part) {
    return std::any_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
        return reason.find(part) != std::string::npos;
    });
}

} // namespace

TEST_CASE("a diagnosis of one's own that names the cause speaks against nothing", "[server]") {
    OfferBench bench;
    const auto first_id =
        store(bench, "os:tester", "diagnose", "shop", R"({"causes":[{"id":"lock.idle_in_tx"}]})");
    CHECK(against(bench, {"lock.idle_in_tx", "shop", {first_id}}).empty());
}

TEST_CASE("every reason against a proposal is told at once", "[server]") {
    OfferBench bench;
    const auto first_id = store(bench, "os:somebody", "diagnose", "shop", R"({"causes":[]})");
    const auto second_id = store(bench, "os:tester", "get_activity", "other", "{}");
    const auto reasons =
        against(bench, {"query.runaway", "shop", {first_id, second_id, "ev_unknown"}});
    CHECK(says(reasons, "is not for cause query.runaway"));
    CHECK(says(reasons, "evidence " + first_id + " does not exist, or is not yours"));
    CHECK(says(reasons, "evidence " + second_id + " is about another target"));
    CHECK(says(reasons, "evidence ev_unknown does not exist"));
    CHECK(says(reasons, "evidence of diagnose must be cited"));
    CHECK(reasons.size() == 5);
}

TEST_CASE("a diagnosis that does not name the cause does not carry a plan for it", "[server]") {
    OfferBench bench;
    const auto first_id = store(
        bench,
        "os:tester",
        "diagnose",
        "shop",
        R"({"causes":[{"id":"lock.active_blocker"}],"note":"lock.idle_in_tx"})"
    );
    const auto reasons = against(bench, {"lock.idle_in_tx", "shop", {first_id}});
    REQUIRE(reasons.size() == 1);
    CHECK(says(reasons, "does not name cause lock.idle_in_tx"));
}

TEST_CASE("a hostile cause or id is shown harmless", "[server]") {
    OfferBench bench;
    const auto reasons = against(bench, {"lock\x1b[31m", "shop", {"../../etc/passwd\n"}});
    for (const std::string& reason : reasons) {
        CHECK(reason.find('\x1b') == std::string::npos);
        CHECK(reason.find('\n') == std::string::npos);
    }
}
