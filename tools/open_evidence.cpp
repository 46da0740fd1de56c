#include "tools/open_evidence.hpp"

#include "base/db/store_place.hpp"

#include <utility>

namespace interlock::tools {

base::Result<std::unique_ptr<EvidenceStore>>
open_evidence(const base::StateDirectory& state, base::Clock& clock) {
    INTERLOCK_TRY(const auto place, db::find_store(state));
    if (!place.shared) {
        return open_evidence_directory(state.evidence(), clock);
    }
    INTERLOCK_TRY(
        auto store,
        db::open_postgres_store(*place.shared, db::StorePart::evidence, db::StoreMode::create)
    );
    return open_evidence_store(std::move(store), clock);
}

} // namespace interlock::tools
