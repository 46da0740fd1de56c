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

void Story::begin(const std::string& id, const std::string& tool, const std::string& who) {
    append(
        "tool.begin",
        who,
        {{"call", id},
         {"tool", tool},
         {"arguments", {{"target", "shop"}}},
         {"identity", {{"client", "a-client 1"}, {"database_role", "interlock_diag"}}}}
    );
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
