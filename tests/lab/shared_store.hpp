// A PostgreSQL that a shared store may live in: unlike the laboratory's other servers its fsync is
// on, as the store demands.
#pragma once

#include "base/db/postgres_store.hpp"
#include "tests/lab/lab.hpp"

#include <memory>

namespace interlock::lab {

/// Started at its first use, stopped at the end of the program.
cli::Cluster& durable();

/// A database for one store, dropped at the end of the scope.
class SharedStore {
public:
    explicit SharedStore(cli::Cluster& cluster = durable()) : database{cluster} {}

    /// Throws when it cannot be opened.
    std::unique_ptr<db::Store> open(
        db::StoreMode mode = db::StoreMode::create, db::StorePart part = db::StorePart::queue
    ) const;

    Database database;
};

} // namespace interlock::lab
