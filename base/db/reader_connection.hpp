// The only way to read a target. Every read is one transaction that starts READ ONLY, runs a query
// of ours before anything else (after which PostgreSQL refuses SET TRANSACTION READ WRITE), sets
// role, name and time-outs locally, does the work over the extended protocol, and is always rolled
// back. There is no function here that could commit.
#pragma once

#include "base/clock.hpp"
#include "base/db/conninfo.hpp"
#include "base/db/table.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::db {

/// What is set for the length of one read.
struct LaneSettings {
    std::string role;             // SET LOCAL ROLE; "" = the login role
    std::string application_name; // interlock:<tool>:<subject>, cut to 63 bytes, ASCII only
    std::chrono::milliseconds statement_timeout = base::limits::statement_timeout;
    std::chrono::milliseconds lock_timeout = base::limits::lock_timeout;
    std::chrono::milliseconds idle_timeout = base::limits::idle_in_transaction_timeout;
    /// Each statement's result is asked for as soon as it is there, so that its Timing is its own;
    /// without, results come when the last statement is done.
    bool timed = false;
};

/// One statement of a read. More than `rows_max` rows are cut and told in Rows::cut.
struct Query {
    Sql sql;
    std::vector<Cell> parameters;
    std::size_t rows_max = base::limits::tool_rows_max;
    /// Not run: planned for parameters that nobody knows, of which there are so many, and explained
    /// as JSON. For servers before version 16, whose EXPLAIN cannot.
    std::optional<std::size_t> explain_generic = std::nullopt;
};

struct Rows {
    Table table;
    bool cut = false;      // there were more rows than rows_max
    std::size_t bytes = 0; // of all cells
};

/// The outcome of one statement: a failing one does not hide the others (each runs under its own
/// savepoint).
using ReadResults = std::vector<base::Result<Rows>>;

/// From the moment the statement before it was answered to its own answer, as this side saw it.
struct Timing {
    base::Ticks began;
    base::Ticks ended;
};

/// Whether a connection pooler stands between, and what is known of it.
enum class Pooler {
    none,
    session,     // the server's session has stayed ours so far
    transaction, // the server's session changed between reads, or is another client's too
};

/// Facts about the server behind a connection, read once at connect.
struct ServerFacts {
    int version_number = 0;        // server_version_num: 150018
    std::string version;           // "15.18"
    bool in_recovery = false;      // re-read by every read()
    std::string system_identifier; // of the cluster; "" if it may not be read
    std::string database;
    std::string login_role;
    std::string timeline = {};  // of a primary, as WAL files name it; re-read with a new role
    std::string server = {};    // host:port, as the target names it; "" where only libpq knows
    std::string transport = {}; // "local", "TLSv1.3, sslmode=verify-full", ...
    bool verified = false;      // nobody else can have answered
    Pooler pooler = Pooler::none;
};

class ReaderConnection {
public:
    /// Connects within limits::connect_timeout. target_unreachable says host, reason, remedy;
    /// permission_denied is for refused credentials. Without a choice: the target's rule for reads
    /// that look at a server.
    static base::Result<std::unique_ptr<ReaderConnection>> open(const TargetAddress& address);
    static base::Result<std::unique_ptr<ReaderConnection>>
    open(const TargetAddress& address, const Choice& choice);
    virtual ~ReaderConnection() = default;

    virtual const ServerFacts& facts() const = 0;
    virtual int backend_pid() const = 0;
    /// Runs `queries` in one lane transaction. An Error means the transaction as a whole could not
    /// run (connection lost, role refused); then the connection may be broken(). A stop request
    /// cancels the running statement on the server (PQcancel).
    virtual base::Result<ReadResults>
    read(const LaneSettings& settings, const std::vector<Query>& queries, std::stop_token stop) = 0;
    /// Of the last read, one for each of its first statements; it has none for those that were not
    /// reached. Of a read that ended with an Error, the last is the one that it ended in.
    virtual const std::vector<Timing>& timings() const = 0;
    virtual bool broken() const = 0;
    /// Proves that nothing leaked out of a read: idle, no transaction, settings as at connect, no
    /// session locks. False: close it.
    virtual bool clean() = 0;
};

} // namespace interlock::db
