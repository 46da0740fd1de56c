// What an execution needs of a target, as an interface, so that every failure path can be scripted
// in a test. The real one (pg_target.hpp) is the only code that changes a target.
#pragma once

#include "base/db/table.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace interlock::executor {

/// The two int4 of the target-side advisory lock.
struct LockKey {
    std::int32_t high = 0;
    std::int32_t low = 0;
    friend bool operator==(const LockKey&, const LockKey&) = default;
};
/// From SHA-256 of the plan's lease_key: the same on every executor.
LockKey lock_key(std::string_view lease_key);

/// "interlock-exec/<plan id>/": every session that acts for this plan has this prefix.
std::string session_prefix(std::string_view plan_id);

/// One step in one direction, as the target's ledger knows it. At most one row each, ever.
struct LedgerEntry {
    std::string plan_digest;
    int step = 0;
    bool forward = true;
    long long fence = 0;
    std::string executor;
};

struct StepOrder {
    LedgerEntry ledger;
    runbooks::BoundStatement statement;
    long long lock_timeout_ms = 0;
    long long statement_timeout_ms = 0;
    long long rows_expected = 1;
};

struct StepAttempt {
    enum class Result {
        committed,    // effect and ledger row are there
        already_done, // the ledger had the row before: nothing was done now
        rolled_back,  // see `acted`
        unknown,      // the session broke after the statement could have run
    };
    Result result = Result::unknown;
    /// With rolled_back: false when the statement certainly acted on nothing (it did not run, or
    /// matched no row). A readback effect outlives a rollback, so true means: ask the probe.
    bool acted = false;
    long long rows = 0;
    base::Error error; // unless committed or already_done
};

/// As whom a session acts on its target.
struct ActsAs {
    std::string database_role;
    int backend_pid = 0; // 0: nobody does
};

/// One session with a target. Never shared between threads.
class TargetSession {
public:
    virtual ~TargetSession() = default;
    /// As the target said when the session began.
    virtual const ActsAs& acts_as() const = 0;
    /// pg_try_advisory_lock, held until the session ends.
    virtual base::Result<bool> try_lock(const LockKey& key) = 0;
    /// Other sessions of this role whose application_name begins with `prefix`.
    virtual base::Result<int> count_orphans(const std::string& prefix) = 0;
    /// Ends those of them whose fence, the rest of their name, is not above `fence`: whoever has a
    /// higher one has taken over from us.
    virtual base::Status terminate_orphans(const std::string& prefix, long long fence) = 0;
    virtual base::Result<runbooks::TargetFingerprint> fingerprint() = 0;
    /// The ledger is there and may be written; the remedy names `interlock init`.
    virtual base::Status check_ledger() = 0;
    /// Read-only, bounded by a time-out, always rolled back.
    virtual base::Result<db::Table> observe(const runbooks::BoundStatement& statement) = 0;
    /// One transaction: ledger row, statement, row count, `may_commit`, COMMIT.
    virtual StepAttempt
    run_step(const StepOrder& order, const std::function<base::Status()>& may_commit) = 0;
    virtual base::Result<bool> ledger_has(const LedgerEntry& entry) = 0;
    virtual bool broken() const = 0;
};

class TargetDoor {
public:
    virtual ~TargetDoor() = default;
    virtual bool knows(const std::string& target) const = 0;
    virtual base::Result<std::unique_ptr<TargetSession>>
    connect(const std::string& target, const std::string& application_name) = 0;
};

} // namespace interlock::executor
