// The outcome document: what an execution did and saw, as JSON that people and programs read, with
// the executor's Ed25519 signature in it. A change of any byte of its content is noticed.
#pragma once

#include "base/digest.hpp"
#include "base/result.hpp"
#include "executor/target.hpp"
#include "executor/verification.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::executor {

struct StepReport {
    int index = 0;
    std::string id;
    std::string direction; // "forward" | "back"
    std::string state;     // DONE | FAILED | IN_DOUBT
    std::string known_by;  // "commit" | "ledger" | "probe" | "queue"
    long long rows = 0;
    long long elapsed_ms = 0;
    std::string problem; // "" when there was none
    ActsAs acts_as = {}; // who did it, or looked whether it had been done
};

struct Outcome {
    std::string plan_id;
    std::string plan_digest;
    std::string executor;
    long long fence = 0;
    std::string state;   // the plan's, at the end
    std::string verdict; // of the verification, or "not_verified"
    std::string reason;  // one sentence or two
    std::string started_at;
    std::string finished_at;
    bool resumed = false; // another execution was interrupted before this one
    std::vector<std::string> approvers;
    std::vector<Reading> baseline; // before the first step
    std::vector<StepReport> steps;
    std::vector<Sample> samples;
    std::vector<Reading> after_rollback;
    std::string log_position; // size:root of the audit log at the end
};

/// Sorted, compact JSON; samples past limits::verification_samples_kept are left out in the middle
/// and counted.
std::string sign_outcome(const Outcome& outcome, const base::SigningKey& key);
/// invalid_signature when the document was not signed by this key or was changed.
base::Status verify_outcome(std::string_view document, std::string_view public_key32);

/// The audit payload of a plan that was not begun.
std::string refusal_payload(const std::string& plan_id, const std::string& why);

/// What is kept beside a step's state: its problem, as whom the target was talked to, and the
/// baseline, which only the execution that ran the first step can read.
std::string step_detail(
    const std::string& problem, const std::vector<Reading>& baseline, const ActsAs& acts_as
);
/// The baseline of such a detail; empty when there is none.
std::vector<Reading> baseline_of(std::string_view detail);

} // namespace interlock::executor
