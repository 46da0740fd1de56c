// One plan's story as its records tell it, held against its bytes, its signatures and the clock:
// who approved what bytes, when, by which key; whether the same bytes ran, and in time; and whether
// something is missing in between.
#pragma once

#include "cli/tar.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace interlock::cli {

/// A record of the plan whose leaf and proof hold.
struct PlanRecord {
    std::uint64_t index = 0;
    std::string time;
    std::string type;
    std::string actor;
    std::optional<std::string> payload; // absent when erased
};

struct DecisionReport {
    std::uint64_t leaf = 0;
    std::string verdict;
    std::string approver;
    std::string recorded_at;
    std::string key; // fingerprint
    std::string assurance;
    bool signature = false;  // holds over the statement, by a key that could speak then
    bool same_bytes = false; // the statement names the digest of the plan's bytes
};

struct PlanReport {
    std::string plan_id;
    std::string digest;
    std::string runbook;
    std::string target;
    std::string requested_by;
    std::string requested_at;
    std::vector<DecisionReport> decisions;
    std::string approved_until; // "" = never approved
    std::string started_at;     // "" = never run
    std::string executor;
    std::optional<bool> expiry_kept;    // of what ran
    std::optional<bool> same_bytes_ran; // nullopt: nothing ran
    std::string state;                  // after its last record
    bool outcome_signed = false;
    std::vector<std::string> problems;
};

struct PlanEvidence {
    std::string digest;              // as the leaves name it
    Files files;                     // of the plan, without its directory
    std::vector<PlanRecord> records; // in the order of the log
    std::string executor_key;        // verifier key, "" = unknown
    std::string allowed_signers;     // a file; "" = the lines recorded with each decision
};
PlanReport check_plan(const PlanEvidence& evidence);

} // namespace interlock::cli
