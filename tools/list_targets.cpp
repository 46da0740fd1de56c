// list_targets: which databases this server may look at, whether they answer, and what the
// caller's role may see there.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/catalog.hpp"
#include "tools/drift.hpp"
#include "tools/lane.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "list_targets";
constexpr std::size_t needs_listed_max = 3; // interlock doctor lists them all

constexpr db::Sql target_facts{"target_facts", R"sql(
    select pg_catalog.pg_is_in_recovery() as in_recovery,
           case when not pg_catalog.pg_is_in_recovery() then null
                when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                     and exists (select from pg_catalog.pg_stat_wal_receiver)
                then 0
                else extract(epoch from
                         pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
           end as replay_lag_seconds,
           current_user as database_role,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions)sql"};

const std::vector<Column>& columns() {
    static const std::vector<Column> declared{
        {.name = "target", .about = "Name to give to other tools"},
        {.name = "reachable", .type = ColumnType::boolean},
        {.name = "server_version"},
        {.name = "database", .untrusted = true},
        {.name = "database_role", .about = "Role this identity reads with"},
        {.name = "in_recovery", .type = ColumnType::boolean, .about = "True on a standby"},
        {.name = "replay_lag_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "server", .about = "Which of the target's servers answered"},
        {.name = "connection", .about = "How the connection is protected"},
        {.name = "pooler", .about = "Mode of the connection pooler between, if there is one"},
        {.name = "sees_all_sessions",
         .type = ColumnType::boolean,
         .about = "False: sessions of other roles are hidden (pg_read_all_stats is missing)"},
        {.name = "problem", .about = "Why it is not reachable"},
    };
    return declared;
}

std::string output_schema() {
    static const std::string schema = packet_schema({{"targets", &columns()}});
    return schema;
}

/// What one target said.
struct Probe {
    base::Error error; // when not reachable
    bool reachable = false;
    db::ServerFacts facts;
    Source source;
    base::Result<db::Rows> said{base::Error{}};
};

Probe probe(Context& context, const Call& call, const std::string& target) {
    Probe out;
    auto read = read_lane(
        context,
        call,
        {.target = target, .tool = tool_name},
        {{.sql = target_facts, .parameters = {}, .rows_max = 1}}
    );
    if (!read) {
        out.error = read.error();
        return out;
    }
    out.reachable = true;
    out.facts = std::move(read->facts);
    out.source = std::move(read->source);
    out.said = std::move(read->results.front());
    return out;
}

/// All targets side by side: a dead one must not make the others wait.
std::vector<Probe>
probe_all(Context& context, const Call& call, const std::vector<std::string>& names) {
    std::vector<Probe> probes(names.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < names.size(); i = next++) {
            probes[i] = probe(context, call, names[i]);
        }
    };
    std::vector<std::jthread> workers;
    const std::size_t helpers = std::min(names.size(), base::limits::tool_workers);
    for (std::size_t i = 1; i < helpers; ++i) {
        workers.emplace_back(work);
    }
    work();
    workers.clear(); // joins
    return probes;
}

void describe_connection(const Probe& probe, std::vector<db::Cell>& row) {
    row.push_back(
        probe.source.server.empty() ? db::Cell{} : db::Cell{base::sanitize(probe.source.server)}
    );
    row.emplace_back(base::sanitize(probe.facts.transport));
    row.push_back(probe.source.pooler.empty() ? db::Cell{} : db::Cell{probe.source.pooler});
}

std::vector<db::Cell> row_of(const std::string& name, const Probe& probe) {
    const auto boolean = [](bool value) { return std::string{value ? "t" : "f"}; };
    std::vector<db::Cell> row{name, boolean(probe.reachable)};
    if (!probe.reachable) {
        row.resize(columns().size() - 1);
        row.emplace_back(base::sanitize(base::to_text(probe.error)));
        return row;
    }
    row.emplace_back(base::sanitize(short_version(probe.facts.version)));
    row.emplace_back(base::sanitize(probe.facts.database));
    if (probe.said && !probe.said->table.empty()) {
        const db::Table& said = probe.said->table;
        row.emplace_back(base::sanitize(said.text(0, "database_role")));
        row.push_back(said.at(0, "in_recovery"));
        row.push_back(said.at(0, "replay_lag_seconds"));
        describe_connection(probe, row);
        row.push_back(said.at(0, "sees_all_sessions"));
        row.emplace_back(std::nullopt);
    } else {
        row.emplace_back(base::sanitize(probe.facts.login_role));
        row.emplace_back(boolean(probe.facts.in_recovery));
        row.emplace_back(std::nullopt);
        describe_connection(probe, row);
        row.resize(columns().size() - 1);
        row.emplace_back(base::sanitize(base::to_text(probe.said.error())));
    }
    return row;
}

void judge(const std::string& name, const Probe& probe, Evidence& evidence) {
    if (!probe.reachable) {
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = "target " + name,
             .value = base::name(probe.error.code),
             .threshold = "",
             .meaning = "It cannot be examined: " + probe.error.what}
        );
        evidence.not_examined.push_back(
            {"target " + name, base::name(probe.error.code), "its version, role and freshness"}
        );
        return;
    }
    for (const Finding& finding : probe.source.findings) {
        evidence.findings.push_back(finding);
    }
    for (const NotExamined& gap : probe.source.gaps) {
        evidence.not_examined.push_back(gap);
    }
    if (!probe.facts.verified) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "target " + name,
             .value = probe.facts.transport,
             .threshold = "sslmode=verify-full",
             .meaning = "Nothing proves that the server is the one that is meant: conninfo says "
                        "another sslmode than the default."}
        );
    }
    if (!probe.source.pooler.empty()) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "target " + name,
             .value = "pooler in " + pooler_mode_text(probe.source.pooler),
             .threshold = "",
             .meaning = "Sessions are the pooler's: its clients are not seen, statements are not "
                        "kept prepared, and before version 16 explain_query needs values for "
                        "parameters."}
        );
    }
    const bool hidden = probe.said && !probe.said->table.empty() &&
                        !probe.said->table.boolean(0, "sees_all_sessions").value_or(false);
    if (hidden) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "target " + name,
             .value = "no pg_read_all_stats",
             .threshold = "",
             .meaning = "State and query of other roles' sessions are hidden; interlock init "
                        "prints the SQL that grants pg_monitor."}
        );
    }
}

/// What tools miss on a target, as the last look found it.
void judge_drift(const std::string& name, const TargetDrift& drift, Evidence& evidence) {
    if (!drift.known) {
        evidence.not_examined.push_back(
            {"what tools need on target " + name,
             drift.unknown_why.empty() ? "not looked at yet" : drift.unknown_why,
             "which views, extensions and grants are missing"}
        );
        return;
    }
    if (drift.missing.empty()) {
        return;
    }
    std::string list;
    for (std::size_t i = 0; i < std::min(drift.missing.size(), needs_listed_max); ++i) {
        const MissingNeed& missing = drift.missing[i];
        list += (i == 0 ? "" : "; ") + missing.tool + " needs " + missing.need + " (" +
                missing.why + "): " + missing.remedy;
    }
    if (drift.missing.size() > needs_listed_max) {
        list += "; and " + std::to_string(drift.missing.size() - needs_listed_max) + " more";
    }
    evidence.findings.push_back(
        {.severity = Severity::notice,
         .object = "target " + name,
         .value = counted(
             static_cast<long long>(drift.missing.size()), "need is missing", "needs are missing"
         ),
         .threshold = "0",
         .meaning = "Looked at " + drift.at + ". " + list}
    );
}

base::Result<Output> run(Context& context, const Call& call) {
    const std::vector<std::string> names = context.targets.names();
    const std::vector<Probe> probes = probe_all(context, call, names);
    if (call.stop.stop_requested()) {
        return base::Error{base::Errc::cancelled, "The caller gave up.", ""};
    }
    Evidence evidence;
    evidence.tool = tool_name;
    EvidenceRows rows{.name = "targets", .columns = &columns(), .cells = {}};
    long long reachable = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        rows.cells.push_back(row_of(names[i], probes[i]));
        judge(names[i], probes[i], evidence);
        if (context.drift != nullptr && probes[i].reachable) {
            const auto drift = context.drift->seen(names[i], call.identity.database_role);
            judge_drift(names[i], drift, evidence);
        }
        reachable += probes[i].reachable ? 1 : 0;
    }
    evidence.rows.push_back(std::move(rows));
    evidence.summary =
        names.empty() ? "No target is configured."
                      : counted(static_cast<long long>(names.size()), "target is", "targets are") +
                            " configured, " + std::to_string(reachable) + " reachable.";
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool list_targets() {
    return {
        .name = tool_name,
        .title = "List targets",
        .summary = "Lists the databases that can be examined, with version, role, whether each "
                   "answers and how fresh it is.",
        .domain = "orientation",
        .inputs = {},
        .output_schema = output_schema,
        .run = run,
        .statements = {{target_facts, "role, freshness and coverage of a target"}}};
}

} // namespace interlock::tools
