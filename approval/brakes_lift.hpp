// Lifting brakes: what people do. No server may include this (a test holds it to that), so that
// neither it nor an agent that talks to it can undo a suspension.
#pragma once

#include "approval/brakes.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::approval {

struct Lift {
    BrakeKind kind = BrakeKind::all;
    std::string name;                  // "" for all
    std::optional<std::string> issuer; // of an identity; nullopt = whoever issued it
    std::string who;                   // subject of the person
    std::string reason;
    AtShell shell = {};
};

/// Lifts every brake that this names, each with its leaf, and returns what they were. not_found
/// when there is none.
base::Result<std::vector<Brake>>
lift_brakes(db::Store& store, base::Random& random, const Lift& lift);

} // namespace interlock::approval
