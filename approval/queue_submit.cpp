#include "approval/brake_rows.hpp"
#include "approval/queue_rows.hpp"
#include "base/digest.hpp"
#include "base/limits.hpp"

namespace interlock::approval {

namespace {

base::Error bad_submission(std::string what) {
    return base::Error{
        base::Errc::invalid_input,
        std::move(what),
        "Report this as a defect of the proposing side."};
}

std::string digest_hex(const runbooks::Plan& plan) {
    return base::hex(runbooks::plan_digest(runbooks::plan_bytes(plan)));
}

/// Digest of what would be done, whichever attempt it is.
std::string effects_digest(runbooks::Plan plan) {
    plan.attempt = 1;
    return digest_hex(plan);
}

base::Status check_submission(const Submission& submission) {
    const runbooks::Plan& plan = submission.plan;
    if (submission.requester.subject.empty())
        return bad_submission("A plan was submitted by nobody.");
    if (plan.policy_verdict != "require_approval" && plan.policy_verdict != "deny")
        return bad_submission("A plan was submitted without a verdict of the policy.");
    if (plan.lease_key.empty() || plan.steps.empty())
        return bad_submission("A plan was submitted without a target or without steps.");
    // As it will be stored: under the largest attempt that fits the number.
    const std::size_t bytes = runbooks::plan_bytes(plan).size() + 20;
    if (bytes > base::limits::plan_bytes_max)
        return base::Error{
            base::Errc::limit_exceeded,
            "The plan has " + std::to_string(bytes) + " bytes; at most " +
                std::to_string(base::limits::plan_bytes_max) + " can be read by a person.",
            "Split it into smaller plans."};
    INTERLOCK_CHECK(runbooks::check_presentation(submission.presentation));
    return base::done;
}

/// The plan of the same effects that is still open or running, or that policy blocked.
base::Result<std::optional<StoredPlan>>
find_same(db::StoreTransaction& transaction, const std::string& effects, bool blocked) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select " + std::string(rows::plan_columns) + " from plans where effects_digest = $1 " +
                (blocked ? "and state = 'BLOCKED'"
                         : "and state in ('PENDING', 'APPROVED', 'CLAIMED', 'EXECUTING', "
                           "'IN_DOUBT', 'ROLLING_BACK', 'VERIFYING')"),
            {effects}
        )
    );
    if (found.empty())
        return std::optional<StoredPlan>{};
    INTERLOCK_TRY(StoredPlan plan, rows::plan_from(found, 0));
    return std::optional<StoredPlan>{std::move(plan)};
}

base::Status add_requester(
    db::StoreTransaction& transaction, const std::string& plan_id, const std::string& subject
) {
    INTERLOCK_CHECK(transaction.run(
        "insert into plan_requesters (plan_id, subject, requested_at) values ($1, $2, $3) "
        "on conflict (plan_id, subject) do nothing",
        {plan_id, subject, base::format_time(transaction.now())}
    ));
    return base::done;
}

base::Result<SubmitResult> join(
    db::StoreTransaction& transaction,
    base::Random& random,
    StoredPlan& plan,
    const Submission& submission
) {
    const auto& requester = submission.requester;
    // Once people have decided, asking again is reading: it cannot unmake their decision.
    if (plan.state == PlanState::pending)
        INTERLOCK_CHECK(add_requester(transaction, plan.id, requester.subject));
    INTERLOCK_CHECK(rows::note(
        transaction,
        random,
        plan,
        "plan.joined",
        requester.subject,
        {{"client", rows::plain(requester.client)},
         {"incident", rows::plain(submission.presentation.incident)},
         {"trace_parent", rows::plain(submission.trace_parent)}}
    ));
    return SubmitResult{
        plan.id, plan.digest, plan.state, /*joined=*/true, plan.expires_at, plan.leaf};
}

base::Status check_open_count(db::StoreTransaction& transaction, const std::string& subject) {
    INTERLOCK_TRY(
        const auto open,
        transaction.run(
            "select count(*) as plans from plans where requester = $1 "
            "and state in ('PENDING', 'APPROVED')",
            {subject}
        )
    );
    const auto limit = static_cast<long long>(base::limits::open_plans_per_requester_max);
    if (open.integer(0, "plans").value_or(0) < limit)
        return base::done;
    return base::Error{
        base::Errc::limit_exceeded,
        "This requester already has " + std::to_string(limit) + " plans waiting for people.",
        "Withdraw plans that are no longer needed, or wait until they are decided."};
}

/// Asked within the transaction that proposes: whoever waited for the store while somebody stopped
/// them has waited in vain, however long ago the call itself was let in.
base::Status check_brakes(db::StoreTransaction& transaction, const Submission& submission) {
    const auto& requester = submission.requester;
    INTERLOCK_TRY(
        const auto brake,
        rows::brake_on(
            transaction,
            {requester.subject, requester.issuer, submission.tool, submission.plan.target.target}
        )
    );
    if (!brake)
        return base::done;
    const std::string what = brake->kind == BrakeKind::all
                                 ? "everything"
                                 : std::string("the ") + name(brake->kind) + " " + brake->name;
    return base::Error{
        base::Errc::suspended,
        "Nothing was proposed: " + what + " was stopped by " + brake->who + ": " + brake->reason,
        "Tell the person you work for. Only a person can lift this."};
}

base::Result<long long>
next_attempt(db::StoreTransaction& transaction, const std::string& effects) {
    INTERLOCK_TRY(
        const auto last,
        transaction.run(
            "select coalesce(max(attempt), 0) as attempt from plans where effects_digest = $1",
            {effects}
        )
    );
    return last.integer(0, "attempt").value_or(0) + 1;
}

base::Status insert(
    db::StoreTransaction& transaction,
    const StoredPlan& plan,
    const std::string& effects,
    int attempt
) {
    INTERLOCK_CHECK(transaction.run(
        "insert into plans (plan_id, effects_digest, attempt, plan_digest, state, version, "
        "plan_bytes, presentation, requester, requester_client, trace_parent, created_at, "
        "expires_at, state_reason, outcome) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '')",
        {plan.id,
         effects,
         std::to_string(attempt),
         plan.digest,
         name(plan.state),
         std::to_string(plan.version),
         plan.bytes,
         plan.presentation,
         plan.requester,
         plan.requester_client,
         plan.trace_parent,
         plan.created_at,
         plan.expires_at,
         plan.state_reason}
    ));
    return add_requester(transaction, plan.id, plan.requester);
}

base::Duration pending_lifetime(const runbooks::Plan& plan) {
    return plan.pending_lifetime_s > 0 ? std::chrono::seconds(plan.pending_lifetime_s)
                                       : base::limits::pending_lifetime;
}

} // namespace

base::Result<SubmitResult> Queue::submit(const Submission& submission) {
    INTERLOCK_CHECK(check_submission(submission));
    const bool blocked = submission.plan.policy_verdict == "deny";
    const std::string effects = effects_digest(submission.plan);
    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<SubmitResult> {
        INTERLOCK_CHECK(check_brakes(transaction, submission));
        INTERLOCK_CHECK(rows::expire_due(transaction, random_));
        INTERLOCK_TRY(auto same, find_same(transaction, effects, blocked));
        if (same)
            return join(transaction, random_, *same, submission);
        INTERLOCK_CHECK(check_open_count(transaction, submission.requester.subject));
        INTERLOCK_TRY(const long long attempt, next_attempt(transaction, effects));

        runbooks::Plan plan = submission.plan;
        plan.attempt = static_cast<int>(attempt);
        const base::Time now = transaction.now();
        StoredPlan stored;
        stored.id = base::new_id(random_, "plan");
        stored.state = blocked ? PlanState::blocked : PlanState::pending;
        stored.version = 1;
        stored.bytes = runbooks::plan_bytes(plan);
        stored.digest = base::hex(runbooks::plan_digest(stored.bytes));
        stored.presentation = runbooks::presentation_bytes(submission.presentation);
        stored.requester = submission.requester.subject;
        stored.requester_client = rows::plain(submission.requester.client);
        stored.trace_parent = submission.trace_parent;
        stored.created_at = base::format_time(now);
        stored.expires_at = blocked ? "" : base::format_time(now + pending_lifetime(plan));
        stored.state_reason = blocked ? "Policy denied it." : "Waiting for approval.";
        INTERLOCK_CHECK(insert(transaction, stored, effects, plan.attempt));
        INTERLOCK_CHECK(rows::note(
            transaction,
            random_,
            stored,
            blocked ? "plan.blocked" : "plan.submitted",
            stored.requester,
            {{"to", name(stored.state)},
             {"runbook", plan.runbook},
             {"target", plan.target.target},
             {"presentation_digest", presentation_digest(stored.presentation)},
             {"client", stored.requester_client},
             {"incident", rows::plain(submission.presentation.incident)},
             {"trace_parent", rows::plain(stored.trace_parent)},
             {"expires_at", stored.expires_at}}
        ));
        return SubmitResult{
            stored.id,
            stored.digest,
            stored.state,
            /*joined=*/false,
            stored.expires_at,
            stored.leaf};
    };
    return rows::settle<SubmitResult>(store_, body);
}

base::Status Queue::withdraw(
    const std::string& plan_id, const telemetry::Identity& requester, const std::string& reason
) {
    const auto body = [&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(StoredPlan plan, rows::load_unexpired(transaction, random_, plan_id));
        if (plan.requester != requester.subject)
            return base::Error{
                base::Errc::permission_denied,
                "Only who requested plan " + plan.id + " may withdraw it.",
                "An approver can reject or revoke it instead."};
        INTERLOCK_CHECK(rows::move(
            transaction, random_, plan, {PlanEvent::withdraw, requester.subject, reason, {}, {}}
        ));
        return base::done;
    };
    return rows::settle<base::Done>(store_, body);
}

} // namespace interlock::approval
