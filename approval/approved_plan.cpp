#include "approval/approved_plan.hpp"

#include "base/digest.hpp"

#include <algorithm>

namespace interlock::approval {

namespace {

base::Error changed(std::string what) {
    return base::Error{
        base::Errc::changed,
        std::move(what),
        "Do not run it. Verify the audit log and find out who changed the queue."};
}

base::Error not_approved(std::string what, std::string remedy) {
    return base::Error{base::Errc::refused, std::move(what), std::move(remedy)};
}

base::Status check_statement(
    const StoredPlan& stored, const std::string& digest, const DecisionStatement& statement
) {
    if (statement.verdict != DecisionVerdict::approve)
        return not_approved(
            statement.approver + " decided to " + name(statement.verdict) + " plan " + stored.id +
                ".",
            "Propose a new plan."
        );
    if (statement.plan_id != stored.id || !base::equal(statement.plan_digest, digest))
        return changed(
            "The approval by " + statement.approver + " is for other bytes than those of plan " +
            stored.id + "."
        );
    if (!base::equal(statement.presentation_digest, presentation_digest(stored.presentation)))
        return changed(
            statement.approver + " approved plan " + stored.id + " beside another presentation."
        );
    return base::done;
}

bool is_requester(const StoredPlan& stored, const ApproverKeys& keys, const std::string& approver) {
    return same_person(keys, stored.requester, approver) ||
           std::any_of(
               stored.requesters.begin(),
               stored.requesters.end(),
               [&](const std::string& each) { return same_person(keys, each, approver); }
           );
}

/// Approvals by distinct people with distinct keys, none of whom asked for the plan.
struct Tally {
    int counted = 0;
    base::Time latest{};     // when the last of them was decided, by its approver's clock
    std::string not_counted; // why the others do not count, for people
};

base::Result<Tally> tally(
    const StoredPlan& stored,
    const std::vector<VerifiedDecision>& approvals,
    const ApproverKeys& keys,
    runbooks::Assurance assurance,
    base::Time now
) {
    Tally result;
    std::vector<const VerifiedDecision*> accepted;
    for (const auto& approval : approvals) {
        INTERLOCK_TRY(const base::Time at, decided_at(approval.statement, now));
        const std::string& approver = approval.statement.approver;
        const bool again = std::any_of(accepted.begin(), accepted.end(), [&](const auto* each) {
            return same_person(keys, each->statement.approver, approver) ||
                   each->key_fingerprint == approval.key_fingerprint ||
                   each->statement.nonce == approval.statement.nonce;
        });
        if (is_requester(stored, keys, approver))
            result.not_counted += " " + approver + " requested it.";
        else if (again)
            result.not_counted += " " + approver + " counts once.";
        else if (approval.assurance < assurance)
            result.not_counted += " " + approver + "'s approval is only " +
                                  runbooks::name(approval.assurance) + ", it needs " +
                                  runbooks::name(assurance) + ".";
        else {
            accepted.push_back(&approval);
            result.latest = std::max(result.latest, at);
        }
    }
    result.counted = static_cast<int>(accepted.size());
    return result;
}

/// The store's own expires_at is no evidence: whoever can write it can give a dead approval life.
base::Status check_alive(
    const StoredPlan& stored, const runbooks::Plan& plan, base::Time latest, base::Time now
) {
    const base::Time end = latest + approval_lifetime(plan);
    const bool runs = is_running(stored.state);
    if (now <= (runs ? end + resumption_max : end))
        return base::done;
    return base::Error{
        base::Errc::expired,
        "The approval of plan " + stored.id + " was signed at " + base::format_time(latest) +
            " by the approver's clock and ended at " + base::format_time(end) +
            "; the clock here says " + base::format_time(now) + ".",
        runs ? "A person must find out how far it came." : "Propose it again if it is needed."};
}

} // namespace

base::Result<ApprovedPlan>
verify_approvals(const StoredPlan& stored, const ApproverKeys& keys, base::Time now) {
    const std::string digest = base::hex(runbooks::plan_digest(stored.bytes));
    if (!base::equal(digest, stored.digest))
        return changed("The stored bytes of plan " + stored.id + " are not those submitted.");
    INTERLOCK_TRY(runbooks::Plan plan, runbooks::parse_plan(stored.bytes));

    std::vector<VerifiedDecision> approvals;
    for (const auto& decision : stored.decisions) {
        INTERLOCK_TRY(
            VerifiedDecision verified, verify_decision(decision.signed_decision, keys, now)
        );
        INTERLOCK_CHECK(check_statement(stored, digest, verified.statement));
        approvals.push_back(std::move(verified));
    }
    const runbooks::Requirement needs = required_approvals(plan);
    INTERLOCK_TRY(const Tally result, tally(stored, approvals, keys, needs.assurance, now));
    if (result.counted < needs.approvals)
        return not_approved(
            "Plan " + stored.id + " has " + std::to_string(result.counted) + " of the " +
                std::to_string(needs.approvals) + " approvals it needs." + result.not_counted,
            "Have it approved by enough people who did not request it."
        );
    INTERLOCK_CHECK(check_alive(stored, plan, result.latest, now));

    ApprovedPlan approved;
    approved.id_ = stored.id;
    approved.bytes_ = stored.bytes;
    approved.digest_ = digest;
    approved.plan_ = std::move(plan);
    approved.approvals_ = std::move(approvals);
    return approved;
}

} // namespace interlock::approval
