#include "executor/executor.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "executor/crash_point.hpp"
#include "executor/store_contact.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/redaction.hpp"

namespace interlock::executor {

namespace {

using approval::PlanEvent;
using approval::PlanState;
using base::Errc;
using base::Error;
using base::Status;

bool is_conflict(const Error& error) {
    return error.code == Errc::conflict;
}

} // namespace

Executor::Executor(
    const Surroundings& around,
    db::Store& store,
    base::Random& random,
    approval::ApproverKeys approvers,
    const Library& library,
    LogGuard& guard
)
    : around_(around),
      store_(store),
      random_(random),
      approvers_(std::move(approvers)),
      library_(library),
      guard_(guard) {}

/// For what comes before a claim.
template <class Ask>
auto Executor::asked(const Ask& ask) {
    return ask_again(around_.clock, around_.stop, ask);
}

Status Executor::start() {
    return asked([&] { return guard_.remember(); });
}

std::optional<std::string> Executor::frozen() const {
    const std::lock_guard lock(mutex_);
    return frozen_;
}

Pass Executor::pass() {
    Pass pass;
    pass.frozen = frozen().has_value();
    if (pass.frozen) {
        return pass;
    }
    if (auto expired = asked([&] { return around_.queue.expire_due(); }); !expired.ok()) {
        fail("queue.unusable", "", expired.error(), pass);
        return pass;
    }
    if (auto delivered = around_.journal.deliver(around_.queue); !delivered.ok()) {
        fail("outcome.undelivered", "", delivered.error(), pass);
        return pass;
    }
    auto abandoned = asked([&] { return around_.queue.abandoned(); });
    if (!abandoned.ok()) {
        fail("queue.unreadable", "", abandoned.error(), pass);
        return pass;
    }
    for (const auto& id : *abandoned) {
        if (around_.stop() || pass.frozen) {
            return pass;
        }
        take_over(id, pass);
    }
    approval::PlanFilter filter;
    filter.states = {PlanState::approved};
    // Those that waited longest are served first; as many as one list holds.
    filter.order = approval::PlanOrder::oldest_first;
    filter.count_max = base::limits::plans_listed_max;
    auto approved = asked([&] { return around_.queue.list(filter); });
    if (!approved.ok()) {
        fail("queue.unreadable", "", approved.error(), pass);
        return pass;
    }
    for (const auto& stored : *approved) {
        if (around_.stop() || pass.frozen) {
            return pass;
        }
        consider(stored, pass);
    }
    return pass;
}

/// An approved plan, looked at with the executor's own eyes.
void Executor::consider(const approval::StoredPlan& stored, Pass& pass) {
    auto approved = approval::verify_approvals(stored, approvers_, around_.clock.now());
    if (!approved.ok()) {
        refuse(stored, approved.error(), pass);
        return;
    }
    if (!is_for_us(stored, pass) || !log_is_sound(stored.digest, pass)) {
        return;
    }
    execute(stored, *approved, pass);
}

void Executor::execute(
    const approval::StoredPlan& stored, const approval::ApprovedPlan& approved, Pass& pass
) {
    const auto policy = check_policy(approved.plan(), library_);
    crash_point("before_claim");
    const auto claim = around_.queue.claim(stored.id, approved.digest(), around_.executor);
    if (!claim.ok()) {
        if (is_conflict(claim.error())) {
            base::log_info("plan.not_ours", {{"plan", stored.id}, {"why", claim.error().what}});
        } else {
            fail("claim.failed", stored.id, claim.error(), pass);
        }
        return;
    }
    crash_point("after_claim");
    base::log_info("plan.claimed", {{"plan", stored.id}, {"fence", std::to_string(claim->fence)}});
    if (!policy.ok()) {
        // Claimed only so that the void approval is spent and nobody else tries it.
        const auto reason = base::to_text(policy.error());
        base::log_error("plan.void", {{"plan", stored.id}, {"why", reason}});
        const auto ended = end_without_execution(
            around_, stored, *claim, PlanState::claimed, PlanEvent::abort_clean, reason
        );
        ended.ok() ? count(Ending::ended, pass)
                   : fail("end.failed", stored.id, ended.error(), pass);
        return;
    }
    count(Execution(around_, approved, *claim, stored.trace_parent).run(), pass);
}

/// A plan whose executor went away. Its approvals must verify here too: resolving it may run SQL.
void Executor::take_over(const std::string& plan_id, Pass& pass) {
    const auto stored = asked([&] { return around_.queue.get(plan_id); });
    if (!stored.ok()) {
        fail("plan.unreadable", plan_id, stored.error(), pass);
        return;
    }
    const auto approved = approval::verify_approvals(*stored, approvers_, around_.clock.now());
    if ((approved.ok() && !is_for_us(*stored, pass)) || !log_is_sound(stored->digest, pass)) {
        return;
    }
    const auto claim = around_.queue.take_over(plan_id, around_.executor);
    if (!claim.ok()) {
        if (!is_conflict(claim.error())) {
            fail("take_over.failed", plan_id, claim.error(), pass);
        }
        return;
    }
    base::log_warning(
        "plan.taken_over",
        {{"plan", plan_id},
         {"was", approval::name(stored->state)},
         {"fence", std::to_string(claim->fence)}}
    );
    if (!approved.ok()) {
        const auto ended = end_without_execution(
            around_,
            *stored,
            *claim,
            PlanState::in_doubt,
            PlanEvent::resolve_human,
            "The execution was interrupted and cannot be resolved by a program: " +
                base::to_text(approved.error())
        );
        ended.ok() ? count(Ending::ended, pass) : fail("end.failed", plan_id, ended.error(), pass);
        return;
    }
    count(Execution(around_, *approved, *claim, stored->trace_parent).resume(), pass);
}

bool Executor::is_for_us(const approval::StoredPlan& stored, Pass& pass) {
    const auto plan = runbooks::parse_plan(stored.bytes);
    if (plan.ok() && around_.targets.knows(plan->target.target)) {
        return true;
    }
    const std::string target = plan.ok() ? plan->target.target : "";
    refuse(
        stored,
        {Errc::not_found,
         "The plan is for target '" + base::sanitize(target) +
             "', which is not configured for this executor.",
         "Configure it here, or run the executor that has it."},
        pass
    );
    return false;
}

bool Executor::log_is_sound(const std::string& plan_digest, Pass& pass) {
    const auto sound = asked([&] { return guard_.check(plan_digest); });
    if (sound.ok()) {
        return true;
    }
    if (sound.error().code != Errc::corrupt) {
        fail("audit.unreadable", "", sound.error(), pass);
        return false;
    }
    base::log_error("executor.frozen", {{"why", base::to_text(sound.error())}});
    pass.frozen = true;
    const std::lock_guard lock(mutex_);
    frozen_ = base::to_text(sound.error());
    return false;
}

/// Told once a reason, in the log and, where it can be written, in the audit.
void Executor::refuse(const approval::StoredPlan& stored, const Error& why, Pass& pass) {
    ++pass.refused;
    const auto text = base::cut_middle(
        telemetry::safe_text(base::to_text(why)), 2 * base::limits::cell_chars_max
    );
    if (refused_.size() >= base::limits::refusals_remembered) {
        refused_.clear();
    }
    auto& told = refused_[stored.id];
    if (told == text) {
        return;
    }
    told = text;
    base::log_error("plan.refused", {{"plan", stored.id}, {"why", text}});
    const auto noted = store_.transact([&](db::StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(telemetry::append_audit(
            transaction,
            random_,
            {"execution.refused", around_.executor, stored.digest, refusal_payload(stored.id, text)}
        ));
        return base::done;
    });
    if (!noted.ok()) {
        fail("audit.unwritable", stored.id, noted.error(), pass);
    }
}

void Executor::count(Ending ending, Pass& pass) {
    switch (ending) {
    case Ending::succeeded:
        ++pass.succeeded;
        break;
    case Ending::ended:
        ++pass.ended;
        break;
    case Ending::left:
        ++pass.left;
        break;
    }
    if (auto noted = guard_.remember(); !noted.ok()) {
        fail("checkpoint.unwritten", "", noted.error(), pass);
    }
}

void Executor::fail(const char* what, const std::string& plan_id, const Error& error, Pass& pass) {
    ++pass.failed;
    base::log_error(what, {{"plan", plan_id}, {"why", base::to_text(error)}});
}

} // namespace interlock::executor
