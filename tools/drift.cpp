#include "tools/drift.hpp"

#include "base/db/sql_text.hpp"
#include "base/log.hpp"
#include "base/pause.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace interlock::tools {
namespace {

using base::Errc;
namespace limits = base::limits;

constexpr std::chrono::seconds poll{5};      // how late a look that is due may be
constexpr std::size_t logged_needs_max = 20; // a line each; the rest is counted

// Through pg_class, not to_regclass: that raises an error where the schema may not be used.
constexpr db::Sql target_needs{"target_needs", R"sql(
    select 'relation' as kind, r.name, pg_catalog.count(c.oid) > 0 as present,
           coalesce(pg_catalog.bool_or(pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
                                       and pg_catalog.has_schema_privilege(c.nspoid, 'USAGE')),
                    false) as usable
    from pg_catalog.unnest(pg_catalog.string_to_array($1::text, ',')) r(name)
    left join (select c.oid, n.oid as nspoid, pg_catalog.format('%I', c.relname) as bare,
                      pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               where c.relkind in ('r', 'v', 'm', 'f', 'p')) c
        on r.name = c.qualified or r.name = c.bare and pg_catalog.pg_table_is_visible(c.oid)
    group by r.name
    union all
    select 'function', f.name, pg_catalog.count(p.oid) > 0,
           coalesce(pg_catalog.bool_or(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false)
    from pg_catalog.unnest(pg_catalog.string_to_array($2::text, ',')) f(name)
    left join (select p.oid, p.proname, n.nspname
               from pg_catalog.pg_proc p
               join pg_catalog.pg_namespace n on n.oid = p.pronamespace) p
        on f.name in (p.proname::text, pg_catalog.concat(p.nspname, '.', p.proname))
    group by f.name
    union all
    select 'extension', e.name, x.extname is not null, x.extname is not null
    from pg_catalog.unnest(pg_catalog.string_to_array($3::text, ',')) e(name)
    left join pg_catalog.pg_extension x on x.extname = e.name
    union all
    select 'role', m.name, r.oid is not null,
           case when r.oid is not null then pg_catalog.pg_has_role(r.oid, 'USAGE') else false end
    from pg_catalog.unnest(pg_catalog.string_to_array($4::text, ',')) m(name)
    left join pg_catalog.pg_roles r on r.rolname = m.name)sql"};

bool concerns(const ToolStatement& statement, int version) {
    return version >= statement.version_min &&
           (statement.version_max == 0 || version <= statement.version_max);
}

/// A statement of any tool, with what its text names.
struct Planned {
    const ToolStatement* statement = nullptr;
    std::string text; // never run for rows
    std::vector<std::string> relations;
    std::vector<std::string> functions;
    std::size_t position = 0; // of its result
};

/// Every statement once, though tools share some.
std::vector<Planned> plan_statements(const std::vector<Tool>& tools, int version) {
    std::vector<Planned> out;
    std::set<std::string_view> names;
    for (const Tool& tool : tools) {
        for (const ToolStatement& statement : tool.statements) {
            if (!concerns(statement, version) || !names.insert(statement.sql.name).second) {
                continue;
            }
            Planned planned;
            planned.statement = &statement;
            planned.text = "select * from (" + std::string{statement.sql.text} + ") as s limit 0";
            if (const auto facts = db::statement_facts(statement.sql.text)) {
                planned.relations = facts->relations;
                planned.functions = facts->functions;
            }
            planned.position = out.size() + 1;
            out.push_back(std::move(planned));
        }
    }
    return out;
}

std::size_t parameters_of(std::string_view sql) {
    std::size_t highest = 0;
    for (std::size_t at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
        const char digit = at + 1 < sql.size() ? sql[at + 1] : '\0';
        if (digit >= '1' && digit <= '9') {
            highest = std::max(highest, static_cast<std::size_t>(digit - '0'));
        }
    }
    return highest;
}

std::string joined(const std::set<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += (out.empty() ? "" : ",") + name;
    }
    return out;
}

struct Named {
    std::set<std::string> relations;
    std::set<std::string> functions;
    std::set<std::string> extensions;
    std::set<std::string> roles;
};

Named names_of(const std::vector<Planned>& planned, const std::vector<Tool>& tools) {
    Named out;
    for (const Planned& each : planned) {
        out.relations.insert(each.relations.begin(), each.relations.end());
        for (const std::string& function : each.functions) {
            if (function.find_first_of("(,\"") == std::string::npos) { // no operator, no type
                out.functions.insert(function);
            }
        }
    }
    for (const Tool& tool : tools) {
        for (const ToolNeed& need : tool.needs) {
            (need.kind == NeedKind::extension ? out.extensions : out.roles)
                .insert(std::string{need.name});
        }
    }
    return out;
}

/// What the catalog said: "relation app.t" and how it stands.
struct Standing {
    bool present = false;
    bool usable = false;
};
using Standings = std::map<std::string, Standing, std::less<>>;

Standings standings_of(const db::Table& table) {
    Standings out;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        out[table.text(row, "kind") + " " + table.text(row, "name")] = {
            table.boolean(row, "present").value_or(false),
            table.boolean(row, "usable").value_or(false)};
    }
    return out;
}

std::string quoted(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c == '"' ? "\"\"" : std::string(1, c);
    }
    return out + "\"";
}

std::string
remedy_for(std::string_view kind, std::string_view name, bool present, const std::string& role) {
    const std::string named{name};
    if (kind == "extension") {
        return "CREATE EXTENSION " + named + ";";
    }
    if (kind == "role") {
        return present ? "GRANT " + std::string{name == "pg_read_all_stats" ? "pg_monitor" : name} +
                             " TO " + quoted(role) + ";"
                       : "This server version has no role " + named + ".";
    }
    if (!present) {
        return "It is of another server or extension version: update one of them, or do without.";
    }
    return kind == "function"
               ? "GRANT EXECUTE ON FUNCTION " + named + " TO " + quoted(role) + ";"
               : "GRANT SELECT ON " + named + " TO " + quoted(role) + "; and USAGE on its schema.";
}

/// The finder of what is missing, for one look.
class Comparison {
public:
    Comparison(Standings standings, std::string role, const db::ReadResults& results)
        : standings_{std::move(standings)}, role_{std::move(role)}, results_{results} {}

    base::Status compare(const Tool& tool, const Planned& planned) {
        const std::size_t before = missing.size();
        const std::string_view tells = planned.statement->would_tell;
        for (const std::string& relation : planned.relations) {
            check(tool, "relation", relation, tells, false);
        }
        for (const std::string& function : planned.functions) {
            check(tool, "function", function, tells, false);
        }
        const auto& result = results_[planned.position];
        if (!result) {
            return missing.size() > before ? base::done // the reason is named already
                                           : take_failure(tool, planned, result.error());
        }
        take_columns(tool, planned, result->table.columns);
        return base::done;
    }

    void compare(const Tool& tool, const ToolNeed& need) {
        const char* kind = need.kind == NeedKind::extension ? "extension" : "role";
        check(tool, kind, need.name, need.would_tell, need.told_by_tool);
    }

    std::vector<MissingNeed> missing;

private:
    void check(
        const Tool& tool,
        std::string_view kind,
        std::string_view name,
        std::string_view would_tell,
        bool told_by_tool
    ) {
        const std::string need = std::string{kind} + " " + std::string{name};
        const auto found = standings_.find(need);
        if (found == standings_.end() || (found->second.present && found->second.usable)) {
            return;
        }
        const bool present = found->second.present;
        missing.push_back(
            {.tool = std::string{tool.name},
             .need = need,
             .why = present ? "role " + role_ + " may not use it" : "it does not exist here",
             .would_tell = std::string{would_tell},
             .remedy = remedy_for(kind, name, present, role_),
             .told_by_tool = told_by_tool}
        );
    }

    /// A statement that cannot be planned here; or a target that did not answer it.
    base::Status take_failure(const Tool& tool, const Planned& planned, const base::Error& error) {
        const bool says_something =
            error.code == Errc::not_supported || error.code == Errc::permission_denied ||
            error.code == Errc::invalid_input || error.code == Errc::refused;
        if (!says_something) {
            return error;
        }
        missing.push_back(
            {.tool = std::string{tool.name},
             .need = "statement " + std::string{planned.statement->sql.name},
             .why = error.what,
             .would_tell = std::string{planned.statement->would_tell},
             .remedy = error.remedy}
        );
        return base::done;
    }

    void take_columns(
        const Tool& tool, const Planned& planned, const std::vector<std::string>& columns
    ) {
        if (planned.statement->columns == nullptr) {
            return;
        }
        for (const Column& column : *planned.statement->columns) {
            if (std::find(columns.begin(), columns.end(), column.name) == columns.end()) {
                missing.push_back(
                    {.tool = std::string{tool.name},
                     .need = "column " + std::string{column.name} + " of statement " +
                             std::string{planned.statement->sql.name},
                     .why = "the statement does not give it here",
                     .would_tell = std::string{planned.statement->would_tell},
                     .remedy = "Update Interlock or the target's extension."}
                );
            }
        }
    }

    Standings standings_;
    std::string role_;
    const db::ReadResults& results_;
};

void log_found(const std::string& target, const std::vector<MissingNeed>& missing) {
    for (std::size_t i = 0; i < std::min(missing.size(), logged_needs_max); ++i) {
        base::log_warning(
            "drift.missing",
            {{"target", target},
             {"tool", missing[i].tool},
             {"need", missing[i].need},
             {"why", missing[i].why},
             {"remedy", missing[i].remedy}}
        );
    }
    base::log_info(
        "drift.checked", {{"target", target}, {"missing", std::to_string(missing.size())}}
    );
}

/// All of them, as many in one transaction as a read may have.
base::Result<db::ReadResults> read_all(
    db::ReaderConnection& connection,
    const std::vector<db::Query>& queries,
    const std::stop_token& stop,
    const std::string& role
) {
    db::LaneSettings settings;
    settings.role = role;
    settings.application_name = "interlock:drift";
    settings.statement_timeout = limits::drift_statement_timeout;
    db::ReadResults all;
    for (auto from = queries.begin(); from != queries.end();) {
        const auto count =
            std::min<std::ptrdiff_t>(limits::reader_queries_max, queries.end() - from);
        INTERLOCK_TRY(db::ReadResults some, connection.read(settings, {from, from + count}, stop));
        std::move(some.begin(), some.end(), std::back_inserter(all));
        from += count;
    }
    return all;
}

/// The target said so; it is there.
bool is_refusal(const base::Error& error) {
    return error.code == Errc::not_supported || error.code == Errc::permission_denied ||
           error.code == Errc::invalid_input || error.code == Errc::refused ||
           error.code == Errc::not_found;
}

/// Whoever is mapped to this role gets nothing from this target.
MissingNeed no_such_role(const std::string& role, const base::Error& error) {
    return {
        .tool = "every tool",
        .need = "role " + role,
        .why = "callers are mapped to it, and it cannot be taken: " + error.what,
        .would_tell = "anything, to these callers",
        .remedy = "Create it on this target and grant it to the login role, or map them elsewhere.",
        .told_by_tool = true};
}

/// What one role lacks as all do is one need.
std::vector<MissingNeed> all_of(const std::map<std::string, std::vector<MissingNeed>>& missing) {
    std::vector<MissingNeed> all;
    std::set<std::string> told;
    for (const auto& [role, needs] : missing) {
        for (const MissingNeed& need : needs) {
            if (told.insert(need.tool + '\n' + need.need + '\n' + need.why).second) {
                all.push_back(need);
            }
        }
    }
    return all;
}

} // namespace

base::Result<std::vector<MissingNeed>> check_drift(
    db::ReaderConnection& connection,
    const std::vector<Tool>& tools,
    const std::stop_token& stop,
    const std::string& role
) {
    const int version = connection.facts().version_number;
    const std::vector<Planned> planned = plan_statements(tools, version);
    const Named named = names_of(planned, tools);
    std::vector<db::Query> queries{
        {.sql = target_needs,
         .parameters =
             {joined(named.relations),
              joined(named.functions),
              joined(named.extensions),
              joined(named.roles)},
         .rows_max = 10'000}};
    for (const Planned& each : planned) {
        queries.push_back(
            {.sql = {each.statement->sql.name, each.text},
             .parameters = std::vector<db::Cell>(parameters_of(each.text)),
             .rows_max = 1}
        );
    }
    INTERLOCK_TRY(const db::ReadResults results, read_all(connection, queries, stop, role));
    if (!results.front()) {
        return results.front().error();
    }
    Comparison comparison{
        standings_of(results.front()->table),
        role.empty() ? connection.facts().login_role : role,
        results};
    for (const Tool& tool : tools) {
        for (const ToolStatement& statement : tool.statements) {
            const auto found = std::find_if(planned.begin(), planned.end(), [&](const auto& each) {
                return each.statement->sql.name == statement.sql.name;
            });
            if (found != planned.end()) {
                INTERLOCK_CHECK(comparison.compare(tool, *found));
            }
        }
        for (const ToolNeed& need : tool.needs) {
            comparison.compare(tool, need);
        }
    }
    return std::move(comparison.missing);
}

DriftWatch::DriftWatch(DriftParts parts) : parts_{std::move(parts)} {
    for (const std::string& target : parts_.targets.names()) {
        entries_[target].due = parts_.clock.ticks();
    }
}

void DriftWatch::start() {
    thread_ = std::jthread{[this](const std::stop_token& ended) {
        for (std::chrono::milliseconds wait = limits::drift_settle; base::pause(ended, wait);
             wait = poll) {
            look(ended);
        }
    }};
}

void DriftWatch::look(const std::stop_token& stop) {
    for (const std::string& target : parts_.targets.names()) {
        {
            const std::lock_guard lock(mutex_);
            if (parts_.clock.ticks() < entries_[target].due) {
                continue;
            }
        }
        if (stop.stop_requested()) {
            return;
        }
        look_at(target, stop);
    }
}

void DriftWatch::use_roles(std::vector<std::string> roles) {
    const std::lock_guard lock(mutex_);
    if (roles == parts_.roles) {
        return;
    }
    parts_.roles = std::move(roles);
    for (auto& [target, entry] : entries_) {
        entry.due = parts_.clock.ticks();
    }
}

void DriftWatch::look_at(const std::string& target, const std::stop_token& stop) {
    keep(target, ask(target, stop));
}

base::Result<DriftWatch::Missing>
DriftWatch::ask(const std::string& target, const std::stop_token& stop) {
    std::vector<std::string> roles{""};
    {
        const std::lock_guard lock(mutex_);
        const auto count = std::min(parts_.roles.size(), limits::drift_roles_max);
        const auto end = parts_.roles.begin() + static_cast<std::ptrdiff_t>(count);
        roles.insert(roles.end(), parts_.roles.begin(), end);
        if (count < parts_.roles.size()) {
            base::log_warning("drift.roles_left_out", {{"first", parts_.roles[count]}});
        }
    }
    Missing found;
    for (const std::string& role : roles) {
        INTERLOCK_TRY(auto loan, parts_.targets.borrow(target, Lane::ordinary, stop));
        auto missing = check_drift(loan->connection(), parts_.tools, loan->stop(), role);
        if (!missing && !role.empty() && is_refusal(missing.error())) {
            missing = std::vector{no_such_role(role, missing.error())};
        }
        if (!missing) {
            return missing.error();
        }
        found.emplace(role, std::move(*missing));
    }
    return found;
}

void DriftWatch::keep(const std::string& target, base::Result<Missing> found) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[target];
    parts_.metrics.set(telemetry::Gauge::needs_known, {target}, found ? 1 : 0);
    if (!found) {
        entry.backoff = std::clamp(2 * entry.backoff, parts_.retry_min, parts_.retry_max);
        entry.due = parts_.clock.ticks() + entry.backoff;
        entry.unknown_why = base::to_text(found.error());
        base::log_warning("drift.unknown", {{"target", target}, {"why", entry.unknown_why}});
        return;
    }
    entry.backoff = {};
    entry.due = parts_.clock.ticks() + parts_.interval;
    entry.known = true;
    entry.unknown_why.clear();
    entry.at = base::format_time(parts_.clock.now());
    entry.missing = std::move(found).value();
    const auto all = all_of(entry.missing);
    parts_.metrics.set(telemetry::Gauge::needs_missing, {target}, static_cast<double>(all.size()));
    log_found(target, all);
}

/// A role that was not looked at is taken for the login's own.
TargetDrift DriftWatch::seen(const std::string& target, const std::string& role) const {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(target);
    if (entry == entries_.end()) {
        return {};
    }
    TargetDrift drift{entry->second.known, entry->second.unknown_why, entry->second.at, {}};
    const auto& missing = entry->second.missing;
    const auto own = missing.contains(role) ? missing.find(role) : missing.find("");
    if (own != missing.end()) {
        drift.missing = own->second;
    }
    return drift;
}

std::vector<NotExamined>
DriftWatch::gaps(std::string_view tool, const std::string& target, const std::string& role) const {
    const TargetDrift drift = seen(target, role);
    std::vector<NotExamined> out;
    for (const MissingNeed& missing : drift.missing) {
        if (missing.tool == tool && !missing.told_by_tool) {
            out.push_back(
                {.what = missing.need,
                 .why = "missing on this target at " + drift.at + ": " + missing.why + ". " +
                        missing.remedy,
                 .would_tell = missing.would_tell}
            );
        }
    }
    return out;
}

} // namespace interlock::tools
