// Whether the records of a plan's steps, its signed outcome, and the list of steps beside it tell
// of the same run. A record of a step that was taken away shows in what the others still say.
#pragma once

#include "base/json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::cli {

/// A record of type step.*, as its payload tells it.
struct StepRecord {
    std::uint64_t leaf = 0;
    long long index = 0;
    bool forward = true;
    std::string state; // INTENT | DONE | FAILED | IN_DOUBT | SKIPPED
    long long fence = 0;
    std::string at = {};
    std::string detail = {};
};
/// nullopt: its payload says nothing of a step (it may be erased).
std::optional<StepRecord> read_step(
    std::uint64_t leaf, std::string_view type, const base::Json& payload, std::string_view at = {}
);

// Each finds one sentence a problem, without a full stop.

/// A step is intended before it is anything else, and nothing follows its end.
std::vector<std::string> check_step_order(const std::vector<StepRecord>& records);
/// `what` says so ("the records say that ..."), and one of `count` steps is not recorded as done.
std::vector<std::string>
check_every_step(const std::vector<StepRecord>& records, std::size_t count, const char* what);
/// Everything that was done was undone.
std::vector<std::string> check_undone(const std::vector<StepRecord>& records);
/// The outcome tells what its executor recorded under its fence, and nothing else.
std::vector<std::string>
check_outcome_steps(const std::vector<StepRecord>& records, const base::Json& outcome);
/// The list beside the plan holds the last state of each step, and what was recorded with it.
std::vector<std::string>
check_listed_steps(const std::vector<StepRecord>& records, const base::Json& list);

} // namespace interlock::cli
