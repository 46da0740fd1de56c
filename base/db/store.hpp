// Our own database: the queue and the audit log. One interface for the embedded store (SQLite) and
// the shared one (PostgreSQL); SQL is the common subset with $1 parameters. Every change is one
// transaction that commits or leaves nothing.
#pragma once

#include "base/clock.hpp"
#include "base/db/table.hpp"
#include "base/result.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

/// Inside one transaction.
class StoreTransaction {
public:
    virtual ~StoreTransaction() = default;
    virtual base::Result<Table>
    run(std::string_view sql, const std::vector<Cell>& parameters = {}) = 0;
    /// The store's clock: the only one that decides expiry.
    virtual base::Time now() = 0;
    /// Of a table whose rows are numbered: what its number's column is. SQLite finds rows by such a
    /// number anyway, when it is declared in just these words; an index of its own would double
    /// what an insert writes.
    virtual std::string_view numbered_key() const { return "bigint primary key"; }
};

class Store {
public:
    virtual ~Store() = default;
    /// Runs `body` in a write transaction (serialised with all other writers). Commits when it
    /// returns a value, rolls back when it returns an Error. store_busy, store_full and
    /// store_read_only are told apart; nothing is half written.
    virtual base::Status transact(const std::function<base::Status(StoreTransaction&)>& body) = 0;
    /// Runs `body` on one consistent snapshot; writing in it is an error.
    virtual base::Status read(const std::function<base::Status(StoreTransaction&)>& body) = 0;
    /// Waits until all that was committed is safe from a loss of power; a store whose commits wait
    /// for that has nothing to do.
    virtual base::Status sync() { return base::done; }
    virtual std::string describe() const = 0;
};

enum class StoreMode {
    create,    // make the file when absent; read and write
    existing,  // read and write; not_found when absent
    read_only, // never writes, not even the write-ahead log
};

/// What a commit waits for.
enum class Durability {
    commit, // the disk: nothing committed is ever lost
    sync,   // nothing: the end of this process loses nothing, a loss of power what sync() did not
            // reach; the file stays whole all the same
};

/// SQLite file in WAL mode. Safe to share by several threads and processes.
base::Result<std::unique_ptr<Store>> open_sqlite_store(
    const std::string& path,
    StoreMode mode,
    base::Clock& clock,
    Durability durability = Durability::commit
);

} // namespace interlock::db
