// Real PostgreSQL for tests: a primary shared by one test executable, a database of its own for
// each test, sessions that hold what a test needs held, and conditions waited for with a deadline.
// Everything here throws std::runtime_error when it fails: a test without its laboratory is no
// test.
#pragma once

#include "base/db/conninfo.hpp"
#include "base/db/table.hpp"
#include "cli/demo/cluster.hpp"
#include "tests/lab/majors.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::lab {

inline constexpr std::chrono::seconds patience{20}; // for a condition, on a busy machine

/// Asks again and again until `condition` holds. False at the deadline.
bool wait_until(
    const std::function<bool()>& condition, std::chrono::milliseconds deadline = patience
);

/// The answer of `ask`, asked again a few times while it tells that a budget of time ran out: what
/// a busy machine does to an answer that a case wants to read whole.
std::string answer_in_time(const std::function<std::string()>& ask);

/// Whether an extension's library is installed.
bool has_library(const std::string& name, int major = system_major);

/// Started at its first use, stopped at the end of the program. wal_level logical, prepared
/// transactions, log_lock_waits, deadlock_timeout 200 ms, pg_stat_statements where installed.
cli::Cluster& primary(int major = system_major);

/// Runs SQL (several statements allowed) as a superuser or `user`; the last result's rows.
db::Table run_sql(
    const cli::Cluster& cluster,
    const std::string& database,
    const std::string& sql,
    const std::string& user = "postgres"
);

/// A new database, dropped with its sessions at the end of the scope.
class Database {
public:
    explicit Database(cli::Cluster& cluster = primary());
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    const std::string& name() const { return name_; }
    cli::Cluster& cluster() const { return cluster_; }
    std::string conninfo(const std::string& user = "postgres") const;
    db::TargetAddress
    address(const std::string& user = "postgres", const std::string& target = "lab") const;
    db::Table sql(const std::string& text, const std::string& user = "postgres") const;
    /// The first cell of the first row; "" for NULL.
    std::string scalar(const std::string& text, const std::string& user = "postgres") const;

private:
    cli::Cluster& cluster_;
    std::string name_;
};

/// The roles interlock_diag and interlock_exec and the executor's ledger, by the SQL that
/// `interlock init` prints.
void apply_lane(const Database& database);

} // namespace interlock::lab
