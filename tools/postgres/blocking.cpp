// get_blocking: who waits for a lock, on whom, and the head of every chain of waits; which change
// of a table holds up a queue while it waits itself; advisory locks, also those nobody waits for.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/catalog.hpp"
#include "tools/lane.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_blocking";

// A chain this old is an event for people: shorter ones usually end by themselves.
constexpr double chain_critical_seconds = 10;
constexpr double chain_warning_seconds = 1;
// A prepared transaction lives between two messages of a coordinator: minutes mean it was orphaned.
constexpr double prepared_warning_seconds = 300;
constexpr std::size_t shown_blockers_max = 5; // in one cell
// An advisory lock that outlives its transaction belongs to the session: one that then idles this
// long has most likely forgotten it, or a pooler gave its session to somebody else.
constexpr double advisory_idle_seconds = 300;
constexpr std::size_t advisory_max = 50;

// Sessions that hold advisory locks. Keys of one number and of two are told apart by objsubid.
constexpr db::Sql advisory_sql{"advisory_locks", R"sql(
    with held as (
        select l.pid, l.database, pg_catalog.count(*) as locks,
               pg_catalog.bool_or(l.mode = 'ExclusiveLock') as exclusive,
               pg_catalog.array_to_string(
                   (pg_catalog.array_agg(
                        case l.objsubid when 1 then ((l.classid::bigint << 32)
                                                     | l.objid::bigint)::text
                                        else '(' || l.classid || ',' || l.objid || ')' end
                        order by l.classid, l.objid))[1:3], ' ') as keys
        from pg_catalog.pg_locks l
        where l.locktype = 'advisory' and l.granted
        group by l.pid, l.database
    )
    select h.pid, d.datname as database, h.locks, h.keys, h.exclusive, a.state,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - a.state_change), 1) as state_seconds,
           a.usename as "user", pg_catalog.left(a.application_name, 64) as application_name
    from held h
    left join pg_catalog.pg_stat_activity a on a.pid = h.pid
    left join pg_catalog.pg_database d on d.oid = h.database
    order by a.state = 'idle' desc nulls last, a.state_change nulls last, h.pid
    limit $1::int)sql"};

const std::vector<Column>& chain_columns() {
    static const std::vector<Column> declared{
        {.name = "root_pid",
         .type = ColumnType::integer,
         .about = "Backend that waits for nobody; absent for a prepared transaction"},
        {.name = "root_gid", .about = "Prepared transaction at the head", .untrusted = true},
        {.name = "root_state", .about = "Absent: hidden from this role, or not tracked"},
        {.name = "root_user", .untrusted = true},
        {.name = "root_application", .untrusted = true},
        {.name = "root_xact_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "victims", .type = ColumnType::integer, .about = "Sessions behind it, all levels"},
        {.name = "depth", .type = ColumnType::integer},
        {.name = "longest_wait_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "root_query", .about = "Last statement, literals masked", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& wait_columns() {
    static const std::vector<Column> declared{
        {.name = "waiter_pid", .type = ColumnType::integer},
        {.name = "blockers",
         .about = "Backends (pid) and prepared transactions (gid) in its way",
         .untrusted = true},
        {.name = "wait_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Since the wait began (pg_locks.waitstart)"},
        {.name = "lock_type"},
        {.name = "mode", .about = "Mode asked for"},
        {.name = "relation", .untrusted = true},
        {.name = "queued_behind",
         .type = ColumnType::integer,
         .about = "Sessions behind this waiter, all levels"},
        {.name = "waiter_user", .untrusted = true},
        {.name = "waiter_application", .untrusted = true},
        {.name = "waiter_query", .about = "Literals masked", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& prepared_columns() {
    static const std::vector<Column> declared{
        {.name = "gid", .untrusted = true},
        {.name = "owner", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "prepared", .type = ColumnType::timestamp},
        {.name = "age_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& advisory_columns() {
    static const std::vector<Column> declared{
        {.name = "pid", .type = ColumnType::integer, .about = "Absent: a prepared transaction"},
        {.name = "database", .untrusted = true},
        {.name = "locks", .type = ColumnType::integer},
        {.name = "keys", .about = "The first three"},
        {.name = "exclusive", .type = ColumnType::boolean},
        {.name = "state"},
        {.name = "state_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "user", .untrusted = true},
        {.name = "application_name", .untrusted = true},
    };
    return declared;
}

std::string output_schema() {
    static const std::string schema = packet_schema(
        {{"chains", &chain_columns()},
         {"waits", &wait_columns()},
         {"prepared", &prepared_columns()},
         {"advisory", &advisory_columns()}}
    );
    return schema;
}

db::Cell cell(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", value);
    return text;
}
db::Cell cell(const std::optional<double>& value) {
    return value ? cell(*value) : db::Cell{};
}
db::Cell cell(const std::string& text) {
    return text.empty() ? db::Cell{} : db::Cell{text};
}

std::string node_text(const LockNode& node) {
    if (node.pid != 0) {
        return "backend " + std::to_string(node.pid);
    }
    return node.gid.empty() ? "a prepared transaction" : "prepared transaction " + node.gid;
}

const LockSession* session_of(const LockFacts& facts, long long pid) {
    const auto found = facts.sessions.find(pid);
    return found == facts.sessions.end() ? nullptr : &found->second;
}

std::vector<db::Cell> chain_row(const LockFacts& facts, const LockChain& chain) {
    const LockSession* root = session_of(facts, chain.root.pid);
    const bool seen = root != nullptr && root->visible;
    return {
        chain.root.pid == 0 ? db::Cell{} : db::Cell{std::to_string(chain.root.pid)},
        cell(chain.root.gid),
        seen ? cell(root->state) : db::Cell{},
        root == nullptr ? db::Cell{} : cell(root->user),
        root == nullptr ? db::Cell{} : cell(root->application_name),
        seen ? cell(root->xact_seconds) : db::Cell{},
        std::to_string(chain.victims.size()),
        std::to_string(chain.depth),
        cell(chain.longest_wait_seconds),
        seen ? cell(root->query) : db::Cell{}};
}

std::string blockers_text(const LockWait& wait) {
    std::string out;
    for (std::size_t i = 0; i < wait.blockers.size(); ++i) {
        if (i == shown_blockers_max) {
            return out + " and " + std::to_string(wait.blockers.size() - i) + " more";
        }
        const LockNode& node = wait.blockers[i];
        out +=
            (i == 0 ? "" : ", ") + (node.pid != 0 ? std::to_string(node.pid) : "gid " + node.gid);
    }
    return out;
}

/// How many sessions wait behind each waiter, directly or not.
std::map<long long, std::size_t> count_behind(const LockFacts& facts) {
    std::map<long long, std::vector<long long>> direct;
    for (const LockWait& wait : facts.waits) {
        for (const LockNode& blocker : wait.blockers) {
            direct[blocker.pid].push_back(wait.waiter);
        }
    }
    std::map<long long, std::size_t> out;
    for (const LockWait& wait : facts.waits) {
        std::set<long long> behind;
        std::vector<long long> next{wait.waiter};
        while (!next.empty()) {
            const auto found = direct.find(next.back());
            next.pop_back();
            if (found == direct.end()) {
                continue;
            }
            for (const long long pid : found->second) {
                if (pid != wait.waiter && behind.insert(pid).second) {
                    next.push_back(pid);
                }
            }
        }
        out[wait.waiter] = behind.size();
    }
    return out;
}

std::vector<db::Cell>
wait_row(const LockFacts& facts, const LockWait& wait, std::size_t queued_behind) {
    const LockSession* waiter = session_of(facts, wait.waiter);
    return {
        std::to_string(wait.waiter),
        cell(blockers_text(wait)),
        cell(wait.wait_seconds),
        cell(wait.lock_type),
        cell(wait.mode),
        cell(wait.relation),
        std::to_string(queued_behind),
        waiter == nullptr ? db::Cell{} : cell(waiter->user),
        waiter == nullptr ? db::Cell{} : cell(waiter->application_name),
        waiter == nullptr ? db::Cell{} : cell(waiter->query)};
}

Finding judge_chain(const LockFacts& facts, const LockChain& chain) {
    const double wait = chain.longest_wait_seconds;
    Finding finding;
    finding.severity = wait > chain_critical_seconds  ? Severity::critical
                       : wait > chain_warning_seconds ? Severity::warning
                                                      : Severity::notice;
    finding.object = node_text(chain.root);
    finding.value = counted(static_cast<long long>(chain.victims.size()), "session", "sessions") +
                    " behind it, longest wait " + seconds_text(wait);
    finding.threshold = seconds_text(chain_critical_seconds);
    const LockSession* root = session_of(facts, chain.root.pid);
    if (chain.root.pid == 0) {
        finding.meaning = "The head of this chain is a prepared transaction: no session can be "
                          "ended, somebody must commit it or roll it back.";
    } else if (root == nullptr || !root->visible) {
        finding.meaning = "The head of this chain, which waits for nobody; " +
                          unseen_state_text(root == nullptr ? LockSession{} : *root) + ".";
    } else {
        finding.meaning = "The head of this chain, state " + root->state + "; it waits for nobody.";
    }
    return finding;
}

/// The command that a text begins with, where it is one that takes strong locks on tables; never a
/// word that somebody else chose.
std::string command_of(const LockSession* session) {
    constexpr std::array commands{
        "ALTER", "CLUSTER", "CREATE", "DROP", "LOCK", "REFRESH", "REINDEX", "TRUNCATE", "VACUUM"};
    const std::string query = session == nullptr ? "" : base::lower_ascii(session->query);
    const std::string_view text = base::trim(query);
    for (const std::string_view command : commands) {
        if (text.starts_with(base::lower_ascii(command))) {
            return std::string{command};
        }
    }
    return "a statement";
}

/// Who waits for a lock that hardly anything goes beside stops everybody who comes after, though it
/// holds nothing yet.
void judge_queued_changes(
    const LockFacts& facts, const std::map<long long, std::size_t>& behind, Evidence& evidence
) {
    for (const LockWait& wait : facts.waits) {
        const std::size_t queued = behind.at(wait.waiter);
        // What stops writers, at least: SHARE and stronger.
        if (queued == 0 || wait.lock_type != "relation" ||
            !lock_modes_conflict(wait.mode, "RowExclusiveLock")) {
            continue;
        }
        const double seconds = wait.wait_seconds.value_or(0);
        evidence.findings.push_back(
            {.severity = seconds > chain_critical_seconds  ? Severity::critical
                         : seconds > chain_warning_seconds ? Severity::warning
                                                           : Severity::notice,
             .object = "backend " + std::to_string(wait.waiter),
             .value = command_of(session_of(facts, wait.waiter)) + " waits for " + wait.mode +
                      " on " + (wait.relation.empty() ? "a relation" : wait.relation) + " for " +
                      seconds_text(seconds) + ", with " +
                      counted(static_cast<long long>(queued), "session", "sessions") +
                      " queued behind it",
             .threshold = seconds_text(chain_critical_seconds),
             .meaning = "It waits for " + blockers_text(wait) +
                        " and holds up all who came later; without it they would go on."}
        );
    }
}

EvidenceRows judge_advisory(const base::Result<db::Rows>& result, Evidence& evidence) {
    EvidenceRows rows{.name = "advisory", .columns = &advisory_columns(), .cells = {}};
    if (!result) {
        evidence.not_examined.push_back(
            failed_check("advisory locks", result.error(), "who holds advisory locks")
        );
        return rows;
    }
    const db::Table& table = result->table;
    rows.cells = decode_rows(table, advisory_columns());
    if (result->cut) {
        evidence.not_examined.push_back(
            {"holders of advisory locks beyond the first " + std::to_string(advisory_max),
             "limit: more than this call lists",
             "who else holds them"}
        );
    }
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const double idle = table.real(row, "state_seconds").value_or(0);
        if (table.text(row, "state") == "idle" && idle >= advisory_idle_seconds) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = "backend " + table.text(row, "pid"),
                 .value =
                     counted(
                         table.integer(row, "locks").value_or(0), "advisory lock", "advisory locks"
                     ) +
                     " held, idle for " + seconds_text(idle),
                 .threshold = seconds_text(advisory_idle_seconds),
                 .meaning = "Its session keeps them until it ends or releases them: a guard "
                            "against running twice, or forgotten, as behind a pooler in "
                            "transaction mode."}
            );
        }
    }
    return rows;
}

void judge_prepared(const LockFacts& facts, Evidence& evidence) {
    for (const PreparedTransaction& prepared : facts.prepared) {
        if (prepared.age_seconds > prepared_warning_seconds) {
            evidence.findings.push_back(
                {.severity = Severity::warning,
                 .object = "prepared transaction " + prepared.gid,
                 .value = seconds_text(prepared.age_seconds),
                 .threshold = seconds_text(prepared_warning_seconds),
                 .meaning = "It keeps its locks, and keeps vacuum from cleaning up, until somebody "
                            "ends it."}
            );
        }
    }
}

std::string summary_of(const LockFacts& facts, const LockChains& chains) {
    if (!facts.complete) {
        return "Lock waits could not be read; see not examined.";
    }
    const std::string examined = counted(facts.clients, "client session", "client sessions");
    if (facts.waits.empty()) {
        return examined + " examined: none waits for a lock.";
    }
    const auto waiting = static_cast<long long>(facts.waits.size());
    std::string summary = examined + " examined: " + std::to_string(waiting) +
                          (waiting == 1 ? " waits" : " wait") + " for a lock, in " +
                          counted(static_cast<long long>(chains.chains.size()), "chain", "chains");
    if (!chains.chains.empty()) {
        summary += "; the longest wait is " +
                   seconds_text(chains.chains.front().longest_wait_seconds) + ", behind " +
                   node_text(chains.chains.front().root);
    }
    return summary + ".";
}

Evidence assess(const LockFacts& facts, double wait_seconds_min, std::size_t limit) {
    Evidence evidence;
    evidence.tool = tool_name;
    const LockChains chains = find_chains(facts);
    EvidenceRows heads{.name = "chains", .columns = &chain_columns(), .cells = {}};
    for (const LockChain& chain : chains.chains) {
        evidence.findings.push_back(judge_chain(facts, chain));
        heads.cells.push_back(chain_row(facts, chain));
    }
    const auto behind = count_behind(facts);
    judge_queued_changes(facts, behind, evidence);
    judge_prepared(facts, evidence);
    EvidenceRows waits{.name = "waits", .columns = &wait_columns(), .cells = {}};
    std::size_t beyond = 0;
    for (const LockWait& wait : facts.waits) {
        if (wait.wait_seconds.value_or(0) < wait_seconds_min) {
            continue;
        }
        if (waits.cells.size() == limit) {
            ++beyond;
            continue;
        }
        waits.cells.push_back(wait_row(facts, wait, behind.at(wait.waiter)));
    }
    EvidenceRows prepared{.name = "prepared", .columns = &prepared_columns(), .cells = {}};
    for (const PreparedTransaction& one : facts.prepared) {
        prepared.cells.push_back(
            {cell(one.gid),
             cell(one.owner),
             cell(one.database),
             cell(one.prepared),
             cell(one.age_seconds)}
        );
    }
    evidence.rows = {std::move(heads), std::move(waits), std::move(prepared)};
    evidence.not_examined = facts.gaps;
    if (!facts.sees_all_sessions) {
        evidence.not_examined.push_back(hidden_sessions_gap());
    }
    if (facts.untracked > 0) {
        evidence.not_examined.push_back(untracked_sessions_gap(facts.untracked));
    }
    if (beyond > 0) {
        evidence.not_examined.push_back(
            {counted(static_cast<long long>(beyond), "more wait", "more waits"),
             "limit: the argument limit leaves them out",
             "who else waits"}
        );
    }
    if (!chains.rootless.empty()) {
        evidence.not_examined.push_back(
            {counted(static_cast<long long>(chains.rootless.size()), "wait", "waits") +
                 " without a head",
             "the head ended while it was read, or the sessions wait for each other (a deadlock "
             "that PostgreSQL is about to resolve)",
             "call again to see whether they stand"}
        );
    }
    evidence.summary = summary_of(facts, chains);
    return evidence;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    std::vector<db::Query> queries = lock_queries();
    queries.push_back(
        {.sql = advisory_sql,
         .parameters = {std::to_string(advisory_max + 1)},
         .rows_max = advisory_max}
    );
    INTERLOCK_TRY(LaneRead read, read_lane(context, call, request, std::move(queries)));
    const base::Result<db::Rows> advisory = std::move(read.results.back());
    read.results.pop_back();
    Evidence evidence = assess(
        decode_lock_facts(read.results),
        static_cast<double>(call.arguments.integer("wait_ms_min")) / 1000,
        static_cast<std::size_t>(call.arguments.integer("limit"))
    );
    evidence.rows.push_back(judge_advisory(advisory, evidence));
    evidence.source = std::move(read.source);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_blocking() {
    std::vector<ToolStatement> statements = lock_statements();
    statements.push_back({advisory_sql, "who holds advisory locks"});
    return {
        .name = tool_name,
        .title = "Lock waits and their roots",
        .summary = "Shows who waits for a lock and how long, the head of each chain, queued "
                   "table changes, prepared transactions and advisory locks.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "wait_ms_min",
              .type = InputType::integer,
              .about = "Leave out waits shorter than this; chains stay.",
              .min = 0,
              .max = 3'600'000,
              .fallback = "0",
              .example = "1000"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most waits to list, longest first.",
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "50",
              .example = "20"}},
        .output_schema = output_schema,
        .run = run,
        .statements = std::move(statements),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
