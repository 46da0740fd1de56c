// One connection to the shared store and the transactions on it. Prefer postgres_store.hpp; nothing
// else needs this.
#pragma once

#include "base/clock.hpp"
#include "base/db/conninfo.hpp"
#include "base/db/pq_session.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

/// Where in the store's database things stand, and the lock that its writers take in turn.
struct StoreSchema {
    const char* name;
    long long lock;
};

/// The server's answer as the store's error: store_busy, store_full, store_read_only, conflict,
/// corrupt, permission_denied, io where the server goes away; internal for what only a defect of
/// ours can cause.
base::Error
store_error(const std::string& store, std::string_view sqlstate, std::string_view message);

class StoreSession {
public:
    enum class Access { write, read };

    /// Connects and looks whether the database can keep the store's promises: no pooler (settings
    /// and locks must be ours), UTF-8, text sorted by its bytes as SQLite sorts it; and to write,
    /// fsync on and no standby.
    static base::Result<std::unique_ptr<StoreSession>> open(
        const TargetAddress& address,
        const StoreSchema& schema,
        const std::string& store,
        bool to_write
    );

    bool has_schema() const { return has_schema_; }
    /// Begins a transaction: to write, once no other program writes; to read, on one snapshot.
    base::Status begin(Access access);
    /// The server's clock when the transaction began (to write: when its turn came).
    base::Time began() const { return began_; }
    /// One statement. An Error ends the transaction's usefulness: only roll_back() is left.
    base::Result<Table> run(std::string_view sql, const std::vector<Cell>& parameters);
    /// Waits for the disk (and for the standbys that the server's synchronous_standby_names asks
    /// for). An Error of the code io may leave open whether it was kept, and then says so.
    base::Status commit();
    void roll_back();

    bool in_transaction() const;
    /// Connected, and in no transaction.
    bool usable() const;

private:
    StoreSession(PqConnection connection, const StoreSchema& schema, std::string store);
    base::Status prepare(bool to_write);
    base::Result<PqResult> command(const std::string& statements);
    base::Result<PqResult> receive();
    base::Error too_large() const;
    base::Error gone(std::string_view why) const;

    base::SystemClock clock_; // for deadlines
    PqConnection connection_;
    const StoreSchema schema_;
    const std::string store_;
    bool has_schema_ = false;
    bool broken_ = false;
    base::Time began_{};
};

} // namespace interlock::db
