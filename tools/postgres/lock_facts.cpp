#include "tools/postgres/lock_facts.hpp"

#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tools/lane.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace interlock::tools {
namespace {

constexpr std::size_t sessions_max = 1'000; // that hold a lock; more are told as a gap
constexpr std::size_t prepared_max = 200;

// One row a waiter: a queue of n waiters on one row has n*n/2 edges, but only n waiters. The
// relation of a wait for a transaction is that of the row lock its waiter already holds.
constexpr db::Sql lock_waits{"lock_waits", R"sql(
    with locks as materialized (
        select * from pg_catalog.pg_locks
    ), waiting as materialized (
        select * from locks
        where not granted and pid is not null and pid <> pg_catalog.pg_backend_pid()
        order by waitstart nulls last
        limit $1
    )
    select w.pid as waiter,
           pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(w.pid), ',') as blockers,
           w.locktype as lock_type, w.mode,
           extract(epoch from pg_catalog.clock_timestamp() - w.waitstart) as wait_seconds,
           case when c.oid is not null then pg_catalog.format('%I.%I', n.nspname, c.relname)
           end as relation
    from waiting w
    left join lateral (
        select t.relation from locks t
        where t.pid = w.pid and t.locktype = 'tuple' and t.granted
        limit 1) held on w.relation is null
    left join pg_catalog.pg_class c
        on c.oid = coalesce(w.relation, held.relation)
       and (w.database is null or w.database in (
               0, (select oid from pg_catalog.pg_database
                   where datname = pg_catalog.current_database())))
    left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    order by w.waitstart nulls last)sql"};

// Locks of a prepared transaction have no pid; its own transaction id leads to the others.
constexpr db::Sql prepared_blockers{"prepared_blockers", R"sql(
    with locks as materialized (
        select * from pg_catalog.pg_locks
    )
    select w.pid as waiter, w.mode as wanted, h.mode as held, p.gid
    from locks w
    join locks h
      on h.pid is null and h.granted and h.locktype = w.locktype
     and h.database is not distinct from w.database
     and h.relation is not distinct from w.relation
     and h.page is not distinct from w.page
     and h.tuple is not distinct from w.tuple
     and h.transactionid is not distinct from w.transactionid
     and h.classid is not distinct from w.classid
     and h.objid is not distinct from w.objid
     and h.objsubid is not distinct from w.objsubid
    join locks x
      on x.pid is null and x.granted and x.locktype = 'transactionid'
     and x.virtualtransaction = h.virtualtransaction
    join pg_catalog.pg_prepared_xacts p on p.transaction = x.transactionid
    where not w.granted and w.pid is not null
    limit $1)sql"};

constexpr db::Sql prepared_transactions{"prepared_transactions", R"sql(
    select gid, owner, database,
           pg_catalog.to_char(prepared at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as prepared,
           extract(epoch from pg_catalog.clock_timestamp() - prepared) as age_seconds
    from pg_catalog.pg_prepared_xacts
    order by prepared
    limit $1)sql"};

// Only who holds or awaits a lock can be in a chain: idle sessions of a pool are not read.
constexpr db::Sql lock_sessions{"lock_sessions", R"sql(
    select a.pid, a.datname, a.usename, pg_catalog.left(a.application_name, 64) as application_name,
           pg_catalog.host(a.client_addr) as client, a.backend_type, a.state,
           a.wait_event_type || ': ' || a.wait_event as wait_event,
           pg_catalog.to_char(a.backend_start at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as backend_start,
           pg_catalog.to_char(a.xact_start at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as xact_start,
           pg_catalog.to_char(a.query_start at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as query_start,
           extract(epoch from pg_catalog.clock_timestamp() - a.xact_start) as xact_seconds,
           extract(epoch from pg_catalog.clock_timestamp() - a.query_start) as query_seconds,
           extract(epoch from pg_catalog.clock_timestamp() - a.state_change) as state_seconds,
           pg_catalog.left(a.query, 1000) as query,
           coalesce(r.rolsuper, false) as superuser,
           coalesce(r.rolname = session_user and a.application_name ~ '^interlock(:|$)', false)
               as ours
    from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_roles r on r.oid = a.usesysid
    where a.pid <> pg_catalog.pg_backend_pid()
      and a.pid in (select l.pid from pg_catalog.pg_locks l where l.pid is not null)
    order by a.xact_start nulls last
    limit $1)sql"};

constexpr db::Sql lock_coverage{"lock_coverage", R"sql(
    with clients as (
        select a.state
        from pg_catalog.pg_stat_activity a
        left join pg_catalog.pg_roles r on r.oid = a.usesysid
        where a.pid <> pg_catalog.pg_backend_pid() and a.usesysid is not null
          and coalesce(a.backend_type, 'client backend') = 'client backend'
          and not coalesce(r.rolname = session_user
                           and a.application_name ~ '^interlock(:|$)', false)
    )
    select pg_catalog.count(*) as clients,
           pg_catalog.count(*) filter (where c.state = 'disabled') as untracked,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions
    from clients c)sql"};

enum Position : std::size_t { waits_at, blockers_at, prepared_at, sessions_at, coverage_at, count };

std::vector<long long> read_pids(const std::string& list) {
    std::vector<long long> out;
    const char* at = list.data();
    const char* const end = at + list.size();
    while (at < end) {
        long long pid = 0;
        const auto [next, problem] = std::from_chars(at, end, pid);
        if (problem != std::errc{}) {
            break;
        }
        out.push_back(pid);
        at = next < end ? next + 1 : end;
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end()); // parallel workers repeat a leader
    return out;
}

LockSession read_session(const db::Table& table, std::size_t row, bool sees_all) {
    const auto safe = [&](std::string_view column) {
        return base::sanitize(table.text(row, column));
    };
    LockSession out;
    out.pid = table.integer(row, "pid").value_or(0);
    out.database = safe("datname");
    out.user = safe("usename");
    out.application_name = safe("application_name");
    out.client = safe("client");
    out.backend_type = safe("backend_type");
    out.state = safe("state");
    out.wait_event = safe("wait_event");
    out.backend_start = table.text(row, "backend_start");
    out.xact_start = table.text(row, "xact_start");
    out.query_start = table.text(row, "query_start");
    out.xact_seconds = table.real(row, "xact_seconds");
    out.query_seconds = table.real(row, "query_seconds");
    out.state_seconds = table.real(row, "state_seconds");
    out.superuser = table.boolean(row, "superuser").value_or(false);
    out.ours = table.boolean(row, "ours").value_or(false);
    // Without the privilege PostgreSQL leaves these null, except for sessions of our own role.
    out.untracked = out.state == "disabled";
    out.visible = !out.untracked && (sees_all || !out.backend_start.empty());
    out.query = out.visible ? telemetry::safe_sql(table.text(row, "query")) : std::string{};
    return out;
}

/// What was read, or the reason why not as a gap.
const db::Table* table_of(
    const db::ReadResults& results,
    Position position,
    LockFacts& facts,
    const char* what,
    const char* would_tell
) {
    const auto& result = results[position];
    if (!result) {
        facts.gaps.push_back(failed_check(what, result.error(), would_tell));
        return nullptr;
    }
    if (result->cut) {
        facts.gaps.push_back(
            {std::string{what} + " beyond the first " + std::to_string(result->table.rows.size()),
             "budget: more rows than one look reads",
             would_tell}
        );
    }
    return &result->table;
}

void read_waits(const db::Table& table, LockFacts& facts) {
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        LockWait wait;
        wait.waiter = table.integer(row, "waiter").value_or(0);
        for (const long long pid : read_pids(table.text(row, "blockers"))) {
            wait.blockers.push_back({.pid = pid, .gid = {}});
        }
        wait.lock_type = base::sanitize(table.text(row, "lock_type"));
        wait.mode = base::sanitize(table.text(row, "mode"));
        wait.relation = base::sanitize(table.text(row, "relation"));
        wait.wait_seconds = table.real(row, "wait_seconds");
        facts.waits.push_back(std::move(wait));
    }
    facts.complete = true;
}

/// A gid as it is told, and told apart: cleaned, one of invisible characters would have no name,
/// and two of them would be one.
std::string gid_of(const db::Table& table, std::size_t row) {
    std::string gid = table.text(row, "gid");
    if (!gid.empty() && base::sanitize(gid) == gid) {
        return gid;
    }
    std::string shown;
    for (const char c : gid.empty() ? std::string{"''"} : base::escape_non_ascii(gid)) {
        shown += c == '\n' ? "\\u{a}" : c == '\t' ? "\\u{9}" : std::string(1, c);
    }
    return base::sanitize(shown);
}

/// Gives the nameless blocker (pid 0) of every wait its gid.
void name_prepared_blockers(const db::Table& table, LockFacts& facts) {
    std::map<long long, std::set<std::string>> gids;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        if (lock_modes_conflict(table.text(row, "wanted"), table.text(row, "held"))) {
            gids[table.integer(row, "waiter").value_or(0)].insert(gid_of(table, row));
        }
    }
    for (LockWait& wait : facts.waits) {
        const bool nameless =
            std::erase_if(wait.blockers, [](const LockNode& node) { return node.pid == 0; }) > 0;
        if (!nameless) {
            continue;
        }
        for (const std::string& gid : gids[wait.waiter]) {
            wait.blockers.push_back({.pid = 0, .gid = gid});
        }
        if (gids[wait.waiter].empty()) {
            wait.blockers.push_back({.pid = 0, .gid = {}});
        }
    }
}

/// Our own readers wait at most lock_timeout and are nobody's incident.
void drop_own_waits(LockFacts& facts) {
    std::erase_if(facts.waits, [&](const LockWait& wait) {
        const auto session = facts.sessions.find(wait.waiter);
        return session != facts.sessions.end() && session->second.ours;
    });
}

} // namespace

std::vector<db::Query> lock_queries() {
    const auto query = [](db::Sql sql, std::size_t rows) {
        // One more than is kept, so that a cut is noticed.
        return db::Query{.sql = sql, .parameters = {std::to_string(rows + 1)}, .rows_max = rows};
    };
    return {
        query(lock_waits, base::limits::tool_rows_max),
        query(prepared_blockers, sessions_max),
        query(prepared_transactions, prepared_max),
        query(lock_sessions, sessions_max),
        {.sql = lock_coverage, .parameters = {}, .rows_max = 1},
    };
}

std::vector<ToolStatement> lock_statements() {
    return {
        {lock_waits, "who waits and on whom"},
        {prepared_blockers, "which prepared transaction blocks"},
        {prepared_transactions, "locks held without a session"},
        {lock_sessions, "state and age of blockers"},
        {lock_coverage, "what share was examined"}};
}

ToolNeed hidden_sessions_need() {
    return {
        .kind = NeedKind::role,
        .name = "pg_read_all_stats",
        .would_tell = "state, age and query of other roles' sessions",
        .told_by_tool = true};
}

LockFacts decode_lock_facts(const db::ReadResults& results) {
    LockFacts facts;
    if (const auto* table = table_of(
            results, coverage_at, facts, "how many sessions there are", "what share was examined"
        );
        table != nullptr && !table->empty()) {
        facts.clients = table->integer(0, "clients").value_or(0);
        facts.untracked = table->integer(0, "untracked").value_or(0);
        facts.sees_all_sessions = table->boolean(0, "sees_all_sessions").value_or(false);
    }
    if (const auto* table =
            table_of(results, waits_at, facts, "lock waits", "who waits and on whom")) {
        read_waits(*table, facts);
    }
    if (const auto* table = table_of(
            results, sessions_at, facts, "sessions that hold locks", "state and age of blockers"
        )) {
        for (std::size_t row = 0; row < table->rows.size(); ++row) {
            LockSession session = read_session(*table, row, facts.sees_all_sessions);
            facts.sessions.emplace(session.pid, std::move(session));
        }
    }
    if (const auto* table = table_of(
            results, prepared_at, facts, "prepared transactions", "locks held without a session"
        )) {
        for (std::size_t row = 0; row < table->rows.size(); ++row) {
            facts.prepared.push_back(
                {.gid = gid_of(*table, row),
                 .owner = base::sanitize(table->text(row, "owner")),
                 .database = base::sanitize(table->text(row, "database")),
                 .prepared = table->text(row, "prepared"),
                 .age_seconds = table->real(row, "age_seconds").value_or(0)}
            );
        }
    }
    if (const auto* table = table_of(
            results,
            blockers_at,
            facts,
            "locks of prepared transactions",
            "which prepared transaction blocks"
        )) {
        name_prepared_blockers(*table, facts);
    }
    drop_own_waits(facts);
    return facts;
}

LockChains find_chains(const LockFacts& facts) {
    std::map<LockNode, std::vector<const LockWait*>> waits_on;
    std::set<long long> waiters;
    for (const LockWait& wait : facts.waits) {
        waiters.insert(wait.waiter);
        for (const LockNode& blocker : wait.blockers) {
            waits_on[blocker].push_back(&wait);
        }
    }
    LockChains out;
    out.rootless = waiters;
    for (const auto& [node, direct] : waits_on) {
        if (node.pid != 0 && waiters.count(node.pid) > 0) {
            continue; // waits itself: inside a chain, not its root
        }
        LockChain chain{.root = node, .victims = {}, .depth = 0, .longest_wait_seconds = 0};
        std::vector<LockNode> level{node};
        while (!level.empty()) {
            std::vector<LockNode> next;
            for (const LockNode& blocker : level) {
                const auto behind = waits_on.find(blocker);
                if (behind == waits_on.end()) {
                    continue;
                }
                for (const LockWait* wait : behind->second) {
                    if (!chain.victims.insert(wait->waiter).second) {
                        continue;
                    }
                    out.rootless.erase(wait->waiter);
                    chain.longest_wait_seconds =
                        std::max(chain.longest_wait_seconds, wait->wait_seconds.value_or(0));
                    next.push_back({.pid = wait->waiter, .gid = {}});
                }
            }
            chain.depth += next.empty() ? 0 : 1;
            level = std::move(next);
        }
        out.chains.push_back(std::move(chain));
    }
    std::stable_sort(
        out.chains.begin(),
        out.chains.end(),
        [](const LockChain& a, const LockChain& b) {
            return a.longest_wait_seconds > b.longest_wait_seconds;
        }
    );
    return out;
}

bool lock_modes_conflict(std::string_view left, std::string_view right) {
    // https://www.postgresql.org/docs/current/explicit-locking.html, table of conflicting modes:
    // row i holds a bit for each mode that i conflicts with.
    constexpr std::array<std::string_view, 8> modes{
        "AccessShareLock",
        "RowShareLock",
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock"};
    constexpr std::array<unsigned, 8> conflicts{
        0b10000000,
        0b11000000,
        0b11110000,
        0b11111000,
        0b11101100,
        0b11111100,
        0b11111110,
        0b11111111};
    const auto a = std::find(modes.begin(), modes.end(), left);
    const auto b = std::find(modes.begin(), modes.end(), right);
    if (a == modes.end() || b == modes.end()) {
        return true;
    }
    return (conflicts[static_cast<std::size_t>(a - modes.begin())] >> (b - modes.begin()) & 1U) !=
           0;
}

NotExamined hidden_sessions_gap() {
    return {
        .what = "state, age and query of other roles' sessions",
        .why = "permission_denied: the role is not a member of pg_read_all_stats (pg_monitor)",
        .would_tell = "whether a blocker is idle in a transaction or at work"};
}

NotExamined untracked_sessions_gap(long long sessions) {
    return {
        .what = counted(sessions, "session", "sessions") + " with track_activities = off",
        .why = "not_supported: PostgreSQL keeps neither state nor times nor query of them; a role, "
               "a database or the session itself switched it off",
        .would_tell = "whether they are idle, idle in a transaction or at work, and for how long"};
}

std::string unseen_state_text(const LockSession& session) {
    return session.untracked ? "its state is not known: track_activities is off for it"
                             : "its state is hidden from this role";
}

} // namespace interlock::tools
