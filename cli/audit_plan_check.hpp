// One plan's story as its records tell it, held against its bytes, its signatures and the clock:
// who approved what bytes, when, by which key; whether the same bytes ran, and in time; and whether
// something is missing in between.
#pragma once

#include "cli/audit_asking.hpp"
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
    std::string erased;                 // "erased on ..., by ...: ..."; "" = no record tells of it
};

struct DecisionReport {
    std::uint64_t leaf = 0;
    std::string verdict;
    std::string approver;
    std::string recorded_at;
    std::string key; // fingerprint
    std::string assurance;
    std::string decided_at;         // by the approver's clock
    std::string reason;             // the person's, "" = none
    std::string erased;             // why nothing of it can be verified any more; "" = it can
    std::optional<bool> signature;  // holds over the statement, by a key that could speak then
    std::optional<bool> same_bytes; // the statement names the digest of the plan's bytes
};

/// Who says that a key is an executor's: nobody, a checkpoint that stands beside the plan, or
/// whoever verifies it.
enum class Vouched { nobody, by_bundle, by_reader };

struct PlanReport {
    std::string plan_id;
    std::string digest;
    std::string runbook;
    std::string target;
    std::string requested_by;
    std::optional<AskingCall> asked; // on whose authority
    std::string hypothesis;          // why, in the words of who asked
    std::string incident;            // "" = none
    std::string requested_at;
    std::vector<DecisionReport> decisions;
    std::string approved_until; // "" = never approved
    std::string started_at;     // "" = never run
    std::string executor;
    std::optional<bool> expiry_kept;    // of what ran
    std::optional<bool> same_bytes_ran; // of these two, nullopt: nothing ran, or it is not known
    std::string state;                  // after its last record
    bool outcome_signed = false;
    std::string outcome_key; // verifier key of who signed the outcome; "" = nobody
    Vouched outcome_key_vouched = Vouched::nobody;
    std::vector<std::string> problems;
    std::vector<std::string> not_known; // what the bundle can neither show nor rule out
    std::vector<std::string> erased;    // the same, since payloads were erased on the record
};

/// Where the evidence was found.
enum class Place { bundle, older_bundle, store };

struct PlanEvidence {
    Place place = Place::bundle;
    std::string digest;                     // as the leaves name it
    Files files;                            // of the plan, without its directory
    std::vector<PlanRecord> records;        // in the order of the log
    std::vector<std::string> executor_keys; // verifier keys, none = unknown
    bool executor_keys_given = false;       // by the reader; else the place's own word
    const AskingCalls* calls = nullptr; // those among which the asking one may be; null = unread
    bool nothing_follows = false;       // the whole log after the last record is there
    std::string allowed_signers;        // a file; "" = the lines recorded with each decision
};
PlanReport check_plan(const PlanEvidence& evidence);

} // namespace interlock::cli
