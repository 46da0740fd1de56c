// A bundle's manifest: nobody's word until every member of it is that of what the bundle holds.
#pragma once

#include "base/json.hpp"
#include "cli/audit_plan_check.hpp"
#include "telemetry/checkpoint.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::cli {

/// What was found in the bundle.
struct ManifestFacts {
    const telemetry::Checkpoint& checkpoint;
    std::string_view own_key;                    // that stands beside the checkpoint
    const std::string& verifier_key;             // that the checkpoint was held against
    bool key_was_given = false;                  // by the reader
    bool older = false;                          // a form that said less
    std::uint64_t erased = 0;                    // records without payload
    const std::vector<std::string>& checkpoints; // names of earlier ones
    const std::vector<PlanReport>& plans;
    const std::string& plan_id; // that was asked for; "" = something else
};
/// One sentence for each member that is not so.
std::vector<std::string> check_manifest(const base::Json& manifest, const ManifestFacts& facts);

} // namespace interlock::cli
