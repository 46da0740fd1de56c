// One claimed plan, driven to an end: session and checks, steps under the ledger, verification,
// rollback. Every failure has a state and a sentence. It stops before the next thing it would do
// when its lease is lost or the store refuses a record; what it leaves, a successor finds out.
#pragma once

#include "approval/approved_plan.hpp"
#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "executor/lease.hpp"
#include "executor/outcome.hpp"
#include "executor/outcome_journal.hpp"
#include "executor/resolution.hpp"
#include "executor/target.hpp"
#include "executor/verification.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace interlock::executor {

/// What an execution works with; all of it outlives the execution.
struct Surroundings {
    approval::Queue& queue;
    db::Store& store; // the queue's own, for its audit log
    TargetDoor& targets;
    base::Clock& clock;
    telemetry::Tracer& tracer;
    telemetry::Metrics& metrics;
    OutcomeJournal& journal;
    const base::SigningKey& key;
    std::string executor; // this process, in claims and in the ledger
    LeaseOptions lease;
    std::function<bool()> stop; // asked between samples: an orderly end was requested
};

enum class Ending {
    succeeded, // SUCCEEDED
    ended,     // another end or HOLD, with its reason
    left,      // not ended: the successor goes on when the lease has run out
};

class Execution {
public:
    /// `trace_parent`: the proposing call's, so that one trace shows the whole way.
    Execution(
        const Surroundings& around,
        const approval::ApprovedPlan& approved,
        const approval::Claim& claim,
        const std::string& trace_parent
    );

    /// From CLAIMED.
    Ending run();
    /// From IN_DOUBT, after Queue::take_over: finds out what was done, then verifies, undoes or
    /// ends. Never repeats an action whose fate is not known.
    Ending resume();

private:
    struct Known {
        std::vector<StepFact> forward;
        std::vector<StepFact> back;
        bool rolling_back = false;
    };

    base::Status begin();
    base::Status prepare();
    base::Status open_session(bool end_orphans);
    base::Status reopen_session();
    base::Status check_fingerprint();
    base::Result<Ending> run_steps();
    base::Result<StepFact> run_step(std::size_t index, bool forward);
    std::pair<StepFact, std::string>
    settle(std::size_t index, bool forward, const StepAttempt& attempt);
    Finding probe(const runbooks::Check& check);

    base::Result<Ending> find_out();
    base::Result<Known> recorded();
    base::Status contact();
    base::Status ask_target(Known& known);
    StepFact fact(std::size_t index, bool forward, StepFact recorded);

    base::Result<Ending> verify();
    base::Result<Sample> take_sample(long long at_ms);
    Sample read_sample(long long at_ms);
    ActsAs acts_as() const;
    void tell_session(telemetry::Span& span) const;
    std::vector<Reading> read_all(const std::vector<runbooks::Check>& checks);
    bool wait(std::chrono::milliseconds duration);
    base::Result<Judgement> judge();
    base::Result<Ending> act_on(const Judgement& judgement);
    base::Status same_target();
    base::Result<Ending> roll_back(const std::string& why);
    base::Result<Ending> undo(const std::string& why);

    base::Status
    record(std::size_t index, bool forward, const char* state, const std::string& detail);
    base::Status go(approval::PlanEvent event, const std::string& reason);
    base::Result<Ending> conclude(approval::PlanEvent event, const std::string& reason);
    Ending closed(base::Result<Ending> ending);
    long long since_ms(base::Ticks start) const;

    const Surroundings& around_;
    const approval::ApprovedPlan& approved_;
    const runbooks::Plan& plan_;
    telemetry::Span span_;
    std::uint64_t leaf_ = 0; // of the audit log: what was recorded last
    Lease lease_;
    approval::PlanState state_ = approval::PlanState::claimed;
    std::unique_ptr<TargetSession> session_;
    Known known_;
    Outcome outcome_;
};

/// Records the end of a claimed plan: final state, then the signed outcome, which a crash between
/// the two does not lose. Fills in the outcome's state and times.
base::Status record_end(
    const Surroundings& around,
    const approval::Claim& claim,
    approval::PlanState from,
    approval::PlanEvent event,
    Outcome& outcome,
    std::uint64_t* leaf = nullptr // of the audit log: the end
);

/// Ends a claimed plan that may not be executed at all (its approval does not verify any more):
/// records the event with its reason, and an outcome without steps.
base::Status end_without_execution(
    const Surroundings& around,
    const approval::StoredPlan& stored,
    const approval::Claim& claim,
    approval::PlanState from,
    approval::PlanEvent event,
    const std::string& reason
);

} // namespace interlock::executor
