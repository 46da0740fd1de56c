// The checkpoints that a bundle proves its log to continue: those that it holds, and the one that a
// reader kept from before.
#pragma once

#include "cli/tar.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/kept_checkpoints.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace interlock::cli {

/// The checkpoint that every proof of the bundle leads to.
struct BundleHead {
    const std::string& note;
    const telemetry::VerifierKey& key; // that it was held against
    const telemetry::Checkpoint& checkpoint;
};

struct EarlierReport {
    std::uint64_t held = 0;                 // that are continued
    std::vector<std::string> names;         // of those in the bundle, continued or not
    std::vector<std::string> executor_keys; // verifier keys that signed those of executors
    std::vector<std::string> problems;      // one sentence each
};
EarlierReport check_earlier_checkpoints(
    const Files& files, const BundleHead& head, const std::optional<telemetry::SignedNote>& trusted
);

} // namespace interlock::cli
