#include "approval/desk/plan_view.hpp"

#include "base/digest.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::desk {

namespace {

using base::Json;

Json summary(const PlanView& view) {
    const approval::StoredPlan& stored = view.stored;
    Json out{
        {"id", stored.id},
        {"state", approval::name(stored.state)},
        {"state_reason", stored.state_reason},
        {"digest", view.digest},
        {"intact", view.intact},
        {"requester", stored.requester},
        {"created_at", stored.created_at},
        {"expires_at", stored.expires_at},
        {"approvals", view.approvals},
    };
    if (view.plan) {
        const auto needs = approval::required_approvals(*view.plan);
        out["runbook"] = view.plan->runbook;
        out["target"] = view.plan->target.target;
        out["risk"] = view.plan->risk;
        out["needs"] = {
            {"approvals", needs.approvals}, {"assurance", runbooks::name(needs.assurance)}};
    }
    return out;
}

Json decision_json(const approval::StoredDecision& decision) {
    return {
        {"approver", decision.statement.approver},
        {"verdict", approval::name(decision.statement.verdict)},
        {"reason", decision.statement.reason},
        {"assurance", decision.assurance},
        {"key_fingerprint", decision.key_fingerprint},
        {"recorded_at", decision.recorded_at},
        {"statement", decision.signed_decision.statement},
        {"signature", decision.signed_decision.signature},
    };
}

} // namespace

std::string safe_json(const base::Json& document) {
    std::string text;
    for (const char c : document.dump(-1, ' ', true, Json::error_handler_t::replace)) {
        // These stand only inside strings, where the escape means the same.
        switch (c) {
        case '<':
            text += "\\u003c";
            break;
        case '>':
            text += "\\u003e";
            break;
        case '&':
            text += "\\u0026";
            break;
        default:
            text += c;
        }
    }
    return text;
}

PlanView view_of(approval::StoredPlan stored) {
    PlanView view;
    view.digest = base::hex(runbooks::plan_digest(stored.bytes));
    view.intact = base::equal(view.digest, stored.digest);
    if (auto plan = runbooks::parse_plan(stored.bytes); plan.ok()) {
        view.rendered = runbooks::render_plan(*plan, view.digest);
        view.plan = std::move(plan).value();
    }
    if (auto presentation = runbooks::parse_presentation(stored.presentation); presentation.ok())
        view.presentation = std::move(presentation).value();
    view.approvals = static_cast<int>(std::count_if(
        stored.decisions.begin(),
        stored.decisions.end(),
        [](const auto& each) {
            return each.statement.verdict == approval::DecisionVerdict::approve;
        }
    ));
    view.stored = std::move(stored);
    return view;
}

std::string list_json(const std::vector<PlanView>& plans) {
    Json list = Json::array();
    for (const auto& plan : plans)
        list.push_back(summary(plan));
    return safe_json({{"plans", std::move(list)}});
}

std::string plan_json(const PlanView& view) {
    Json out = summary(view);
    out["plan_bytes"] = view.stored.bytes;
    out["script"] = view.rendered;
    out["blast_radius"] = view.presentation.blast_radius;
    out["requesters"] = view.stored.requesters;
    out["requester_client"] = view.stored.requester_client;
    out["agent_words"] = {
        {"title", view.presentation.title},
        {"hypothesis", view.presentation.hypothesis},
        {"evidence", view.presentation.evidence},
        {"incident", view.presentation.incident},
    };
    out["presentation_digest"] = approval::presentation_digest(view.stored.presentation);
    out["decisions"] = Json::array();
    for (const auto& decision : view.stored.decisions)
        out["decisions"].push_back(decision_json(decision));
    out["outcome"] = view.stored.outcome;
    return safe_json(out);
}

std::string error_json(const base::Error& error) {
    return safe_json(
        {{"error",
          {{"code", base::name(error.code)}, {"what", error.what}, {"remedy", error.remedy}}}}
    );
}

} // namespace interlock::desk
