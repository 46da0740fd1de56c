#include "tools/postgres/index_advice.hpp"

#include "base/db/column_uses.hpp"
#include "base/db/sql_guard.hpp"
#include "base/db/sql_text.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "tools/postgres/guarded_sql.hpp"
#include "tools/postgres/hypopg.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;

// A person reads a few proposals; each planning is a round trip of up to the statement time-out.
constexpr std::size_t tables_max = 3;
constexpr std::size_t candidates_max = 6;
constexpr std::size_t plannings_max = 2;    // statements tried with one candidate, costliest first
constexpr std::chrono::seconds time_max{8}; // for all plannings
constexpr std::size_t keys_max = 3;         // more columns serve ever fewer statements
constexpr std::size_t parameters_max = 100;
constexpr double distinct_min = 10; // fewer values than that, and a scan of the table is as good
// Half the cost is worth an index; less is within the planner's error.
constexpr double gain_min = 2;
constexpr double entry_bytes = 20; // line pointer, header and alignment of an entry

// Columns that a B-tree takes and people index; indexes as lists of their columns, nothing for an
// expression. Widths and distinct values are those that this role may see.
constexpr db::Sql tables_sql{"index_advice_tables", R"sql(
    select c.oid::bigint as id, n.nspname as schema, c.relname as name, w.relation,
           greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::bigint as rows,
           pg_catalog.pg_stat_get_tuples_inserted(c.oid)
               + pg_catalog.pg_stat_get_tuples_updated(c.oid) as writes,
           (select pg_catalog.json_agg(pg_catalog.json_build_object(
                       'name', a.attname, 'quoted', pg_catalog.quote_ident(a.attname),
                       'distinct', s.n_distinct,
                       'width', case when a.attlen > 0 then a.attlen else s.avg_width end))
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_type t on t.oid = a.atttypid
            left join pg_catalog.pg_stats s
                on s.schemaname = n.nspname and s.tablename = c.relname
                   and s.attname = a.attname and not s.inherited
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              and t.typcategory in ('B', 'D', 'E', 'I', 'N', 'S', 'T', 'U')
              and t.typname not in ('json', 'jsonb', 'xml', 'bytea', 'tsvector', 'tsquery'))
               as columns,
           (select pg_catalog.json_agg(k.columns)
            from pg_catalog.pg_index i
            join pg_catalog.pg_class x on x.oid = i.indexrelid
            join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
            cross join lateral (
                select pg_catalog.json_agg(a.attname order by o.at) as columns
                from pg_catalog.unnest((i.indkey::int2[])[0:i.indnkeyatts - 1])
                     with ordinality o(key, at)
                left join pg_catalog.pg_attribute a
                    on a.attrelid = i.indrelid and a.attnum = o.key) k
            where i.indrelid = c.oid and i.indisvalid and i.indpred is null) as indexes
    from pg_catalog.json_array_elements_text($1::json) with ordinality w(relation, at)
    cross join pg_catalog.parse_ident(w.relation) i
    join pg_catalog.pg_namespace n on n.nspname = i[1]
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = i[2]
    order by w.at)sql"};

constexpr db::Sql extension_sql{"index_advice_extension", R"sql(
    select pg_catalog.quote_ident(n.nspname) as schema
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements')sql"};

// The costliest first. The texts are those of this database, cut before they are sent: one that is
// longer does not parse, and is told.
constexpr std::string_view statements_head = R"sql(
    with kept as materialized (
        select s.queryid, pg_catalog.sum(s.calls)::bigint as calls,
               pg_catalog.sum(s.total_exec_time) as total_ms,
               pg_catalog.left(pg_catalog.min(s.query), 10000) as query
        from )sql";
constexpr std::string_view statements_tail = R"sql(.pg_stat_statements s
        where s.dbid = (select d.oid from pg_catalog.pg_database d
                        where d.datname = pg_catalog.current_database())
          and s.query ~* '^[^a-z]*(select|with|update|delete)' and s.queryid is not null
        group by s.queryid
        order by 3 desc
        limit 200
    )
    select w.id, k.queryid, k.calls, pg_catalog.round(k.total_ms::numeric, 1) as total_ms, k.query
    from pg_catalog.json_to_recordset($1::json) w(id bigint, name text)
    cross join lateral (
        select * from kept k
        where pg_catalog.strpos(pg_catalog.lower(k.query), pg_catalog.lower(w.name)) > 0
        order by k.total_ms desc
        limit 8) k
    order by k.total_ms desc)sql";

const std::vector<Column>& candidate_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "definition", .about = "Not run by anybody here", .untrusted = true},
        {.name = "statements", .about = "queryid of those it would serve, costliest first"},
        {.name = "calls", .type = ColumnType::integer, .about = "Of these statements"},
        {.name = "total_ms",
         .type = ColumnType::real,
         .unit = "ms",
         .about = "Of these statements"},
        {.name = "checked",
         .type = ColumnType::boolean,
         .about = "Planned with and without it, through HypoPG"},
        {.name = "used", .type = ColumnType::boolean, .about = "By the planner, when checked"},
        {.name = "cost_before",
         .type = ColumnType::real,
         .about = "Of the statement it helps most"},
        {.name = "cost_after", .type = ColumnType::real},
        {.name = "bytes", .type = ColumnType::integer, .about = "Estimate of its size"},
        {.name = "writes",
         .type = ColumnType::integer,
         .about = "Rows inserted or updated so far: each would be entered"},
    };
    return declared;
}

struct TableColumn {
    std::string quoted;
    double distinct = 0; // values; 0: not known
    double width = 8;
};

struct TableFacts {
    std::string schema;
    std::string name;
    std::string relation; // in quotes
    double rows = 0;
    long long writes = 0;
    std::map<std::string, TableColumn, std::less<>> columns;
    std::vector<std::vector<std::string>> indexes; // "" for an expression
};

struct Statement {
    std::string id;
    std::string text;
    long long calls = 0;
    double total_ms = 0;
};

using Key = std::vector<db::OrderedColumn>;

struct Candidate {
    const TableFacts* table = nullptr;
    std::size_t equal = 0; // how many columns in front are compared for equality
    Key key;
    std::vector<const Statement*> statements;
    bool checked = false;
    bool used = false;
    double before = 0;
    double after = 0;
    std::string helped = {}; // queryid

    double total_ms() const {
        double sum = 0;
        for (const Statement* statement : statements) {
            sum += statement->total_ms;
        }
        return sum;
    }
    double gain() const { return checked && used && after > 0 ? before / after : 1; }
    std::string columns() const {
        std::string out;
        for (const db::OrderedColumn& column : key) {
            out += (out.empty() ? "" : ", ") + table->columns.at(column.name).quoted +
                   (column.descending ? " DESC" : "");
        }
        return out;
    }
    std::string definition(std::string_view how) const {
        return "CREATE INDEX " + std::string{how} + "ON " + table->relation + " (" + columns() +
               ")";
    }
    double bytes() const {
        double width = entry_bytes;
        for (const db::OrderedColumn& column : key) {
            width += table->columns.at(column.name).width;
        }
        return table->rows * width / 0.9; // fillfactor of a B-tree
    }
};

TableFacts table_facts(const db::Table& table, std::size_t row) {
    TableFacts facts;
    facts.schema = table.text(row, "schema");
    facts.name = table.text(row, "name");
    facts.relation = table.text(row, "relation");
    facts.rows = table.real(row, "rows").value_or(0);
    facts.writes = table.integer(row, "writes").value_or(0);
    const auto number = [](const Json& from, const char* name, double fallback) {
        const auto* value = base::member(from, name);
        return value != nullptr && value->is_number() ? value->get<double>() : fallback;
    };
    if (const auto columns = base::parse_json(table.text(row, "columns")); columns) {
        for (const Json& each : columns->is_array() ? *columns : Json::array()) {
            const double distinct = number(each, "distinct", 0);
            facts.columns[base::string_member(each, "name").value_or("")] = {
                .quoted = base::string_member(each, "quoted").value_or(""),
                .distinct = distinct < 0 ? -distinct * facts.rows : distinct,
                .width = number(each, "width", 16)};
        }
    }
    if (const auto indexes = base::parse_json(table.text(row, "indexes")); indexes) {
        for (const Json& each : indexes->is_array() ? *indexes : Json::array()) {
            std::vector<std::string> keys;
            for (const Json& name : each) {
                keys.push_back(name.is_string() ? name.get<std::string>() : "");
            }
            facts.indexes.push_back(std::move(keys));
        }
    }
    return facts;
}

/// Columns of equality in any order, then the others in theirs, are the first of an index.
bool covers(const std::vector<std::string>& index, const Candidate& candidate) {
    if (index.size() < candidate.key.size()) {
        return false;
    }
    std::set<std::string> equal;
    for (std::size_t i = 0; i < candidate.equal; ++i) {
        equal.insert(candidate.key[i].name);
    }
    for (std::size_t i = 0; i < candidate.key.size(); ++i) {
        if (i < candidate.equal ? equal.erase(index[i]) == 0 : index[i] != candidate.key[i].name) {
            return false;
        }
    }
    return true;
}

/// Equality first, the most telling column in front; then one range, or the order.
std::optional<Candidate> candidate_for(const TableFacts& table, const db::ColumnUses& uses) {
    Candidate out;
    out.table = &table;
    const auto known = [&](const std::string& name) {
        const auto found = table.columns.find(name);
        return found == table.columns.end() ? nullptr : &found->second;
    };
    for (const std::string& name : uses.equality) {
        if (known(name) != nullptr) {
            out.key.push_back({name, false});
        }
    }
    std::stable_sort(out.key.begin(), out.key.end(), [&](const auto& a, const auto& b) {
        return std::pair{-known(a.name)->distinct, a.name} <
               std::pair{-known(b.name)->distinct, b.name};
    });
    out.key.resize(std::min(out.key.size(), keys_max));
    out.equal = out.key.size();
    const auto is_in = [&](const std::string& name) {
        return std::any_of(out.key.begin(), out.key.end(), [&](const auto& column) {
            return column.name == name;
        });
    };
    const auto range = std::find_if(uses.range.begin(), uses.range.end(), [&](const auto& name) {
        return known(name) != nullptr && !is_in(name);
    });
    if (range != uses.range.end() && out.key.size() < keys_max) {
        out.key.push_back({*range, false});
    } else if (range == uses.range.end()) {
        const bool mixed = std::any_of(uses.order.begin(), uses.order.end(), [&](const auto& each) {
            return each.descending != uses.order.front().descending;
        });
        for (const db::OrderedColumn& each : uses.order) {
            if (known(each.name) == nullptr || out.key.size() >= keys_max) {
                break;
            }
            if (!is_in(each.name)) {
                out.key.push_back({each.name, mixed && each.descending});
            }
        }
    }
    const bool coarse = out.key.size() == 1 && out.equal == 1 &&
                        known(out.key[0].name)->distinct > 0 &&
                        known(out.key[0].name)->distinct < distinct_min;
    const bool covered =
        std::any_of(table.indexes.begin(), table.indexes.end(), [&](const auto& index) {
            return covers(index, out);
        });
    return out.key.empty() || coarse || covered ? std::nullopt : std::optional(std::move(out));
}

/// The same index, or one that begins with the other: the longer serves both.
void merge(std::vector<Candidate>& candidates, Candidate next) {
    for (Candidate& held : candidates) {
        if (held.table != next.table) {
            continue;
        }
        const bool longer = next.key.size() > held.key.size();
        const Key& shorter = longer ? held.key : next.key;
        const Key& whole = longer ? next.key : held.key;
        if (std::equal(shorter.begin(), shorter.end(), whole.begin())) {
            for (const Statement* statement : next.statements) {
                if (std::find(held.statements.begin(), held.statements.end(), statement) ==
                    held.statements.end()) {
                    held.statements.push_back(statement);
                }
            }
            if (longer) {
                held.key = next.key;
                held.equal = next.equal;
            }
            return;
        }
    }
    candidates.push_back(std::move(next));
}

class Advice {
public:
    Advice(Context& context, const Call& call, const LaneRequest& request, Evidence& evidence)
        : context_{context}, call_{call}, request_{request}, evidence_{evidence} {}

    void run(const std::vector<std::string>& relations);

private:
    base::Status read_tables(const std::vector<std::string>& relations);
    base::Status read_statements(const std::string& schema);
    void find_candidates();
    void check();
    void check_one(Candidate& candidate, const Statement& statement);
    void show();
    void gap(std::string what, std::string why, std::string would_tell) {
        evidence_.not_examined.push_back({std::move(what), std::move(why), std::move(would_tell)});
    }

    Context& context_;
    const Call& call_;
    const LaneRequest& request_;
    Evidence& evidence_;
    std::vector<TableFacts> tables_;
    std::vector<std::pair<std::size_t, Statement>> statements_; // of which table
    std::vector<Candidate> candidates_;
    std::map<long long, std::size_t> places_; // of a table's OID in tables_
    std::string hypopg_;                      // its schema; "" = not there
    std::string statements_schema_;
    std::map<std::string, long long> problems_; // why statements were not planned, how many
    long long unread_ = 0;                      // statements that do not parse
};

base::Status Advice::read_tables(const std::vector<std::string>& relations) {
    Json names = Json::array();
    for (const std::string& relation : relations) {
        names.push_back(relation);
    }
    INTERLOCK_TRY(
        auto answer,
        read_lane(
            context_,
            call_,
            request_,
            {{.sql = tables_sql, .parameters = {base::render_json(names)}, .rows_max = tables_max},
             {.sql = extension_sql, .parameters = {}, .rows_max = 1},
             {.sql = hypopg_sql, .parameters = {}, .rows_max = 1}}
        )
    );
    INTERLOCK_TRY(const db::Rows tables, std::move(answer.results.at(0)));
    INTERLOCK_TRY(const db::Rows extension, std::move(answer.results.at(1)));
    INTERLOCK_TRY(const db::Rows hypopg, std::move(answer.results.at(2)));
    for (std::size_t row = 0; row < tables.table.rows.size(); ++row) {
        places_[tables.table.integer(row, "id").value_or(0)] = tables_.size();
        tables_.push_back(table_facts(tables.table, row));
    }
    statements_schema_ = extension.table.empty() ? "" : extension.table.text(0, "schema");
    hypopg_ = hypopg.table.empty() ? "" : hypopg.table.text(0, "schema");
    return base::done;
}

base::Status Advice::read_statements(const std::string& schema) {
    Json wanted = Json::array();
    for (const auto& [id, place] : places_) {
        wanted.push_back({{"id", id}, {"name", tables_[place].name}});
    }
    const std::string text = std::string{statements_head} + schema + std::string{statements_tail};
    INTERLOCK_TRY(
        auto answer,
        read_lane(
            context_,
            call_,
            request_,
            {{.sql = {"index_advice_statements", text},
              .parameters = {base::render_json(wanted)},
              .rows_max = base::limits::tool_rows_max}}
        )
    );
    INTERLOCK_TRY(const db::Rows rows, std::move(answer.results.at(0)));
    const db::Table& table = rows.table;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const auto place = places_.find(table.integer(row, "id").value_or(0));
        if (place != places_.end()) {
            statements_.emplace_back(
                place->second,
                Statement{
                    .id = table.text(row, "queryid"),
                    .text = db::cast_parameters(table.text(row, "query")),
                    .calls = table.integer(row, "calls").value_or(0),
                    .total_ms = table.real(row, "total_ms").value_or(0)}
            );
        }
    }
    return base::done;
}

void Advice::find_candidates() {
    for (const auto& [place, statement] : statements_) {
        const TableFacts& table = tables_[place];
        const auto uses = db::column_uses(statement.text);
        if (!uses) {
            ++unread_;
            continue;
        }
        for (const db::ColumnUses& each : *uses) {
            if (each.table != table.name || (!each.schema.empty() && each.schema != table.schema)) {
                continue;
            }
            if (auto candidate = candidate_for(table, each)) {
                candidate->statements.push_back(&statement);
                merge(candidates_, std::move(*candidate));
            }
        }
    }
    std::stable_sort(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
        return a.total_ms() > b.total_ms();
    });
    if (candidates_.size() > candidates_max) {
        gap("indexes for less costly statements",
            std::to_string(candidates_.size() - candidates_max) + " more candidates than are shown",
            "whether those would help");
        candidates_.resize(candidates_max);
    }
}

/// Why a statement could not be planned goes to the problems: one gap for each reason.
void Advice::check_one(Candidate& candidate, const Statement& statement) {
    const auto fail = [&](const std::string& why) { ++problems_[why]; };
    const auto guarded = db::guard_sql(statement.text);
    if (!guarded.statement || guarded.statement->kind() != db::StatementKind::select ||
        guarded.statement->parameters() > parameters_max) {
        return fail("only a SELECT that the guard allows is planned");
    }
    const db::Query names = names_query(*guarded.statement);
    LaneRequest request = request_;
    request.looks = db::Looks::at_data;
    auto found = read_lane(context_, call_, request, {names});
    if (!found || !found->results.at(0)) {
        return fail(found ? found->results.at(0).error().what : found.error().what);
    }
    const db::Rows& judged = *found->results.at(0);
    const auto statement_there = judge_names(*guarded.statement, judged);
    if (!statement_there) {
        return fail(statement_there.error().what);
    }
    auto trial = try_index(
        context_, call_, request, names, *statement_there, hypopg_, candidate.definition("")
    );
    if (!trial) {
        return fail(trial.error().what);
    }
    if (!trial->names || !same_names(judged, *trial->names)) {
        return fail("an object that the statement names was exchanged meanwhile");
    }
    if (!trial->without || !trial->with) {
        return fail((trial->without ? trial->with : trial->without).error().what);
    }
    const double before = trial->without->nodes[0].total_cost;
    const double after = trial->with->nodes[0].total_cost;
    const bool used = std::any_of(
        trial->with->nodes.begin(),
        trial->with->nodes.end(),
        [&](const PlanNode& node) { return node.index == trial->index; }
    );
    candidate.used = candidate.used || used;
    if (!candidate.checked || (used && before * candidate.after > candidate.before * after)) {
        candidate.before = before;
        candidate.after = after;
        candidate.helped = statement.id;
    }
    candidate.checked = true;
}

void Advice::check() {
    if (hypopg_.empty()) {
        gap("plans with the candidates",
            "HypoPG is not installed in this database, or not for this role",
            "whether the planner would use them, and at what cost");
        return;
    }
    const auto deadline = context_.clock.ticks() + time_max;
    for (Candidate& candidate : candidates_) {
        for (std::size_t i = 0; i < std::min(candidate.statements.size(), plannings_max); ++i) {
            if (context_.clock.ticks() > deadline || call_.stop.stop_requested()) {
                ++problems_["the time for plannings was used up"];
                continue;
            }
            check_one(candidate, *candidate.statements[i]);
        }
    }
    for (const auto& [why, count] : problems_) {
        gap("plans of " + counted(count, "statement", "statements") + " with a candidate",
            base::sanitize(why),
            "whether the planner would use it for them");
    }
}

void Advice::show() {
    EvidenceRows rows{.name = "candidates", .columns = &candidate_columns(), .cells = {}};
    for (const Candidate& candidate : candidates_) {
        std::string ids;
        long long calls = 0;
        for (const Statement* statement : candidate.statements) {
            ids += (ids.empty() ? "" : ", ") + statement->id;
            calls += statement->calls;
        }
        const auto cost = [&](double value) {
            return candidate.checked ? db::Cell{number_text(value, 2)} : db::Cell{};
        };
        rows.cells.push_back(
            {base::sanitize(candidate.table->relation),
             base::sanitize(candidate.definition("CONCURRENTLY ")),
             ids,
             std::to_string(calls),
             number_text(candidate.total_ms(), 1),
             candidate.checked ? "t" : "f",
             candidate.checked ? db::Cell{candidate.used ? "t" : "f"} : db::Cell{},
             cost(candidate.before),
             cost(candidate.after),
             number_text(std::round(candidate.bytes())),
             std::to_string(candidate.table->writes)}
        );
        const std::string price = "It would take about " + bytes_text(candidate.bytes()) +
                                  ", and " + std::to_string(candidate.table->writes) +
                                  " rows written so far would each have been entered.";
        const bool helps = candidate.gain() >= gain_min;
        if (candidate.checked && !helps) {
            continue;
        }
        evidence_.findings.push_back(
            {.severity = helps ? Severity::warning : Severity::notice,
             .object = "table " + base::sanitize(candidate.table->relation),
             .value =
                 "index on (" + base::sanitize(candidate.columns()) + ")" +
                 (helps ? ": cost " + number_text(candidate.after, 2) + " instead of " +
                              number_text(candidate.before, 2) + " of statement " + candidate.helped
                        : " for statements " + ids),
             .threshold = helps ? "half the cost" : "",
             .meaning =
                 (helps ? "The planner would use it. " : "Not checked with the planner. ") + price}
        );
    }
    evidence_.rows.push_back(std::move(rows));
}

void Advice::run(const std::vector<std::string>& relations) {
    const auto unread = [&](const base::Error& error) {
        evidence_.not_examined.push_back(failed_check(
            "which columns an index could be on",
            error,
            "the statements that read these tables whole"
        ));
    };
    if (const auto read = read_tables(relations); !read) {
        return unread(read.error());
    }
    if (statements_schema_.empty()) {
        gap("which columns an index could be on",
            "pg_stat_statements is not installed in this database",
            "the statements that read these tables whole");
        return;
    }
    if (const auto read = read_statements(statements_schema_); !read) {
        return unread(read.error());
    }
    find_candidates();
    if (unread_ > 0) {
        gap(counted(unread_, "statement", "statements") + " on these tables",
            "the text is not shown to this role, or does not parse: it is cut, or its constants "
            "were replaced where none may stand",
            "which columns they search by");
    }
    if (!candidates_.empty()) {
        check();
        show();
    }
}

} // namespace

const Section candidates_section{
    .name = "candidates",
    .columns = candidate_columns,
    .editions = {},
    .would_tell = "which index would serve the statements that read a table whole"};

std::vector<ToolStatement> advice_statements() {
    return {
        {.sql = tables_sql, .would_tell = candidates_section.would_tell},
        {.sql = extension_sql, .would_tell = candidates_section.would_tell},
        {.sql = hypopg_sql, .would_tell = "whether the planner would use an index"},
        names_statement()};
}

void advise_indexes(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::vector<std::string>& relations,
    Evidence& evidence
) {
    if (relations.empty()) {
        return;
    }
    const std::size_t count = std::min(relations.size(), tables_max);
    Advice{context, call, request, evidence}.run(
        {relations.begin(), relations.begin() + static_cast<std::ptrdiff_t>(count)}
    );
}

} // namespace interlock::tools
