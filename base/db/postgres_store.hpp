// The shared store: a PostgreSQL database of its own, for programs on several machines.
#pragma once

#include "base/db/conninfo.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"

#include <memory>

namespace interlock::db {

/// What of the store stands in a schema of its own, with writers that wait only for each other.
enum class StorePart {
    queue,    // schema interlock: queue, brakes, budgets, audit log
    evidence, // schema interlock_evidence
};

/// Opens the store at `address` (its name does not matter), after a first connection that proves it
/// fit: see StoreSession. StoreMode::create makes the part's schema when it is absent; in the
/// others that is not_found.
///
/// Every commit waits for the disk, whatever the server's synchronous_commit says. The server's
/// clock decides. After an Error of run() a body had better give up, since nothing of it is kept
/// any more. At most limits::pool_connections connections, made as they are needed and made
/// anew when one was lost; a transaction that has begun is never begun again, and a commit whose
/// answer was lost says that it is not known whether the change was kept.
base::Result<std::unique_ptr<Store>>
open_postgres_store(const TargetAddress& address, StorePart part, StoreMode mode);

} // namespace interlock::db
