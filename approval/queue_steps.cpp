// What the executor writes down about each step: INTENT before its effect, the outcome after it.
#include "approval/queue_lease.hpp"
#include "approval/queue_rows.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace interlock::approval {

namespace {

/// The life of a step in one direction. DONE, FAILED and SKIPPED are final: one effect, one answer.
/// A step is begun again only by a successor (another fence) that has found out that nothing
/// happened.
struct StepArrow {
    std::string_view from; // "" = nothing recorded
    std::string_view to;
    bool needs_new_fence;
};
constexpr std::array step_arrows{
    StepArrow{"", "INTENT", false},
    StepArrow{"", "SKIPPED", false},
    StepArrow{"INTENT", "DONE", false},
    StepArrow{"INTENT", "FAILED", false},
    StepArrow{"INTENT", "IN_DOUBT", false},
    StepArrow{"INTENT", "INTENT", true},
    StepArrow{"IN_DOUBT", "DONE", false},
    StepArrow{"IN_DOUBT", "FAILED", false},
    StepArrow{"IN_DOUBT", "INTENT", true},
};

base::Status check_arrow(const db::Table& before, const StepRun& step, long long fence) {
    const std::string from = before.empty() ? "" : before.text(0, "state");
    const bool new_fence = !before.empty() && before.integer(0, "intent_fence") != fence;
    const bool allowed =
        std::any_of(step_arrows.begin(), step_arrows.end(), [&](const StepArrow& arrow) {
            return arrow.from == from && arrow.to == step.state &&
                   (!arrow.needs_new_fence || new_fence);
        });
    if (allowed)
        return base::done;
    return base::Error{
        base::Errc::invalid_transition,
        "Step " + std::to_string(step.index) + " of plan " + step.plan_id + " cannot become " +
            step.state + (from.empty() ? "." : ": it is " + from + "."),
        "Read the recorded steps; a step has at most one effect in each direction."};
}

/// Effects happen in two states only, and only while the lease is ours.
base::Status
check_begin(db::StoreTransaction& transaction, const Claim& claim, PlanState state, bool forward) {
    const PlanState wanted = forward ? PlanState::executing : PlanState::rolling_back;
    if (state != wanted)
        return base::Error{
            base::Errc::invalid_transition,
            "No step may begin while plan " + claim.plan_id + " is in state " + name(state) + ".",
            std::string("Steps begin in ") + name(wanted) + " only."};
    return lease::check_live(transaction, claim);
}

base::Status check_step(const Claim& claim, const StepRun& step) {
    if (step.plan_id == claim.plan_id && step.index >= 0 &&
        step.detail.size() <= base::limits::step_detail_bytes_max)
        return base::done;
    return base::Error{
        base::Errc::invalid_input,
        "A step was recorded for another plan than the claimed one, without a place in it, or with "
        "too much detail.",
        "Report this as a defect of the executor."};
}

base::Result<db::Table> recorded(db::StoreTransaction& transaction, const StepRun& step) {
    return transaction.run(
        "select state, intent_fence from step_runs "
        "where plan_id = $1 and step_index = $2 and forward = $3",
        {step.plan_id, std::to_string(step.index), step.forward ? "1" : "0"}
    );
}

base::Status
store(db::StoreTransaction& transaction, const StepRun& step, const Claim& claim, bool first) {
    const std::string fence = std::to_string(claim.fence);
    const std::vector<db::Cell> key{
        step.plan_id, std::to_string(step.index), step.forward ? "1" : "0"};
    std::vector<db::Cell> row = key;
    row.insert(row.end(), {step.state, fence, step.detail, base::format_time(transaction.now())});
    if (first)
        INTERLOCK_CHECK(transaction.run(
            "insert into step_runs (plan_id, step_index, forward, state, fence, detail, "
            "recorded_at, intent_fence) values ($1, $2, $3, $4, $5, $6, $7, $5)",
            row
        ));
    else
        INTERLOCK_CHECK(transaction.run(
            "update step_runs set state = $4, fence = $5, detail = $6, recorded_at = $7 "
            "where plan_id = $1 and step_index = $2 and forward = $3",
            row
        ));
    if (step.state == "INTENT")
        INTERLOCK_CHECK(transaction.run(
            "update step_runs set intent_fence = $4 "
            "where plan_id = $1 and step_index = $2 and forward = $3",
            {key[0], key[1], key[2], fence}
        ));
    return base::done;
}

} // namespace

base::Status Queue::record_step(const Claim& claim, const StepRun& step, std::uint64_t* leaf) {
    INTERLOCK_CHECK(check_step(claim, step));
    const auto body = [&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(lease::check_fence(transaction, claim));
        INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, claim.plan_id));
        INTERLOCK_TRY(const auto before, recorded(transaction, step));
        INTERLOCK_CHECK(check_arrow(before, step, claim.fence));
        if (step.state == "INTENT")
            INTERLOCK_CHECK(check_begin(transaction, claim, plan.state, step.forward));
        else if (!is_running(plan.state))
            return base::Error{
                base::Errc::invalid_transition,
                "Plan " + plan.id + " is in state " + name(plan.state) + ": its steps are history.",
                "Nothing more is recorded about them."};
        INTERLOCK_CHECK(store(transaction, step, claim, before.empty()));
        INTERLOCK_CHECK(rows::note(
            transaction,
            random_,
            plan,
            "step." + base::lower_ascii(step.state),
            claim.executor,
            {{"index", std::to_string(step.index)},
             {"direction", step.forward ? "forward" : "back"},
             {"fence", std::to_string(claim.fence)},
             {"detail", step.detail}}
        ));
        if (leaf != nullptr)
            *leaf = plan.leaf;
        return base::done;
    };
    return rows::settle<base::Done>(store_, body);
}

} // namespace interlock::approval
