// The files of one plan in a bundle: copies of the queue's rows, made here, and held here against
// what the log's records say, for whoever can write the queue can write its rows.
#pragma once

#include "approval/queue.hpp"
#include "cli/tar.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace interlock::cli {

/// `signers`: of each signed statement, the lines of allowed_signers that were recorded with it.
Files plan_files(
    const approval::StoredPlan& plan,
    const std::vector<approval::StepRun>& steps,
    const std::map<std::string, std::string>& signers
);

struct RecordedDecision {
    std::string statement;
    std::string signature;
    std::string signers;
};
/// What a plan's records say of it. nullopt: the payload that said it was erased.
struct RecordedFacts {
    std::string plan_id;
    std::optional<approval::PlanState> state;
    std::optional<long long> version;
    std::optional<std::string> state_reason;
    std::optional<std::string> expires_at;
    std::optional<std::string> client;
    std::optional<std::string> trace_parent;
    std::string created_at;
    std::vector<std::string> requesters;
    std::vector<std::optional<RecordedDecision>> decisions; // in their order
    bool steps = false;                                     // there are records of steps
    bool older_form = false; // of a bundle whose about.json said less
};
struct Comparison {
    std::vector<std::string> problems; // one sentence each, without a full stop
    std::vector<std::string> not_known;
};
/// about.json, decisions/, and that no file is missing or too many. What plan.json, steps.json and
/// outcome.json say is the plan check's.
Comparison compare_plan_files(const Files& files, const RecordedFacts& recorded);

} // namespace interlock::cli
