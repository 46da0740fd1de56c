#include "executor/gate.hpp"

#include "base/digest.hpp"
#include "runbooks/conformance.hpp"
#include "runbooks/policy.hpp"

namespace interlock::executor {

namespace {

base::Error refusal(std::string why) {
    return {
        base::Errc::refused,
        "The approval is void: " + std::move(why),
        "Propose the plan again under the policy in force and have it approved anew."};
}

} // namespace

base::Status check_policy(const runbooks::Plan& plan, const Library& library) {
    const auto found = library.find(plan.runbook);
    if (found == library.end()) {
        return refusal("runbook " + plan.runbook + " is not in this executor's library.");
    }
    const auto& contract = found->second;
    if (contract.version != plan.runbook_version ||
        !base::equal(contract.digest, plan.runbook_digest)) {
        return refusal("runbook " + plan.runbook + " has changed since the plan was made.");
    }
    if (!base::equal(runbooks::policy_digest(contract), plan.policy_digest)) {
        return refusal("the policy has changed since the plan was judged.");
    }
    const auto verdict = runbooks::judge(plan, contract);
    if (!verdict.allowed) {
        std::string reasons;
        for (const auto& reason : verdict.reasons) {
            reasons += (reasons.empty() ? "" : " ") + reason;
        }
        return refusal("the policy denies the plan. " + reasons);
    }
    if (plan.needs.approvals < verdict.needs.approvals ||
        plan.needs.assurance < verdict.needs.assurance) {
        return refusal("the policy asks for more or stronger approvals than the plan does.");
    }
    if (const auto conforms = runbooks::check_conformance(plan, contract); !conforms) {
        return refusal(conforms.error().what);
    }
    return base::done;
}

} // namespace interlock::executor
