#include "approval/queue_lease.hpp"
#include "approval/queue_rows.hpp"
#include "approval/recorded_history.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace interlock::approval {

namespace {

base::Error conflict(std::string what, std::string remedy) {
    return base::Error{base::Errc::conflict, std::move(what), std::move(remedy)};
}

bool is_executor_event(PlanEvent event) {
    constexpr std::array others{
        PlanEvent::approve_counted,
        PlanEvent::approve_final,
        PlanEvent::reject,
        PlanEvent::expire,
        PlanEvent::supersede,
        PlanEvent::withdraw,
        PlanEvent::revoke,
        PlanEvent::claim,
        PlanEvent::keep,
    };
    return std::find(others.begin(), others.end(), event) == others.end();
}

/// What people decide is not the executor's to record.
base::Status check_authority(PlanState state, PlanEvent event) {
    const bool peoples_choice = state == PlanState::hold && event == PlanEvent::roll_back;
    if (is_executor_event(event) && !peoples_choice)
        return base::done;
    return base::Error{
        base::Errc::refused,
        std::string("An executor may not record \"") + name(event) + "\" on a plan in state " +
            name(state) + ".",
        "That takes a person's decision or another function of the queue."};
}

/// Rows that were edited behind the queue's back give nobody authority.
base::Status check_history(db::StoreTransaction& transaction, StoredPlan& plan) {
    INTERLOCK_CHECK(rows::load_people(transaction, plan));
    const std::string digest = base::hex(runbooks::plan_digest(plan.bytes));
    INTERLOCK_TRY(const RecordedHistory history, recorded_history(transaction, digest));
    return agrees_with_log(plan, history);
}

} // namespace

base::Result<Claim> Queue::claim(
    const std::string& plan_id, const std::string& verified_digest, const std::string& executor
) {
    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<Claim> {
        INTERLOCK_TRY(StoredPlan plan, rows::load_unexpired(transaction, random_, plan_id));
        INTERLOCK_CHECK(next_state(plan.state, PlanEvent::claim));
        const std::string digest = base::hex(runbooks::plan_digest(plan.bytes));
        if (!base::equal(digest, plan.digest) || !base::equal(digest, verified_digest))
            return base::Error{
                base::Errc::changed,
                "The stored bytes of plan " + plan.id + " are not those that were verified.",
                "Do not run it. Verify the audit log and find out who changed the queue."};
        INTERLOCK_CHECK(check_history(transaction, plan));
        INTERLOCK_TRY(const runbooks::Plan content, runbooks::parse_plan(plan.bytes));
        INTERLOCK_CHECK(lease::check_free(transaction, content.lease_key));

        const base::Time now = transaction.now();
        Claim claim{plan.id, executor, 0, base::format_time(now + lease_lifetime_)};
        INTERLOCK_TRY(claim.fence, lease::next_fence(transaction));
        // plan_digest is unique in executions: these bytes run at most once, ever.
        INTERLOCK_CHECK(transaction.run(
            "insert into executions (plan_id, plan_digest, executor, fence, claimed_at) "
            "values ($1, $2, $3, $4, $5)",
            {plan.id, digest, executor, std::to_string(claim.fence), base::format_time(now)}
        ));
        INTERLOCK_CHECK(lease::hold(transaction, content.lease_key, claim));
        // expires_at stays: the approval must also be alive when execution starts.
        INTERLOCK_CHECK(rows::move(
            transaction,
            random_,
            plan,
            {PlanEvent::claim,
             executor,
             "Claimed by " + executor + ".",
             plan.expires_at,
             {{"fence", std::to_string(claim.fence)}, {"lease_key", content.lease_key}}}
        ));
        return claim;
    };
    return rows::settle<Claim>(store_, body);
}

base::Result<Claim> Queue::take_over(const std::string& plan_id, const std::string& executor) {
    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<Claim> {
        INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, plan_id));
        INTERLOCK_CHECK(next_state(plan.state, PlanEvent::lose_contact));
        INTERLOCK_TRY(const auto held, lease::held(transaction, plan_id));
        const base::Time now = transaction.now();
        if (!held)
            return conflict(
                "Plan " + plan.id + " is not being executed by anybody.",
                "It waits for people; there is nothing to take over."
            );
        if (base::format_time(now) < held->until)
            return conflict(
                "The lease on plan " + plan.id + " lasts until " + held->until +
                    " by the queue's clock.",
                "Wait until it has run out."
            );
        INTERLOCK_CHECK(check_history(transaction, plan));
        Claim claim{plan.id, executor, 0, base::format_time(now + lease_lifetime_)};
        INTERLOCK_TRY(claim.fence, lease::next_fence(transaction));
        INTERLOCK_CHECK(lease::release(transaction, plan.id));
        INTERLOCK_CHECK(lease::hold(transaction, held->key, claim));
        INTERLOCK_CHECK(transaction.run(
            "update executions set executor = $1, fence = $2 where plan_id = $3",
            {executor, std::to_string(claim.fence), plan.id}
        ));
        INTERLOCK_CHECK(rows::move(
            transaction,
            random_,
            plan,
            {PlanEvent::lose_contact,
             executor,
             "Its executor was lost; taken over by " + executor + ".",
             {},
             {{"fence", std::to_string(claim.fence)}}}
        ));
        return claim;
    };
    return rows::settle<Claim>(store_, body);
}

base::Status Queue::renew(Claim& claim) {
    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<std::string> {
        INTERLOCK_CHECK(lease::check_fence(transaction, claim));
        INTERLOCK_CHECK(lease::check_live(transaction, claim));
        return lease::extend(transaction, claim, lease_lifetime_);
    };
    INTERLOCK_TRY(claim.lease_until, rows::settle<std::string>(store_, body));
    return base::done;
}

base::Result<PlanState> Queue::advance(
    const Claim& claim, PlanEvent event, const std::string& reason, std::uint64_t* leaf
) {
    const auto body = [&](db::StoreTransaction& transaction) -> base::Result<PlanState> {
        INTERLOCK_CHECK(lease::check_fence(transaction, claim));
        INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, claim.plan_id));
        INTERLOCK_CHECK(check_authority(plan.state, event));
        INTERLOCK_CHECK(next_state(plan.state, event));
        if (event == PlanEvent::start) {
            INTERLOCK_CHECK(lease::check_live(transaction, claim));
            if (base::format_time(transaction.now()) >= plan.expires_at)
                return rows::expired_error(plan);
        }
        INTERLOCK_TRY(
            const PlanState state,
            rows::move(
                transaction,
                random_,
                plan,
                {event, claim.executor, reason, {}, {{"fence", std::to_string(claim.fence)}}}
            )
        );
        if (is_terminal(state))
            INTERLOCK_CHECK(lease::release(transaction, claim.plan_id));
        if (leaf != nullptr)
            *leaf = plan.leaf;
        return state;
    };
    return rows::settle<PlanState>(store_, body);
}

base::Status Queue::finish(const Claim& claim, const std::string& outcome_json) {
    // Stored to be read by programs, so it must be one document.
    INTERLOCK_CHECK(base::parse_json(outcome_json, base::limits::outcome_bytes_max));
    const auto body = [&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(lease::check_fence(transaction, claim));
        INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, claim.plan_id));
        if (is_running(plan.state) && plan.state != PlanState::hold)
            return base::Error{
                base::Errc::invalid_transition,
                "Plan " + plan.id + " is in state " + name(plan.state) + " and has no outcome yet.",
                "Finish it once its execution has ended."};
        INTERLOCK_TRY(
            const auto updated,
            transaction.run(
                "update plans set outcome = $1, version = version + 1 "
                "where plan_id = $2 and state = $3 and version = $4",
                {outcome_json, plan.id, name(plan.state), std::to_string(plan.version)}
            )
        );
        if (updated.affected != 1)
            return conflict("Somebody else changed plan " + plan.id + " first.", "Read it again.");
        plan.version += 1;
        INTERLOCK_CHECK(lease::release(transaction, claim.plan_id));
        return rows::note(
            transaction,
            random_,
            plan,
            "plan.finished",
            claim.executor,
            {{"fence", std::to_string(claim.fence)},
             {"state", name(plan.state)},
             {"outcome_digest", base::hex(base::sha256(outcome_json))},
             {"outcome", outcome_json}}
        );
    };
    return rows::settle<base::Done>(store_, body);
}

} // namespace interlock::approval
