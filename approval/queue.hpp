// The queue in which plans wait for people. Every transition is one transaction: compare-and-set
// on state and version, the decision or execution row, and the audit leaf. The store's clock
// decides expiry. One class for both stores: it speaks the SQL subset of base/db/store.hpp.
#pragma once

#include "approval/decision.hpp"
#include "approval/state.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"
#include "telemetry/identity.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace interlock::approval {

struct StoredDecision {
    SignedDecision signed_decision;
    DecisionStatement statement;
    std::string assurance;
    std::string recorded_at; // store clock
    std::string key_fingerprint;
};

struct StoredPlan {
    std::string id; // plan_...
    PlanState state = PlanState::pending;
    long long version = 0;    // grows with every change; compare-and-set
    std::string bytes;        // the plan's exact bytes
    std::string digest;       // as recorded at submission, hex; recompute before use
    std::string presentation; // bytes
    std::string requester;    // subject
    std::string requester_client;
    std::string created_at;
    std::string expires_at;                // of the present state, store clock
    std::string state_reason;              // why it is in this state, for people
    std::string outcome;                   // JSON: what the executor reported, "" before
    std::string trace_parent;              // of the proposing call
    std::uint64_t leaf = 0;                // of the audit log: the last one written about it here
    std::vector<StoredDecision> decisions; // in the order recorded
    /// Everybody who asked for these effects, the requester first: none of them may approve.
    std::vector<std::string> requesters;
};

struct Submission {
    runbooks::Plan plan; // attempt is set by the queue
    runbooks::Presentation presentation;
    telemetry::Identity requester;
    std::string trace_parent;
    std::string tool = {}; // that proposes it; "" = none
};

struct SubmitResult {
    std::string id;
    std::string digest;
    PlanState state = PlanState::pending;
    bool joined = false; // the same effects were already open: this is that plan
    std::string expires_at;
    std::uint64_t leaf = 0; // of the audit log
};

/// Authority to run one plan, fenced. Every write of the executor names it.
struct Claim {
    std::string plan_id;
    std::string executor;
    long long fence = 0;
    std::string lease_until;
};

struct StepRun {
    std::string plan_id;
    int index = 0;
    bool forward = true;
    std::string state; // INTENT | DONE | FAILED | IN_DOUBT | SKIPPED
    long long fence = 0;
    std::string detail; // JSON
    std::string at;
};

enum class PlanOrder {
    newest_first,
    oldest_first,  // who waited longest is served first
    waiting_first, // PENDING, then what is open, runs or needs a person, then the rest; newest
                   // first
};

struct PlanFilter {
    std::vector<PlanState> states; // empty = all
    std::string requester;         // who asked, first or later; "" = anyone
    std::size_t count_max = 100;   // of these, in this order, the first
    PlanOrder order = PlanOrder::newest_first;
};

/// How the queue stands, and what happened lately: for metrics.
struct QueueSummary {
    struct InState {
        PlanState state = PlanState::pending;
        std::size_t plans = 0;
        double oldest_seconds = 0; // since the oldest was submitted; 0 for states that are final
    };
    struct Took {
        std::string what; // the verdict ("approve", "reject"), or the state a plan ended in
        double seconds = 0;
    };
    std::vector<InState> states;  // those that have plans
    std::vector<Took> decisions;  // from submission to the decision
    std::vector<Took> executions; // from the claim to the end
    std::size_t audit_leaves = 0;
    std::string until; // the store's clock: `since` of the next look
};

class Queue {
public:
    /// `lease_lifetime`: how long a claim lasts without renewal, by the store's clock.
    Queue(
        db::Store& store,
        base::Random& random,
        std::chrono::milliseconds lease_lifetime = base::limits::lease_lifetime
    );
    /// Makes the tables (queue and audit) when absent.
    base::Status create_tables();

    // What the server may do.
    /// PENDING, or BLOCKED (recorded, final) when policy_verdict is "deny". The same effects while
    /// they are open or running are joined, and whoever joins before the decision counts as a
    /// requester too.
    base::Result<SubmitResult> submit(const Submission& submission);
    base::Status withdraw(
        const std::string& plan_id, const telemetry::Identity& requester, const std::string& reason
    );

    // What people may do (CLI, desk). Verifies before it records; see decision.hpp.
    /// Counts one verified decision: requester is not approver, one vote per person, nonce unused,
    /// digest equal to the stored bytes' own, not expired by the store's clock. Returns the new
    /// state.
    /// `leaf`, here and below: told the audit log's index of what was recorded.
    base::Result<PlanState>
    decide(const SignedDecision& decision, const ApproverKeys& keys, std::uint64_t* leaf = nullptr);

    // What anyone with access to the store may do.
    base::Result<StoredPlan> get(const std::string& plan_id);
    base::Result<std::vector<StoredPlan>> list(const PlanFilter& filter);
    /// All plans there are, to say how many a list leaves out.
    base::Result<std::size_t> count();
    /// Plans by state, and at most limits::plans_listed_max each of the decisions and executions
    /// that were recorded after `since` (RFC 3339, the store's clock; "" = none of them).
    base::Result<QueueSummary> summary(const std::string& since);
    /// Moves everything past its time to EXPIRED; returns how many.
    base::Result<int> expire_due();
    /// size:root of the audit log, for a decision statement.
    base::Result<std::string> log_position();

    // What the executor may do. Each checks fence, state and version.
    /// APPROVED -> CLAIMED and the target's lease, in one transaction; conflict when another plan
    /// holds the lease_key or somebody else was first. `verified_digest` is what the executor
    /// verified: it must still be the stored one. State and requesters must be those that the audit
    /// log recorded (recorded_history.hpp): corrupt or changed otherwise.
    base::Result<Claim> claim(
        const std::string& plan_id, const std::string& verified_digest, const std::string& executor
    );
    /// Takes over a running plan whose lease has run out: a new fence, state IN_DOUBT. What the
    /// audit log does not record as running is not taken over.
    base::Result<Claim> take_over(const std::string& plan_id, const std::string& executor);
    /// `expired` once the lease has run out: authority is lost and only take_over gives it back.
    base::Status renew(Claim& claim);
    /// Not for claim and lose_contact, which are claim() and take_over(). A final state releases
    /// the lease in the same transaction. `start` needs a live lease and an unexpired approval.
    base::Result<PlanState> advance(
        const Claim& claim,
        PlanEvent event,
        const std::string& reason,
        std::uint64_t* leaf = nullptr
    );
    /// One committed effect per step and direction: after DONE nothing is recorded. INTENT needs a
    /// live lease and EXECUTING (forward) or ROLLING_BACK (back).
    base::Status
    record_step(const Claim& claim, const StepRun& step, std::uint64_t* leaf = nullptr);
    base::Result<std::vector<StepRun>> steps(const std::string& plan_id);
    /// Stores the outcome document and releases the lease. Only in a final state or in HOLD.
    base::Status finish(const Claim& claim, const std::string& outcome_json);
    /// Running plans whose lease has run out.
    base::Result<std::vector<std::string>> abandoned();

private:
    db::Store& store_;
    base::Random& random_;
    std::chrono::milliseconds lease_lifetime_;
};

} // namespace interlock::approval
