// The audit bundle: what is exported of the log, so that somebody without the store, the network or
// trust in us can check it. How its files are named, and its verification.
//
//   manifest.json                       what it is, and what was asked for
//   checkpoint.note, checkpoint.vkey    the signed checkpoint that every proof leads to
//   checkpoints/NAME.{note,vkey,consistency}  earlier ones that it continues
//   records/INDEX/header.json           the leaf's bytes
//   records/INDEX/{salt,payload.json}   what it commits to; absent when erased
//   records/INDEX/proof.tlog-proof      c2sp.org/tlog-proof@v1
//   witnesses/INDEX/{header.json,proof.tlog-proof}  of a period: the records just outside, without
//                                       what they say, so that its ends can be told
//   (among the records: the calls that asked for its plans, and the erasures that it shows)
//   plans/DIGEST/plan.json              the exact bytes of a plan
//   plans/DIGEST/{presentation,about,steps,outcome}.json
//   plans/DIGEST/decisions/NN.json      what a person signed, NN.json.sig how, and
//                                       NN.signers whose key it was, as of then
#pragma once

#include "base/result.hpp"
#include "cli/audit_bundle_names.hpp"
#include "cli/audit_plan_check.hpp"
#include "cli/tar.hpp"
#include "telemetry/kept_checkpoints.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace interlock::cli {

inline constexpr const char* bundle_format = "interlock-audit-bundle@2";
/// Without the calls that asked, and with less in its manifest and about.json. Still read, and
/// never called whole: what it lacks cannot be told from what was taken out of it.
inline constexpr const char* bundle_format_older = "interlock-audit-bundle@1";
/// What the reader brings along instead of taking it from the bundle.
struct BundleTrust {
    std::optional<telemetry::SignedNote> earlier; // a checkpoint kept from before
    std::string verifier_key;               // the only one that may sign; "" = the bundle's own
    std::vector<std::string> executor_keys; // that may sign outcomes; none = the bundle's
    std::string allowed_signers;            // file of approvers' keys; "" = as recorded in the log
};

/// What the bundle says that it covers: one plan, an incident, or a period.
struct BundleScope {
    std::string plan_id;
    std::string incident;
    std::string from;                   // "" = from the first record
    std::string to;                     // "" = up to the checkpoint
    std::optional<std::uint64_t> first; // of the period's records
    std::uint64_t last = 0;
};

struct BundleReport {
    std::string origin;
    std::uint64_t log_size = 0;
    std::string verifier_key; // what the checkpoint was held against
    bool key_was_given = false;
    BundleScope scope;
    std::uint64_t records = 0;
    std::uint64_t proven = 0; // of these
    std::uint64_t witnesses = 0;
    std::uint64_t erased = 0;
    std::uint64_t earlier_checkpoints = 0;
    std::vector<PlanReport> plans;
    std::vector<std::string> problems;  // one sentence each
    std::vector<std::string> not_known; // what this bundle can neither show nor rule out
    std::vector<std::string> not_shown; // what no bundle of what was asked for can: no flaw of it
};
/// Reads nothing but the files and what `trust` names. An Error when it is no bundle at all.
base::Result<BundleReport> check_bundle(const Files& files, const BundleTrust& trust);

} // namespace interlock::cli
