// What is stopped, as people are shown and told it: the brakes in force, each with what led to it.
// Everything in it may be somebody else's text.
#pragma once

#include "approval/brakes.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace interlock::desk {

/// One call of a suspended identity.
struct TranscriptEntry {
    std::string at;
    std::string tool;
    std::string arguments; // masked when they were recorded
    std::string outcome;
};

struct BrakeView {
    approval::Brake brake;
    std::vector<TranscriptEntry> transcript; // the last calls; empty for a person's brake
};

/// Those in force from this leaf on, the oldest first; at most so many.
base::Result<std::vector<BrakeView>>
brakes_from(db::Store& store, std::uint64_t first_leaf, std::size_t count_max);

/// The command that lifts it, with every foreign word quoted for a shell.
std::string lift_command(const approval::Brake& brake);
/// For /api/brakes, harmless wherever it is pasted.
std::string brakes_json(const std::vector<BrakeView>& brakes);
/// What a chat's incoming webhook is sent: `text` for people, the rest for programs. `id` names
/// this brake for ever, so that a receiver can tell a repetition.
std::string notification(const BrakeView& view, const std::string& id);

} // namespace interlock::desk
