#include "server/plan_view.hpp"

#include "base/text.hpp"
#include "runbooks/plan.hpp"
#include "telemetry/redaction.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;

constexpr std::size_t id_letters = 26; // 128 bits in base32 (base/ids.hpp)

Error no_such_plan(const std::string& plan_id) {
    return {
        Errc::not_found,
        "There is no plan " + base::cut_middle(base::sanitize(plan_id), 64) + " of yours.",
        "Use the plan_id that propose_plan returned."};
}

Json decisions_json(const std::vector<approval::StoredDecision>& decisions) {
    Json list = Json::array();
    for (const approval::StoredDecision& decision : decisions) {
        list.push_back(
            {{"verdict", approval::name(decision.statement.verdict)},
             {"approver", base::sanitize(decision.statement.approver)},
             {"assurance", decision.assurance},
             {"reason", telemetry::safe_text(decision.statement.reason)},
             {"recorded_at", decision.recorded_at}}
        );
    }
    return list;
}

/// Every text of a report: a target's messages are in it.
void redact_texts(Json& value) {
    if (value.is_string()) {
        value = telemetry::safe_text(value.get_ref<const std::string&>());
    } else if (value.is_structured()) {
        for (Json& item : value) {
            redact_texts(item);
        }
    }
}

/// What the executor reported, made harmless; null before it did.
Json outcome_json(const std::string& outcome) {
    auto parsed = base::parse_json(base::sanitize(outcome));
    if (!parsed || !parsed.value().is_object()) {
        return {};
    }
    redact_texts(parsed.value());
    return std::move(parsed).value();
}

} // namespace

const std::string_view needs_schema =
    R"({"type":"object","properties":{"approvals":{"type":"integer"},)"
    R"("assurance":{"type":"string"}},"required":["approvals","assurance"],)"
    R"("additionalProperties":false})";

Json needs_json(const runbooks::Requirement& needs) {
    return {{"approvals", needs.approvals}, {"assurance", runbooks::name(needs.assurance)}};
}

std::string plan_url(const std::string& desk_url, const std::string& plan_id) {
    const bool slash = !desk_url.empty() && desk_url.back() == '/';
    return desk_url.empty() ? desk_url : desk_url + (slash ? "plans/" : "/plans/") + plan_id;
}

bool is_id(std::string_view text, std::string_view prefix) {
    return text.size() == prefix.size() + 1 + id_letters && text.starts_with(prefix) &&
           text[prefix.size()] == '_' &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", prefix.size() + 1) ==
               std::string_view::npos;
}

Result<approval::StoredPlan>
own_plan(approval::Queue& queue, const std::string& plan_id, const std::string& subject) {
    if (!is_id(plan_id, "plan")) {
        return no_such_plan(plan_id);
    }
    auto plan = queue.get(plan_id);
    if (!plan && plan.error().code != Errc::not_found) {
        return plan.error();
    }
    if (!plan) {
        return no_such_plan(plan_id);
    }
    const auto& asked = plan.value().requesters;
    const bool own = plan.value().requester == subject ||
                     std::find(asked.begin(), asked.end(), subject) != asked.end();
    if (!own) {
        return no_such_plan(plan_id);
    }
    return plan;
}

std::string plan_view_schema() {
    return tools::output_schema_of(
        R"({"plan_id":{"type":"string"},"state":{"type":"string"},)"
        R"("state_reason":{"type":"string"},"digest":{"type":"string"},)"
        R"("runbook":{"type":"string"},"target":{"type":"string"},"risk":{"type":"string"},)"
        R"("needs":)" +
            std::string(needs_schema) +
            R"(,"decisions":{"type":"array","items":{"type":"object"}},)"
            R"("created_at":{"type":"string"},"expires_at":{"type":"string"},)"
            R"("outcome":{"anyOf":[{"type":"object"},{"type":"null"}]},"script":{"type":"string"},)"
            R"("desk_url":{"type":"string"}})",
        {"plan_id",
         "state",
         "digest",
         "runbook",
         "target",
         "risk",
         "needs",
         "decisions",
         "created_at",
         "expires_at",
         "outcome",
         "script"}
    );
}

Result<PlanView> view_plan(const approval::StoredPlan& stored, const std::string& desk_url) {
    const std::string digest = base::hex(runbooks::plan_digest(stored.bytes));
    if (digest != stored.digest) {
        return Error{
            Errc::changed,
            "The stored bytes of plan " + stored.id + " are not those that were submitted.",
            "Tell the operator: the queue was altered; run `interlock audit verify`."};
    }
    INTERLOCK_TRY(const auto plan, runbooks::parse_plan(stored.bytes));
    const std::string state = approval::name(stored.state);
    const std::string script = runbooks::render_plan(plan, digest);
    const std::string reason = telemetry::safe_text(stored.state_reason);
    Json structured{
        {"plan_id", stored.id},
        {"state", state},
        {"state_reason", reason},
        {"digest", digest},
        {"runbook", plan.runbook},
        {"target", plan.target.target},
        {"risk", plan.risk},
        {"needs", needs_json(plan.needs)},
        {"decisions", decisions_json(stored.decisions)},
        {"created_at", stored.created_at},
        {"expires_at", stored.expires_at},
        {"outcome", outcome_json(stored.outcome)},
        {"script", script}};
    std::string text = "Plan " + stored.id + " is " + state +
                       (reason.empty() ? std::string(".") : ": " + reason) +
                       "\nexpires: " + stored.expires_at +
                       "\ndecisions: " + std::to_string(stored.decisions.size()) + "\n";
    if (const std::string url = plan_url(desk_url, stored.id); !url.empty()) {
        structured["desk_url"] = url;
        text += "people decide at: " + url + "\n";
    }
    return PlanView{base::render_json(structured), text + "\n" + script};
}

} // namespace interlock::server
