#include "executor/execution.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "executor/crash_point.hpp"
#include "telemetry/redaction.hpp"

#include <algorithm>

namespace interlock::executor {

namespace {

namespace limits = base::limits;
using approval::PlanEvent;
using approval::PlanState;
using base::Errc;
using base::Error;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

/// Errors quote servers: what people read of them is made harmless first.
std::string sentence(const Error& error) {
    return base::cut_middle(telemetry::safe_text(base::to_text(error)), 2 * limits::cell_chars_max);
}

std::string
difference(const runbooks::TargetFingerprint& planned, const runbooks::TargetFingerprint& found) {
    std::string text;
    const auto compare = [&](const char* what, const auto& left, const auto& right) {
        if (left != right) {
            text += std::string(text.empty() ? "" : ", ") + what;
        }
    };
    compare("target name", planned.target, found.target);
    compare("system identifier", planned.system_identifier, found.system_identifier);
    compare("database", planned.database, found.database);
    compare("timeline", planned.timeline, found.timeline);
    compare("recovery state", planned.in_recovery, found.in_recovery);
    compare("server version", planned.server_major, found.server_major);
    return text;
}

const char* state_of(StepFact fact) {
    switch (fact) {
    case StepFact::done:
        return "DONE";
    case StepFact::not_done:
        return "FAILED";
    case StepFact::unknown:
        break;
    }
    return "IN_DOUBT";
}

/// What a lost lease or session leaves: only a successor under a new fence may judge it.
Error interrupted(const StepReport& report) {
    return {
        Errc::target_unreachable,
        "Contact was lost during step " + report.id + ", so its fate is not known. " +
            report.problem,
        "It is found out from the target's ledger or the plan's probe once the lease has run out."};
}

void tell_transition(
    const Surroundings& around,
    const std::string& plan_id,
    PlanState from,
    PlanState to,
    const std::string& reason
) {
    around.metrics.count(
        telemetry::Counter::plan_transitions, {approval::name(from), approval::name(to)}
    );
    base::log_info(
        "plan.transition",
        {{"plan", plan_id},
         {"from", approval::name(from)},
         {"to", approval::name(to)},
         {"reason", reason}}
    );
}

std::vector<Reading> joined(const Sample& sample) {
    auto readings = sample.recovery;
    readings.insert(readings.end(), sample.guardrails.begin(), sample.guardrails.end());
    return readings;
}

/// The decisions that an execution stands on, as their statements name themselves.
std::string approval_ids(const approval::ApprovedPlan& approved) {
    std::string ids;
    for (const auto& decision : approved.approvals()) {
        ids.append(ids.empty() ? "" : ",").append(decision.statement.nonce);
    }
    return ids;
}

const char* direction(bool forward) {
    return forward ? "forward" : "back";
}

} // namespace

Execution::Execution(
    const Surroundings& around,
    const approval::ApprovedPlan& approved,
    const approval::Claim& claim,
    const std::string& trace_parent
)
    : around_(around),
      approved_(approved),
      plan_(approved.plan()),
      span_(around.tracer.start(
          "execute_plan", telemetry::SpanKind::internal, telemetry::parse_traceparent(trace_parent)
      )),
      lease_(around.queue, claim, around.clock, around.lease) {
    known_.forward.assign(plan_.steps.size(), StepFact::not_done);
    known_.back.assign(plan_.steps.size(), StepFact::not_done);
    span_.set("plan.id", approved.id());
    span_.set("plan.digest", approved.digest());
    span_.set("plan.runbook", plan_.runbook);
    span_.set("target", plan_.target.target);
    span_.set("approval.id", approval_ids(approved));
    span_.set("exec.fence", static_cast<std::int64_t>(claim.fence));
    outcome_.plan_id = approved.id();
    outcome_.plan_digest = approved.digest();
    outcome_.executor = around.executor;
    outcome_.fence = claim.fence;
    outcome_.verdict = "not_verified";
    outcome_.started_at = base::format_time(around.clock.now());
    for (const auto& decision : approved.approvals()) {
        outcome_.approvers.push_back(decision.statement.approver);
    }
}

Ending Execution::run() {
    return closed([&]() -> Result<Ending> {
        if (auto ready = begin(); !ready.ok()) {
            INTERLOCK_CHECK(lease_.hold()); // without authority there is nothing to record
            return conclude(PlanEvent::abort_clean, sentence(ready.error()));
        }
        const auto started = go(PlanEvent::start, "Every check before the first step holds.");
        if (!started.ok() && started.error().code == Errc::expired) {
            INTERLOCK_CHECK(lease_.hold()); // the approval ran out, not the lease
            return conclude(PlanEvent::abort_clean, sentence(started.error()));
        }
        INTERLOCK_CHECK(started);
        return run_steps();
    }());
}

Ending Execution::resume() {
    state_ = PlanState::in_doubt;
    outcome_.resumed = true;
    span_.set("exec.resumed", true);
    return closed(find_out());
}

Ending Execution::closed(Result<Ending> ending) {
    if (!ending.ok()) {
        base::log_error(
            "execution.left",
            {{"plan", approved_.id()},
             {"state", approval::name(state_)},
             {"why", sentence(ending.error())}}
        );
        span_.fail(base::name(ending.error().code), sentence(ending.error()));
        ending = Ending::left;
    }
    session_.reset();
    return *ending;
}

long long Execution::since_ms(base::Ticks start) const {
    return std::chrono::duration_cast<milliseconds>(around_.clock.ticks() - start).count();
}

// Before the first step ---------------------------------------------------------------------

Status Execution::begin() {
    auto span = around_.tracer.start("check_target", telemetry::SpanKind::client, span_.context());
    auto ready = prepare();
    tell_session(span);
    if (!ready.ok()) {
        span.fail(base::name(ready.error().code), sentence(ready.error()));
    }
    return ready;
}

Status Execution::prepare() {
    INTERLOCK_CHECK(open_session(/*end_orphans=*/false));
    INTERLOCK_CHECK(check_fingerprint());
    INTERLOCK_CHECK(session_->check_ledger());
    for (const auto& check : plan_.preconditions) {
        const auto reading = read_check(check, session_->observe(check.statement));
        if (reading.finding != Finding::holds) {
            return Error{
                Errc::changed,
                "A precondition does not hold. " + reading.why,
                "Diagnose again and propose a new plan."};
        }
    }
    const auto sample = read_sample(0);
    if (session_->broken()) {
        // Another session could be another server, of which nothing above was asked.
        return Error{
            Errc::target_unreachable,
            "The session with the target was lost before the first step.",
            "Check the target and the network, then propose the plan again."};
    }
    outcome_.baseline = joined(sample);
    crash_point("after_preconditions");
    return base::done;
}

Status Execution::open_session(bool end_orphans) {
    const auto prefix = session_prefix(approved_.id());
    INTERLOCK_TRY(
        session_,
        around_.targets.connect(plan_.target.target, prefix + std::to_string(lease_.claim().fence))
    );
    crash_point("after_connect");
    // An orphan of ours may be about to commit: nothing is judged or done beside it.
    if (end_orphans) {
        INTERLOCK_CHECK(lease_.hold());
        INTERLOCK_CHECK(session_->terminate_orphans(prefix, lease_.claim().fence));
    }
    const auto start = around_.clock.ticks();
    for (const auto key = lock_key(plan_.lease_key);;) {
        INTERLOCK_CHECK(lease_.hold());
        INTERLOCK_TRY(const bool locked, session_->try_lock(key));
        INTERLOCK_TRY(const int orphans, session_->count_orphans(prefix));
        if (locked && orphans == 0) {
            break;
        }
        if (around_.clock.ticks() - start >= limits::target_lock_wait) {
            return Error{
                Errc::timeout,
                orphans > 0 ? "An earlier session of this plan is still alive on the target."
                            : "Another execution holds the lock of this target.",
                "Wait for it to end, then propose the plan again."};
        }
        around_.clock.sleep_for(limits::target_lock_retry);
    }
    crash_point("after_target_lock");
    return base::done;
}

/// In the middle of an execution: what answers now may be another server, after a failover. Changed
/// says exactly that; any other error, that there is no usable session.
Status Execution::reopen_session() {
    session_.reset();
    auto opened = open_session(/*end_orphans=*/true);
    if (opened.ok()) {
        opened = check_fingerprint();
    }
    if (!opened.ok()) {
        session_.reset();
    }
    return opened;
}

Status Execution::check_fingerprint() {
    INTERLOCK_TRY(const auto found, session_->fingerprint());
    if (!(found == plan_.target)) {
        return Error{
            Errc::changed,
            "This is not the server the plan was made for: its " + difference(plan_.target, found) +
                " differ(s).",
            "Check the target's address and whether a failover happened, then propose again."};
    }
    return base::done;
}

/// Nobody while there is no session.
ActsAs Execution::acts_as() const {
    return session_ ? session_->acts_as() : ActsAs{};
}

void Execution::tell_session(telemetry::Span& span) const {
    if (session_) {
        const ActsAs& who = session_->acts_as();
        span.set("db.system.name", "postgresql");
        span.set("interlock.target", plan_.target.target);
        span.set("interlock.db.role", who.database_role);
        span.set("interlock.db.backend_pid", static_cast<std::int64_t>(who.backend_pid));
    }
}

std::vector<Reading> Execution::read_all(const std::vector<runbooks::Check>& checks) {
    std::vector<Reading> readings;
    readings.reserve(checks.size());
    for (const auto& check : checks) {
        readings.push_back(read_check(check, session_->observe(check.statement)));
    }
    return readings;
}

// Steps ---------------------------------------------------------------------------------------

Result<Ending> Execution::run_steps() {
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
        INTERLOCK_TRY(const auto end, run_step(i, /*forward=*/true));
        const auto& report = outcome_.steps.back();
        if (end == StepFact::unknown) {
            return interrupted(report);
        }
        if (end == StepFact::not_done) {
            const std::string why = "Step " + report.id + " failed. " + report.problem;
            if (i == 0) {
                return conclude(PlanEvent::abort_clean, why);
            }
            INTERLOCK_CHECK(go(PlanEvent::step_failed, why));
            return roll_back(why);
        }
        known_.forward[i] = StepFact::done;
        INTERLOCK_CHECK(go(PlanEvent::step_done, "Step " + report.id + " is done."));
        crash_point("after_done");
    }
    INTERLOCK_CHECK(go(PlanEvent::steps_complete, "Every step is done."));
    return verify();
}

Result<StepFact> Execution::run_step(std::size_t index, bool forward) {
    const auto& step = plan_.steps[index];
    auto span = around_.tracer.start("run_step", telemetry::SpanKind::client, span_.context());
    span.set("step.id", step.id);
    span.set("step.direction", direction(forward));
    span.set("plan.digest", approved_.digest());
    span.set("exec.fence", static_cast<std::int64_t>(lease_.claim().fence));
    INTERLOCK_CHECK(lease_.hold());
    INTERLOCK_CHECK(record(index, forward, "INTENT", ""));
    crash_point("after_intent");
    INTERLOCK_CHECK(lease_.hold());

    const auto start = around_.clock.ticks();
    const StepOrder order{
        {approved_.digest(),
         static_cast<int>(index),
         forward,
         lease_.claim().fence,
         around_.executor},
        forward ? step.statement : *step.inverse.statement,
        step.lock_timeout_ms,
        step.statement_timeout_ms,
        step.rows_expected};
    const auto attempt = session_->run_step(order, [&] { return lease_.hold(); });
    tell_session(span);
    span.set("db.response.returned_rows", static_cast<std::int64_t>(attempt.rows));
    if (attempt.result == StepAttempt::Result::committed) {
        crash_point("after_commit_before_done");
    }
    INTERLOCK_CHECK(lease_.hold()); // lost on the way: the successor finds out, not we
    const auto [end, known_by] = settle(index, forward, attempt);

    StepReport report;
    report.index = static_cast<int>(index);
    report.id = step.id;
    report.direction = direction(forward);
    report.state = state_of(end);
    report.known_by = known_by;
    report.rows = attempt.rows;
    report.elapsed_ms = since_ms(start);
    report.acts_as = acts_as();
    if (attempt.result != StepAttempt::Result::committed &&
        attempt.result != StepAttempt::Result::already_done) {
        report.problem = sentence(attempt.error);
        span.fail(base::name(attempt.error.code), report.problem);
    }
    outcome_.steps.push_back(report);
    around_.metrics.observe(
        telemetry::Histogram::execution_step_seconds,
        {plan_.runbook, base::lower_ascii(report.state)},
        static_cast<double>(report.elapsed_ms) / 1000.0
    );
    INTERLOCK_CHECK(record(index, forward, report.state.c_str(), report.problem));
    span.set("step.state", report.state);
    span.set("audit.leaf_index", static_cast<std::int64_t>(leaf_));
    return end;
}

std::pair<StepFact, std::string>
Execution::settle(std::size_t index, bool forward, const StepAttempt& attempt) {
    using Attempt = StepAttempt::Result;
    const auto& step = plan_.steps[index];
    if (attempt.result == Attempt::committed) {
        return {StepFact::done, "commit"};
    }
    if (attempt.result == Attempt::already_done) {
        return {StepFact::done, "ledger"};
    }
    if (!forward && session_->broken()) {
        return {StepFact::unknown, ""}; // not the inverse failed but the session: it is begun again
    }
    const bool transactional = step.step_class == runbooks::StepClass::transactional;
    if (attempt.result == Attempt::rolled_back && (transactional || !attempt.acted)) {
        return {StepFact::not_done, "commit"};
    }
    // An effect that outlives a rollback: the probe knows, if it can be asked right here.
    const bool may_probe =
        attempt.result == Attempt::rolled_back && forward && step.probe && !session_->broken();
    const auto finding = may_probe ? probe(*step.probe) : Finding::no_data;
    switch (finding) {
    case Finding::holds:
        return {StepFact::done, "probe"};
    case Finding::fails:
        return {StepFact::not_done, "probe"};
    case Finding::no_data:
        break;
    }
    return {StepFact::unknown, ""};
}

Finding Execution::probe(const runbooks::Check& check) {
    const auto start = around_.clock.ticks();
    while (true) {
        const auto reading = read_check(check, session_->observe(check.statement));
        const bool settled = around_.clock.ticks() - start >= limits::probe_settle;
        if (reading.finding != Finding::fails || settled) {
            return reading.finding;
        }
        around_.clock.sleep_for(limits::probe_retry);
    }
}

// After an interruption -----------------------------------------------------------------------

Result<Ending> Execution::find_out() {
    INTERLOCK_TRY(known_, recorded());
    const auto open = [](const std::vector<StepFact>& facts) {
        return std::find(facts.begin(), facts.end(), StepFact::unknown) != facts.end();
    };
    const bool must_ask = open(known_.forward) || open(known_.back);
    const auto none_done = std::all_of(known_.forward.begin(), known_.forward.end(), [](auto fact) {
        return fact == StepFact::not_done;
    });
    if (must_ask || !none_done) {
        INTERLOCK_CHECK(contact());
        if (auto asked = ask_target(known_); !asked.ok()) {
            INTERLOCK_CHECK(lease_.hold());
            return conclude(PlanEvent::resolve_human, sentence(asked.error()));
        }
    }
    const auto resolution = resolve(plan_, known_.forward, known_.rolling_back);
    switch (resolution.course) {
    case Course::verify:
        INTERLOCK_CHECK(go(PlanEvent::resolve_continue, resolution.reason));
        INTERLOCK_CHECK(go(PlanEvent::steps_complete, "Every step is done."));
        return verify();
    case Course::clean:
        return conclude(PlanEvent::resolve_clean, resolution.reason);
    case Course::roll_back:
        INTERLOCK_CHECK(go(PlanEvent::resolve_roll_back, resolution.reason));
        return roll_back(resolution.reason);
    case Course::human:
        break;
    }
    return conclude(PlanEvent::resolve_human, resolution.reason);
}

/// What the queue knows. A step whose INTENT was never recorded was never sent.
Result<Execution::Known> Execution::recorded() {
    Known known;
    known.forward.assign(plan_.steps.size(), StepFact::not_done);
    known.back.assign(plan_.steps.size(), StepFact::not_done);
    INTERLOCK_TRY(known.rolling_back, rollback_decided(around_.store, approved_.digest()));
    INTERLOCK_TRY(const auto runs, around_.queue.steps(approved_.id()));
    for (const auto& run : runs) {
        if (run.index < 0 || static_cast<std::size_t>(run.index) >= plan_.steps.size()) {
            return Error{
                Errc::corrupt,
                "The queue has a record of a step that the plan does not have.",
                "Compare the queue with the audit log."};
        }
        known.rolling_back = known.rolling_back || !run.forward;
        if (run.index == 0 && run.forward && outcome_.baseline.empty()) {
            outcome_.baseline = baseline_of(run.detail);
        }
        auto& fact =
            (run.forward ? known.forward : known.back)[static_cast<std::size_t>(run.index)];
        fact = run.state == "DONE"                               ? StepFact::done
               : run.state == "FAILED" || run.state == "SKIPPED" ? StepFact::not_done
                                                                 : StepFact::unknown;
    }
    return known;
}

/// A session with the lock held and no orphan left, within a bounded number of attempts.
Status Execution::contact() {
    for (int attempt = 1;; ++attempt) {
        INTERLOCK_CHECK(lease_.hold());
        session_.reset();
        auto opened = open_session(/*end_orphans=*/true);
        if (opened.ok()) {
            return base::done;
        }
        if (attempt >= limits::target_contact_attempts || around_.stop()) {
            return opened.error();
        }
        around_.clock.sleep_for(limits::target_contact_retry);
    }
}

/// Replaces every unknown by what ledger or probe say. An Error: the target cannot be believed.
Status Execution::ask_target(Known& known) {
    // After a failover the ledger may have lost its last rows: absence would prove nothing.
    INTERLOCK_CHECK(check_fingerprint());
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
        known.forward[i] = fact(i, /*forward=*/true, known.forward[i]);
        known.back[i] = fact(i, /*forward=*/false, known.back[i]);
        const bool unclear =
            known.forward[i] == StepFact::unknown || known.back[i] == StepFact::unknown;
        if (unclear) {
            return Error{
                Errc::internal,
                "It cannot be known whether step " + plan_.steps[i].id + " took effect.",
                "Look at the target and decide."};
        }
    }
    return base::done;
}

StepFact Execution::fact(std::size_t index, bool forward, StepFact recorded) {
    if (recorded != StepFact::unknown) {
        return recorded;
    }
    const auto& step = plan_.steps[index];
    StepReport report;
    report.index = static_cast<int>(index);
    report.id = step.id;
    report.direction = direction(forward);
    report.acts_as = acts_as();
    const auto tell = [&](StepFact fact, const char* known_by) {
        report.state = state_of(fact);
        report.known_by = known_by;
        outcome_.steps.push_back(report);
        // An inverse that did not happen will be begun again: it has no final state yet.
        if (fact == StepFact::unknown || (fact == StepFact::not_done && !forward)) {
            return fact;
        }
        const auto noted =
            record(index, forward, state_of(fact), "Found out after an interruption.");
        return noted.ok() ? fact : StepFact::unknown;
    };
    const auto has = session_->ledger_has(
        {approved_.digest(),
         static_cast<int>(index),
         forward,
         lease_.claim().fence,
         around_.executor}
    );
    if (!has.ok()) {
        return tell(StepFact::unknown, "");
    }
    if (has.value()) {
        return tell(StepFact::done, "ledger");
    }
    if (step.step_class == runbooks::StepClass::transactional) {
        return tell(StepFact::not_done, "ledger");
    }
    const auto finding = forward && step.probe ? probe(*step.probe) : Finding::no_data;
    switch (finding) {
    case Finding::holds:
        return tell(StepFact::done, "probe");
    case Finding::fails:
        return tell(StepFact::not_done, "probe");
    case Finding::no_data:
        break;
    }
    return tell(StepFact::unknown, "");
}

// Verification and rollback ---------------------------------------------------------------------

Result<Ending> Execution::verify() {
    auto verdict = judge(); // its span ends before what follows from it begins
    return verdict.ok() ? act_on(*verdict) : Result<Ending>(verdict.error());
}

Result<Judgement> Execution::judge() {
    auto span = around_.tracer.start("verify", telemetry::SpanKind::client, span_.context());
    span.set("plan.digest", approved_.digest());
    span.set("exec.fence", static_cast<std::int64_t>(lease_.claim().fence));
    auto rules = plan_.verification;
    rules.interval_ms =
        std::max<long long>(rules.interval_ms, limits::verification_interval_min.count());
    const auto start = around_.clock.ticks();
    while (true) {
        INTERLOCK_CHECK(lease_.hold());
        auto sample = take_sample(since_ms(start));
        if (!sample.ok()) {
            span.fail(base::name(sample.error().code), sentence(sample.error()));
            return Judgement{Verdict::inconclusive, sentence(sample.error())};
        }
        tell_session(span); // of the last sample: a lost session is opened again
        outcome_.samples.push_back(std::move(sample).value());
        crash_point("during_verify");
        const auto judgement = judge_samples(rules, outcome_.samples, since_ms(start));
        if (judgement.verdict != Verdict::undecided) {
            span.set("verification.verdict", name(judgement.verdict));
            span.set("verification.samples", static_cast<std::int64_t>(outcome_.samples.size()));
            return judgement;
        }
        if (wait(milliseconds{rules.interval_ms})) {
            return Error{
                Errc::cancelled,
                "The executor was asked to stop while it verified.",
                "Verification begins again when an executor runs."};
        }
    }
}

/// A session lost meanwhile is opened again; until then there are no data, which is no success. An
/// Error: what answers now is another server than the one the plan changed.
Result<Sample> Execution::take_sample(long long at_ms) {
    if (session_ && !session_->broken()) {
        return read_sample(at_ms);
    }
    const auto opened = reopen_session();
    if (opened.ok()) {
        return read_sample(at_ms);
    }
    if (opened.error().code == Errc::changed) {
        return opened.error();
    }
    const auto blind = [&](const std::vector<runbooks::Check>& checks) {
        std::vector<Reading> readings;
        readings.reserve(checks.size());
        for (const auto& check : checks) {
            readings.push_back(read_check(check, opened.error()));
        }
        return readings;
    };
    return Sample{at_ms, blind(plan_.verification.recovery), blind(plan_.verification.guardrails)};
}

Sample Execution::read_sample(long long at_ms) {
    return {at_ms, read_all(plan_.verification.recovery), read_all(plan_.verification.guardrails)};
}

/// True when an orderly end was requested meanwhile.
bool Execution::wait(milliseconds duration) {
    constexpr milliseconds slice{200}; // a stop request waits no longer than this
    for (auto left = duration; left.count() > 0; left -= slice) {
        if (around_.stop()) {
            return true;
        }
        around_.clock.sleep_for(std::min(left, slice));
    }
    return around_.stop();
}

Result<Ending> Execution::act_on(const Judgement& judgement) {
    outcome_.verdict = name(judgement.verdict);
    switch (judgement.verdict) {
    case Verdict::recovered:
        return conclude(PlanEvent::recover, judgement.reason);
    case Verdict::harm:
        INTERLOCK_CHECK(go(PlanEvent::harm, judgement.reason));
        return roll_back(judgement.reason);
    case Verdict::not_recovered:
        if (!without_inverse(plan_, known_.forward).empty()) {
            // There is nothing to keep or to take back: a person must look for another way.
            INTERLOCK_CHECK(go(PlanEvent::roll_back, judgement.reason));
            return roll_back(judgement.reason);
        }
        return conclude(PlanEvent::inconclusive, judgement.reason);
    case Verdict::inconclusive:
    case Verdict::undecided:
        break;
    }
    return conclude(PlanEvent::inconclusive, judgement.reason);
}

/// Before an inverse: a session, and with the server that the step was done on.
Status Execution::same_target() {
    if (session_ && !session_->broken()) {
        return base::done;
    }
    INTERLOCK_CHECK(contact());
    return check_fingerprint();
}

/// From ROLLING_BACK: inverses of the done steps in strict reverse order, or a person.
Result<Ending> Execution::roll_back(const std::string& why) {
    auto span = around_.tracer.start("roll_back", telemetry::SpanKind::internal, span_.context());
    span.set("plan.digest", approved_.digest());
    span.set("exec.fence", static_cast<std::int64_t>(lease_.claim().fence));
    auto ending = undo(why);
    if (!ending.ok()) {
        span.fail(base::name(ending.error().code), sentence(ending.error()));
    }
    span.set("plan.state", outcome_.state);
    span.set("audit.leaf_index", static_cast<std::int64_t>(leaf_));
    return ending;
}

Result<Ending> Execution::undo(const std::string& why) {
    if (const auto stuck = without_inverse(plan_, known_.forward); !stuck.empty()) {
        std::string text = why + " It cannot be undone:";
        for (const auto& step : plan_.steps) {
            if (std::find(stuck.begin(), stuck.end(), step.id) != stuck.end()) {
                text += " step " + step.id + ", " + step.inverse.absence_reason;
            }
        }
        return conclude(PlanEvent::inverse_failed, text);
    }
    for (std::size_t i = plan_.steps.size(); i-- > 0;) {
        if (known_.forward[i] != StepFact::done || known_.back[i] == StepFact::done) {
            continue;
        }
        if (auto same = same_target(); !same.ok()) {
            if (same.error().code != Errc::changed) {
                return same.error(); // nothing was begun: the successor goes on
            }
            INTERLOCK_CHECK(lease_.hold());
            return conclude(
                PlanEvent::inverse_failed, why + " It was not undone: " + sentence(same.error())
            );
        }
        INTERLOCK_TRY(const auto end, run_step(i, /*forward=*/false));
        const auto& report = outcome_.steps.back();
        if (end == StepFact::unknown) {
            return interrupted(report);
        }
        if (end == StepFact::not_done) {
            return conclude(
                PlanEvent::inverse_failed,
                why + " Undoing step " + report.id + " failed. " + report.problem
            );
        }
        known_.back[i] = StepFact::done;
        INTERLOCK_CHECK(go(PlanEvent::step_done, "Step " + report.id + " is undone."));
    }
    const auto after = take_sample(0);
    if (!after.ok()) {
        return conclude(
            PlanEvent::inverse_failed,
            why + " Everything was undone, but what answers now is not where it was done. " +
                sentence(after.error())
        );
    }
    outcome_.after_rollback = joined(*after);
    return conclude(PlanEvent::rolled_back, why + " Everything that was done is undone.");
}

// Records -----------------------------------------------------------------------------------------

Status
Execution::record(std::size_t index, bool forward, const char* state, const std::string& detail) {
    approval::StepRun run;
    run.plan_id = approved_.id();
    run.index = static_cast<int>(index);
    run.forward = forward;
    run.state = state;
    run.fence = lease_.claim().fence;
    run.detail = step_detail(
        detail, index == 0 && forward ? outcome_.baseline : std::vector<Reading>{}, acts_as()
    );
    return around_.queue.record_step(lease_.claim(), run, &leaf_);
}

Status Execution::go(PlanEvent event, const std::string& reason) {
    INTERLOCK_CHECK(lease_.hold());
    INTERLOCK_TRY(const auto next, around_.queue.advance(lease_.claim(), event, reason, &leaf_));
    tell_transition(around_, approved_.id(), state_, next, reason);
    state_ = next;
    return base::done;
}

Result<Ending> Execution::conclude(PlanEvent event, const std::string& reason) {
    INTERLOCK_CHECK(lease_.hold());
    outcome_.reason = reason;
    INTERLOCK_CHECK(record_end(around_, lease_.claim(), state_, event, outcome_, &leaf_));
    span_.set("audit.leaf_index", static_cast<std::int64_t>(leaf_));
    span_.set("plan.state", outcome_.state);
    span_.set("verification.verdict", outcome_.verdict);
    return outcome_.state == approval::name(PlanState::succeeded) ? Ending::succeeded
                                                                  : Ending::ended;
}

Status record_end(
    const Surroundings& around,
    const approval::Claim& claim,
    PlanState from,
    PlanEvent event,
    Outcome& outcome,
    std::uint64_t* leaf
) {
    INTERLOCK_TRY(const auto state, approval::next_state(from, event));
    outcome.state = approval::name(state);
    outcome.finished_at = base::format_time(around.clock.now());
    INTERLOCK_TRY(outcome.log_position, around.queue.log_position());
    const auto document = sign_outcome(outcome, around.key);
    INTERLOCK_CHECK(around.journal.keep(claim, document));
    INTERLOCK_CHECK(around.queue.advance(claim, event, outcome.reason, leaf));
    tell_transition(around, claim.plan_id, from, state, outcome.reason);
    crash_point("after_verify_before_finish");
    INTERLOCK_CHECK(around.queue.finish(claim, document));
    around.journal.drop(claim.plan_id);
    crash_point("after_finish");
    return base::done;
}

Status end_without_execution(
    const Surroundings& around,
    const approval::StoredPlan& stored,
    const approval::Claim& claim,
    PlanState from,
    PlanEvent event,
    const std::string& reason
) {
    Outcome outcome;
    outcome.plan_id = stored.id;
    outcome.plan_digest = stored.digest;
    outcome.executor = around.executor;
    outcome.fence = claim.fence;
    outcome.verdict = "not_verified";
    outcome.reason = reason;
    outcome.started_at = base::format_time(around.clock.now());
    return record_end(around, claim, from, event, outcome);
}

} // namespace interlock::executor
