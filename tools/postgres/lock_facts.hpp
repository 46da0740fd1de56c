// Who waits for whom, read once and given meaning once: get_blocking shows it, diagnose judges it.
// Edges come from pg_blocking_pids (the lock manager's own answer, queue order included), never
// from joining lock tables by type. A prepared transaction blocks as pid 0; it is named by its gid.
#pragma once

#include "base/db/reader_connection.hpp"
#include "tools/evidence.hpp"
#include "tools/tool.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::tools {

/// A session that holds or awaits a lock. Texts are sanitised, the query masked.
struct LockSession {
    long long pid = 0;
    std::string database;
    std::string user;
    std::string application_name;
    std::string client;
    std::string backend_type;
    std::string state;
    std::string wait_event;    // "Lock: transactionid"
    std::string backend_start; // UTC, microseconds: 2026-11-21T03:00:00.000000Z
    std::string xact_start;    // the same; "" outside a transaction
    std::string query_start;
    std::optional<double> xact_seconds;
    std::optional<double> query_seconds;
    std::optional<double> state_seconds;
    std::string query;
    bool superuser = false;
    bool ours = false;      // a reader of Interlock
    bool visible = false;   // false: its state is not known: hidden from the role, or not tracked
    bool untracked = false; // track_activities is off: PostgreSQL keeps no state of it
};

/// A holder at the head of a wait: a backend, or a prepared transaction (pid 0, gid set).
struct LockNode {
    long long pid = 0;
    std::string gid;
    friend auto operator<=>(const LockNode&, const LockNode&) = default;
};

/// A session that waits, for what, and on whom.
struct LockWait {
    long long waiter = 0;
    std::vector<LockNode> blockers;
    std::string lock_type;              // "relation", "transactionid", "tuple", "advisory", ...
    std::string mode;                   // as it was asked for
    std::string relation;               // schema-qualified and quoted; "" when the lock has none
    std::optional<double> wait_seconds; // since pg_locks.waitstart; absent in the first instant
};

struct PreparedTransaction {
    std::string gid;
    std::string owner;
    std::string database;
    std::string prepared; // UTC
    double age_seconds = 0;
};

struct LockFacts {
    std::vector<LockWait> waits; // longest first
    std::map<long long, LockSession> sessions;
    std::vector<PreparedTransaction> prepared; // oldest first
    long long clients = 0;                     // client sessions besides ours
    long long untracked = 0;                   // of them with track_activities off
    bool sees_all_sessions = false;
    bool complete = false; // the waits could be read
    std::vector<NotExamined> gaps;
};

/// The statements that read the facts, and the facts from their results (same order).
std::vector<db::Query> lock_queries();
LockFacts decode_lock_facts(const db::ReadResults& results);

/// The same as declarations, and the role membership without which sessions of others are hidden.
std::vector<ToolStatement> lock_statements();
ToolNeed hidden_sessions_need();

/// A tree of waits below one root that waits for nobody.
struct LockChain {
    LockNode root;
    std::set<long long> victims; // directly or not
    int depth = 0;
    double longest_wait_seconds = 0;
};

/// Chains, longest wait first. Waiters that hang below no root (a deadlock that is not resolved
/// yet, or a root that ended meanwhile) are in `rootless`.
struct LockChains {
    std::vector<LockChain> chains;
    std::set<long long> rootless;
};
LockChains find_chains(const LockFacts& facts);

/// Whether PostgreSQL lets the two table-level lock modes be held side by side. Unknown: conflict.
bool lock_modes_conflict(std::string_view left, std::string_view right);

/// Why sessions of other roles cannot be judged.
NotExamined hidden_sessions_gap();
/// The same of sessions of which PostgreSQL keeps neither state nor times nor query.
NotExamined untracked_sessions_gap(long long sessions);
/// Why the state of a session that is not visible is not known: half a sentence.
std::string unseen_state_text(const LockSession& session);

} // namespace interlock::tools
