#include "tests/cli/audit_story.hpp"

#include <nlohmann/json.hpp>

namespace interlock::test {

void Story::append(const std::string& type, const std::string& actor, const base::Json& payload) {
    must(store->transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(telemetry::append_audit(
            transaction, random, {type, actor, "", base::render_json(payload)}
        ));
        return base::done;
    }));
}

namespace {

/// The span of a call, by its id.
std::string trace_of(const std::string& id) {
    const auto digest = base::hex(base::sha256(id));
    return "00-" + digest.substr(0, 32) + "-" + digest.substr(32, 16) + "-01";
}

} // namespace

void Story::begin(
    const std::string& id,
    const std::string& tool,
    const std::string& who,
    const std::string& incident
) {
    base::Json payload = {
        {"call", id},
        {"tool", tool},
        {"arguments", {{"target", "shop"}}},
        {"trace", trace_of(id)},
        {"transport", "stdio"},
        {"identity",
         {{"client", "a-client 1"},
          {"issuer", "os"},
          {"proof", "os_user"},
          {"claims", {{"team", "sre"}}},
          {"database_role", "interlock_diag"}}}};
    if (!incident.empty())
        payload["incident"] = incident;
    append("tool.begin", who, payload);
}

std::string Story::proposed(int approvals, const std::string& incident) {
    const auto call = "call_p" + std::to_string(++calls_);
    begin(call, "propose_plan", "os:requester", incident);
    approval::Submission submission;
    submission.plan = plan_to_approve(approvals);
    submission.presentation.title = "A title";
    submission.presentation.hypothesis = "A hypothesis";
    submission.presentation.incident = incident;
    submission.requester = agent_of("requester");
    submission.trace_parent = trace_of(call);
    submission.tool = "propose_plan";
    const auto id = must(queue.submit(submission)).id;
    append(
        "tool.end", "os:requester", {{"call", call}, {"tool", "propose_plan"}, {"outcome", "ok"}}
    );
    return id;
}

void Story::end(const std::string& id, const std::string& tool, const std::string& outcome) {
    append("tool.end", "os:agent", {{"call", id}, {"tool", tool}, {"outcome", outcome}});
}

std::string Story::outcome(const std::string& id, long long fence) {
    base::Json document = {
        {"plan_id", id},
        {"plan_digest", digest_of(id)},
        {"fence", fence},
        {"state", "SUCCEEDED"},
        {"steps",
         {{{"index", 0}, {"direction", "forward"}, {"state", "DONE"}, {"known_by", "commit"}}}},
        {"executor", {{"name", "exec-1"}, {"public_key", base::base64(executor_key.public_key)}}}};
    document["signature"] = base::base64(base::sign(
        executor_key,
        base::pre_authentication_encoding(
            "application/vnd.interlock.outcome.v1+json", base::render_json(document)
        )
    ));
    return base::render_json(document);
}

} // namespace interlock::test

TEST_CASE("the story's log holds its calls and its plan", "[cli]") {
    interlock::test::Story story;
    const auto before = story.leaves();
    const auto id = story.run_a_plan();
    CHECK(story.leaves() > before);
    CHECK(story.digest_of(id).size() == 64);
}
