// Where the store is: in the state directory, or in the PostgreSQL that a file there names, so that
// one --state means the same to all programs.
#pragma once

#include "base/clock.hpp"
#include "base/db/conninfo.hpp"
#include "base/db/postgres_store.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"
#include "base/state_directory.hpp"

#include <memory>
#include <optional>
#include <string>

namespace interlock::db {

struct StorePlace {
    StorePlace() = default;
    /// An SQLite file.
    StorePlace(std::string path) : file(std::move(path)) {}

    std::string file; // of SQLite, or the one that names the shared store
    std::optional<TargetAddress> shared;

    std::string describe() const;
};

/// What store.yaml of the state directory names (conninfo and a source of the password, as for a
/// target), or else queue.db there. invalid_input when both are there: plans that stand in the one
/// would be forgotten.
base::Result<StorePlace> find_store(const base::StateDirectory& state);
/// The same; but a `file` other than that queue.db is the store.
base::Result<StorePlace> find_store(const base::StateDirectory& state, const std::string& file);
/// Why `text` is no path of a store, if it is none: somebody wrote an address of PostgreSQL.
std::optional<std::string> not_a_store_file(std::string_view text);

/// Queue, brakes, budgets and audit log.
base::Result<std::unique_ptr<Store>>
open_store(const StorePlace& place, StoreMode mode, base::Clock& clock);
/// find_store() and open_store().
base::Result<std::unique_ptr<Store>>
open_store(const base::StateDirectory& state, StoreMode mode, base::Clock& clock);

} // namespace interlock::db
