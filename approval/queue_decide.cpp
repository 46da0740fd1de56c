#include "approval/queue_rows.hpp"
#include "base/digest.hpp"
#include "base/limits.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/merkle.hpp"

#include <algorithm>

namespace interlock::approval {

namespace {

/// Some tens of megabytes of headers: below a second to read and hash.
constexpr std::uint64_t log_leaves_max = 100'000;

base::Error refused(std::string what, std::string remedy) {
    return base::Error{base::Errc::refused, std::move(what), std::move(remedy)};
}

base::Error changed(std::string what) {
    return base::Error{
        base::Errc::changed, std::move(what), "Show the plan again and decide on what it shows."};
}

/// A vote is cast once; whoever voted may still revoke.
const char* kind_of(DecisionVerdict verdict) {
    return verdict == DecisionVerdict::revoke ? "revoke" : "vote";
}

/// The person signed what is stored: recomputed here from the stored bytes.
base::Status check_digests(const StoredPlan& plan, const DecisionStatement& statement) {
    const std::string digest = base::hex(runbooks::plan_digest(plan.bytes));
    if (!base::equal(digest, plan.digest))
        return changed(
            "The stored bytes of plan " + plan.id + " are not those that were submitted."
        );
    if (!base::equal(digest, statement.plan_digest))
        return changed(
            "The decision is about another plan than the bytes stored under " + plan.id + "."
        );
    if (!base::equal(presentation_digest(plan.presentation), statement.presentation_digest))
        return changed(
            "What was shown beside plan " + plan.id + " is not what is stored beside it."
        );
    return base::done;
}

base::Status check_nonce(db::StoreTransaction& transaction, const std::string& nonce) {
    INTERLOCK_TRY(
        const auto used, transaction.run("select plan_id from decisions where nonce = $1", {nonce})
    );
    if (used.empty())
        return base::done;
    return base::Error{
        base::Errc::conflict,
        "This decision was already used: its nonce is known.",
        "Read the plan's state; sign a new decision if one is still needed."};
}

struct Position {
    std::uint64_t size = 0;
    std::string root; // hex
};

/// parse_decision() made sure of the form "size:root".
Position position_from(const std::string& text) {
    return {std::stoull(text), text.substr(text.find(':') + 1)};
}

base::Error another_log() {
    return base::Error{
        base::Errc::corrupt,
        "The audit log that was shown to the approver is not a beginning of this queue's log.",
        "Find out whether the queue was restored from an older copy; verify the audit log."};
}

/// A log as long as ours or longer is compared here, within the transaction. What is shorter is
/// check_beginning()'s: a beginning does not change.
base::Status check_head(db::StoreTransaction& transaction, const Position& seen) {
    INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
    if (seen.size < head.size ||
        (seen.size == head.size && base::equal(seen.root, base::hex(head.root))))
        return base::done;
    return another_log();
}

/// Recomputes the root that the log had at the size this person saw. Reads that many headers, so it
/// is done outside the write transaction, and only for positions of up to log_leaves_max; a longer
/// log is compared as a whole by whoever keeps checkpoints of it.
base::Status check_beginning(db::StoreTransaction& transaction, const Position& seen) {
    if (seen.size > log_leaves_max)
        return base::done;
    telemetry::Frontier tree;
    while (tree.size() < seen.size) {
        INTERLOCK_TRY(
            const auto page,
            transaction.run(
                "select header from audit_log where leaf_index >= $1 and leaf_index < $2 "
                "order by leaf_index limit " +
                    std::to_string(base::limits::audit_read_max),
                {std::to_string(tree.size()), std::to_string(seen.size)}
            )
        );
        if (page.empty())
            return another_log();
        for (std::size_t row = 0; row < page.rows.size(); ++row)
            tree.append(telemetry::leaf_hash(page.text(row, "header")));
    }
    return base::equal(seen.root, base::hex(tree.root())) ? base::Status(base::done)
                                                          : base::Status(another_log());
}

/// An approval is about the plan that waits now, so it is dated within the time it has waited. To
/// say no is always possible, whatever the clocks say.
base::Status
check_date(const StoredPlan& plan, const DecisionStatement& statement, base::Time now) {
    if (statement.verdict != DecisionVerdict::approve)
        return base::done;
    INTERLOCK_TRY(const base::Time at, decided_at(statement, now));
    INTERLOCK_TRY(const base::Time created, base::parse_time(plan.created_at));
    if (at + decision_skew_max >= created)
        return base::done;
    return refused(
        "The approval is dated " + statement.decided_at + " by the approver's clock, and plan " +
            plan.id + " was proposed at " + plan.created_at + " by the queue's clock.",
        "Set both clocks right (they may differ by " + std::to_string(decision_skew_max.count()) +
            " minutes), then decide again."
    );
}

/// Four eyes: an approver is nobody who asked for it. Rejecting one's own request is withdrawing.
base::Status check_four_eyes(
    const StoredPlan& plan, const DecisionStatement& statement, const ApproverKeys& keys
) {
    if (statement.verdict == DecisionVerdict::revoke)
        return base::done;
    for (const auto& requester : plan.requesters)
        if (same_person(keys, requester, statement.approver))
            return refused(
                statement.approver + " requested plan " + plan.id + " and may not decide about it.",
                "Ask another approver; a requester can withdraw the plan."
            );
    return base::done;
}

base::Status
check_vote(const StoredPlan& plan, const VerifiedDecision& verified, const ApproverKeys& keys) {
    const DecisionStatement& statement = verified.statement;
    for (const auto& earlier : plan.decisions) {
        if (std::string_view(kind_of(earlier.statement.verdict)) != kind_of(statement.verdict))
            continue;
        if (same_person(keys, earlier.statement.approver, statement.approver))
            return base::Error{
                base::Errc::conflict,
                statement.approver + " has already decided about plan " + plan.id + ".",
                "One person counts once; an approval can be taken back with revoke."};
        if (earlier.key_fingerprint == verified.key_fingerprint)
            return refused(
                "The key " + verified.key_fingerprint + " has already decided about plan " +
                    plan.id + " for " + earlier.statement.approver + ".",
                "One key is one person; sign with a key of your own."
            );
    }
    return base::done;
}

base::Status check_assurance(const VerifiedDecision& verified, runbooks::Requirement needs) {
    if (verified.statement.verdict != DecisionVerdict::approve ||
        verified.assurance >= needs.assurance)
        return base::done;
    return refused(
        std::string("The plan asks for ") + runbooks::name(needs.assurance) +
            ", this approval is " + runbooks::name(verified.assurance) + ".",
        "Sign with a stronger key, such as a security key (sk-) that is touched."
    );
}

base::Status record(
    db::StoreTransaction& transaction,
    const StoredPlan& plan,
    const SignedDecision& decision,
    const VerifiedDecision& verified,
    const ApproverKeys& keys
) {
    const DecisionStatement& statement = verified.statement;
    INTERLOCK_CHECK(transaction.run(
        "insert into decisions (plan_id, kind, person, approver, verdict, statement, signature, "
        "assurance, key_fingerprint, nonce, log_checkpoint, recorded_at, plan_version) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        {plan.id,
         kind_of(statement.verdict),
         person(keys, statement.approver),
         statement.approver,
         name(statement.verdict),
         decision.statement,
         decision.signature,
         runbooks::name(verified.assurance),
         verified.key_fingerprint,
         statement.nonce,
         statement.log_checkpoint,
         base::format_time(transaction.now()),
         std::to_string(plan.version)}
    ));
    return base::done;
}

/// Votes that count so far. Somebody who approved and later asked for the same is a requester.
int count_approvals(const StoredPlan& plan, const ApproverKeys& keys) {
    return static_cast<int>(std::count_if(
        plan.decisions.begin(),
        plan.decisions.end(),
        [&](const StoredDecision& each) {
            return each.statement.verdict == DecisionVerdict::approve &&
                   check_four_eyes(plan, each.statement, keys).ok();
        }
    ));
}

PlanEvent event_of(
    const StoredPlan& plan,
    const DecisionStatement& statement,
    runbooks::Requirement needs,
    const ApproverKeys& keys
) {
    switch (statement.verdict) {
    case DecisionVerdict::reject:
        return PlanEvent::reject;
    case DecisionVerdict::revoke:
        return PlanEvent::revoke;
    case DecisionVerdict::approve:
        break;
    }
    return count_approvals(plan, keys) + 1 >= needs.approvals ? PlanEvent::approve_final
                                                              : PlanEvent::approve_counted;
}

/// How long the new state lasts: an approval by chat is weaker and dies sooner.
std::string
expiry_of(const StoredPlan& stored, const runbooks::Plan& plan, PlanEvent event, base::Time now) {
    if (event == PlanEvent::approve_counted)
        return stored.expires_at;
    if (event != PlanEvent::approve_final)
        return {};
    return base::format_time(now + approval_lifetime(plan));
}

std::string reason_of(const VerifiedDecision& verified, PlanEvent event, int needed) {
    const DecisionStatement& statement = verified.statement;
    std::string text = event == PlanEvent::approve_counted
                           ? "Approved by " + statement.approver + "; " + std::to_string(needed) +
                                 " approvals are needed"
                       : event == PlanEvent::approve_final ? "Approved by " + statement.approver
                       : event == PlanEvent::reject        ? "Rejected by " + statement.approver
                                                           : "Revoked by " + statement.approver;
    return text + (statement.reason.empty() ? "." : ": " + statement.reason);
}

/// What an auditor needs to verify the signature years later: the file may have changed by then.
std::string joined_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += line + "\n";
    return text;
}

} // namespace

base::Result<PlanState>
Queue::decide(const SignedDecision& decision, const ApproverKeys& keys, std::uint64_t* leaf) {
    INTERLOCK_TRY(
        const base::Time at,
        rows::look<base::Time>(
            store_,
            [](db::StoreTransaction& transaction) -> base::Result<base::Time> {
                return transaction.now();
            }
        )
    );
    // Before anything of the store is looked at: an unsigned request learns nothing.
    INTERLOCK_TRY(const VerifiedDecision verified, verify_decision(decision, keys, at));
    const DecisionStatement& statement = verified.statement;
    const Position seen = position_from(statement.log_checkpoint);
    INTERLOCK_TRY(
        const base::Status beginning,
        rows::look<base::Status>(
            store_,
            [&](db::StoreTransaction& transaction) -> base::Result<base::Status> {
                return check_beginning(transaction, seen);
            }
        )
    );

    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<PlanState> {
        INTERLOCK_TRY(
            StoredPlan plan, rows::load_unexpired(transaction, random_, statement.plan_id)
        );
        INTERLOCK_CHECK(rows::load_people(transaction, plan));
        INTERLOCK_CHECK(check_nonce(transaction, statement.nonce));
        INTERLOCK_CHECK(check_digests(plan, statement));
        INTERLOCK_TRY(const runbooks::Plan content, runbooks::parse_plan(plan.bytes));
        const runbooks::Requirement needs = required_approvals(content);
        const PlanEvent event = event_of(plan, statement, needs, keys);
        INTERLOCK_CHECK(check_four_eyes(plan, statement, keys));
        INTERLOCK_CHECK(check_vote(plan, verified, keys));
        INTERLOCK_CHECK(next_state(plan.state, event));
        INTERLOCK_CHECK(check_date(plan, statement, transaction.now()));
        INTERLOCK_CHECK(beginning);
        INTERLOCK_CHECK(check_head(transaction, seen));
        INTERLOCK_CHECK(check_assurance(verified, needs));

        INTERLOCK_CHECK(record(transaction, plan, decision, verified, keys));
        auto moved = rows::move(
            transaction,
            random_,
            plan,
            {event,
             statement.approver,
             reason_of(verified, event, needs.approvals),
             expiry_of(plan, content, event, transaction.now()),
             {{"statement", decision.statement},
              {"signature", decision.signature},
              {"assurance", runbooks::name(verified.assurance)},
              {"key_fingerprint", verified.key_fingerprint},
              {"allowed_signers", joined_lines(verified.signer_lines)}}}
        );
        if (leaf != nullptr)
            *leaf = plan.leaf;
        return moved;
    };
    return rows::settle<PlanState>(store_, body);
}

} // namespace interlock::approval
