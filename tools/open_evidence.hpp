// Where a program keeps evidence: on its own machine, or with others in one store.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"
#include "base/state_directory.hpp"
#include "tools/evidence_store.hpp"

#include <memory>

namespace interlock::tools {

/// Where the queue of the state directory is shared, in the same database: a plan may be decided
/// where it was not proposed. Or else in `evidence` of that directory.
base::Result<std::unique_ptr<EvidenceStore>>
open_evidence(const base::StateDirectory& state, base::Clock& clock);

/// In a store that nothing else uses. Servers may share it: each reads what any of them put, and
/// budget and lifetime are those of all together, by the store's clock.
base::Result<std::unique_ptr<EvidenceStore>>
open_evidence_store(std::unique_ptr<db::Store> store, base::Clock& clock);

} // namespace interlock::tools
