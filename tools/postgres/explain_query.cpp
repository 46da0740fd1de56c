// explain_query: what an expert sees in a plan. Plans a SELECT on the target, past the guard and
// never running it, or reads a plan of EXPLAIN or auto_explain that a caller brings, in JSON or as
// text; and compares the plan with an earlier one.
#include "base/db/sql_guard.hpp"
#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/guarded_sql.hpp"
#include "tools/postgres/hypopg.hpp"
#include "tools/postgres/plan_reader.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using db::GuardedStatement;

constexpr std::string_view tool_name = "explain_query";
constexpr std::size_t parameters_max = 100; // statements of programs have a few

const std::vector<Column>& plan_columns() {
    static const std::vector<Column> declared{
        {.name = "fingerprint", .about = "Of the shape: the same for the same plan"},
        {.name = "nodes", .type = ColumnType::integer},
        {.name = "executed", .type = ColumnType::boolean, .about = "False: estimates only"},
        {.name = "total_cost", .type = ColumnType::real},
        {.name = "rows", .type = ColumnType::real, .about = "Estimated"},
        {.name = "actual_rows", .type = ColumnType::real},
        {.name = "execution_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "planning_ms", .type = ColumnType::real, .unit = "ms"},
    };
    return declared;
}

const std::vector<Column>& node_columns() {
    static const std::vector<Column> declared{
        {.name = "id", .type = ColumnType::integer, .about = "Place in the plan; 0 is the root"},
        {.name = "parent", .type = ColumnType::integer},
        {.name = "node", .untrusted = true},
        {.name = "share_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Its own part of the time; of the cost where no time is known"},
        {.name = "self_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "self_cost", .type = ColumnType::real},
        {.name = "rows",
         .type = ColumnType::real,
         .about = "Estimated, for one loop; of one process below a Gather"},
        {.name = "actual_rows", .type = ColumnType::real, .about = "Mean of its loops"},
        {.name = "loops", .type = ColumnType::real, .about = "0: never executed"},
        {.name = "removed", .type = ColumnType::real, .about = "Rows read in vain, all loops"},
        {.name = "hit_blocks", .type = ColumnType::real},
        {.name = "read_blocks", .type = ColumnType::real},
        {.name = "temp_blocks", .type = ColumnType::real},
        {.name = "condition", .about = "Literals masked", .sql_text = true},
    };
    return declared;
}

const std::vector<Column>& change_columns() {
    static const std::vector<Column> declared{
        {.name = "what", .untrusted = true},
        {.name = "before", .untrusted = true},
        {.name = "now", .untrusted = true},
    };
    return declared;
}

std::string output_schema() {
    static const std::string schema = packet_schema(std::vector<RowsShape>{
        {"plan", &plan_columns()}, {"nodes", &node_columns()}, {"changes", &change_columns()}});
    return schema;
}

/// At most three digits behind the point, none in vain.
db::Cell number(std::optional<double> value) {
    if (!value || !std::isfinite(*value)) {
        return std::nullopt;
    }
    std::array<char, 64> digits{};
    const double kept = std::clamp(*value, -1e30, 1e30);
    (void)std::snprintf(digits.data(), digits.size(), "%.3f", kept);
    std::string out{digits.data()};
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) {
        out.pop_back();
    }
    return out;
}

std::optional<double> if_executed(const PlanNode& node, double value) {
    return node.executed() ? std::optional{value} : std::nullopt;
}

db::Table table_for(const std::vector<Column>& columns) {
    db::Table table;
    for (const Column& column : columns) {
        table.columns.emplace_back(column.name);
    }
    return table;
}

void put_rows(
    const char* name, const std::vector<Column>& columns, const db::Table& table, Evidence& evidence
) {
    evidence.rows.push_back(
        {.name = name, .columns = &columns, .cells = decode_rows(table, columns)}
    );
}

void put_plan(const Plan& plan, Evidence& evidence) {
    const PlanNode& root = plan.nodes[0];
    db::Table table = table_for(plan_columns());
    table.rows.push_back(
        {plan.fingerprint,
         std::to_string(plan.nodes.size()),
         plan.executed ? "t" : "f",
         number(root.total_cost),
         number(root.rows),
         number(root.actual_rows),
         number(plan.execution_ms),
         number(plan.planning_ms)}
    );
    put_rows("plan", plan_columns(), table, evidence);
}

/// Costliest first.
void put_nodes(const Plan& plan, Evidence& evidence) {
    std::vector<std::size_t> order(plan.nodes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return plan.nodes[a].share > plan.nodes[b].share;
    });
    db::Table table = table_for(node_columns());
    for (const std::size_t position : std::vector<std::size_t>{
             order.begin(),
             order.begin() +
                 static_cast<long>(std::min(order.size(), base::limits::tool_rows_max))}) {
        const PlanNode& node = plan.nodes[position];
        const bool root = position == 0;
        table.rows.push_back(
            {std::to_string(position),
             root ? std::nullopt : db::Cell{std::to_string(node.parent)},
             describe(node),
             number(std::round(node.share * 1'000) / 10),
             number(node.self_ms),
             number(node.self_cost),
             number(node.rows),
             number(if_executed(node, node.actual_rows.value_or(0))),
             plan.executed ? number(node.loops) : std::nullopt,
             number(if_executed(node, node.removed + node.removed_joins)),
             number(if_executed(node, node.hit_blocks)),
             number(if_executed(node, node.read_blocks)),
             number(if_executed(node, node.temp_blocks)),
             node.condition.empty() ? std::nullopt : db::Cell{node.condition}}
        );
    }
    put_rows("nodes", node_columns(), table, evidence);
    if (order.size() > table.rows.size()) {
        evidence.not_examined.push_back(
            {"the cheapest " + std::to_string(order.size() - table.rows.size()) + " nodes",
             "limit: more than this call lists",
             "nothing that costs much"}
        );
    }
}

void put_changes(const std::vector<PlanChange>& changes, Evidence& evidence) {
    db::Table table = table_for(change_columns());
    for (const PlanChange& change : changes) {
        if (table.rows.size() < base::limits::tool_rows_max) {
            table.rows.push_back({change.what, change.before, change.now});
        }
    }
    put_rows("changes", change_columns(), table, evidence);
    if (changes.size() > table.rows.size()) {
        evidence.not_examined.push_back(
            {"the other " + std::to_string(changes.size() - table.rows.size()) + " changes",
             "limit: more than this call lists",
             "how else the plans differ"}
        );
    }
}

const PlanNode& hottest(const Plan& plan) {
    return *std::max_element(
        plan.nodes.begin(),
        plan.nodes.end(),
        [](const PlanNode& a, const PlanNode& b) { return a.share < b.share; }
    );
}

std::string summary_of(const Plan& plan, const Evidence& evidence) {
    const PlanNode& hot = hottest(plan);
    return counted(static_cast<long long>(plan.nodes.size()), "node", "nodes") + ", " +
           (plan.execution_ms ? number(plan.execution_ms).value_or("") + " ms"
                              : "total cost " + number(plan.nodes[0].total_cost).value_or("")) +
           ": most of it (" + number(std::round(hot.share * 100)).value_or("") + " %) in " +
           describe(hot) + "; " +
           counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") + ".";
}

/// A finding where the shape changed, worse or better.
void judge_changes(const Plan& before, const Plan& now, std::size_t changes, Evidence& evidence) {
    if (before.fingerprint == now.fingerprint) {
        return;
    }
    const double was = before.nodes[0].total_cost;
    const double is = now.nodes[0].total_cost;
    evidence.findings.push_back(
        {.severity = is > was ? Severity::warning : Severity::notice,
         .object = "plan " + now.fingerprint,
         .value = "another shape than " + before.fingerprint + ", cost " + number(is).value_or("") +
                  " instead of " + number(was).value_or(""),
         .threshold = "",
         .meaning = counted(static_cast<long long>(changes), "change stands", "changes stand") +
                    " in rows.changes; costs compare only under the same settings."}
    );
}

constexpr db::Sql counted_schema_sql{"explain_query_statements", R"sql(
    select pg_catalog.quote_ident(n.nspname) as schema
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
          and pg_catalog.has_schema_privilege(n.oid, 'USAGE'))sql"};

/// What was planned; with an index to try, without it and with it.
struct Planned {
    Plan plan;
    std::optional<Plan> without_index;
    std::string index; // as HypoPG calls it
};

/// One statement, planned on the target and not run.
class Planning {
public:
    Planning(Context& context, const Call& call, std::string target)
        : context_{context}, call_{call}, target_{std::move(target)} {}

    base::Result<Planned>
    plan(const GuardedStatement& asked, const std::string& index, Evidence& evidence);

private:
    LaneRequest request() const {
        return {.target = target_, .tool = tool_name, .looks = db::Looks::at_data};
    }
    base::Result<Planned> plan_alone(
        const db::Query& names,
        const db::Rows& judged,
        const GuardedStatement& statement,
        Evidence& evidence
    );

    Context& context_;
    const Call& call_;
    std::string target_;
};

/// What was judged is what is there: the names are asked about again in the transaction that plans.
base::Status same(const db::Rows& judged, const base::Result<db::Rows>& names) {
    if (!names) {
        return names.error();
    }
    if (!same_names(judged, *names)) {
        return Error{
            Errc::changed,
            "An object that the statement names was exchanged while it was looked at.",
            "Ask again."};
    }
    return base::done;
}

base::Result<Planned> Planning::plan_alone(
    const db::Query& names,
    const db::Rows& judged,
    const GuardedStatement& statement,
    Evidence& evidence
) {
    INTERLOCK_TRY(const PlanText text, plan_text(statement));
    INTERLOCK_TRY(auto answer, read_lane(context_, call_, request(), {names, text.query()}));
    evidence.source = std::move(answer.source);
    INTERLOCK_CHECK(same(judged, answer.results.at(0)));
    Planned out;
    auto planned = plan_of(answer.results.at(1), text.parameters > 0);
    if (!planned) {
        return as_callers_mistake(std::move(planned).error());
    }
    out.plan = std::move(planned).value();
    return out;
}

base::Result<Planned>
Planning::plan(const GuardedStatement& asked, const std::string& index, Evidence& evidence) {
    const db::Query names = names_query(asked);
    INTERLOCK_TRY(
        auto found,
        read_lane(
            context_,
            call_,
            request(),
            {names, {.sql = hypopg_sql, .parameters = {}, .rows_max = 1}}
        )
    );
    INTERLOCK_TRY(const db::Rows judged, std::move(found.results.at(0)));
    INTERLOCK_TRY(const db::Rows hypopg, std::move(found.results.at(1)));
    INTERLOCK_TRY(const GuardedStatement statement, judge_names(asked, judged));
    if (!index.empty() && hypopg.table.empty()) {
        evidence.not_examined.push_back(
            {"the plan with the index",
             "HypoPG is not installed in this database, or not for this role",
             "whether the planner would use it"}
        );
    }
    if (index.empty() || hypopg.table.empty()) {
        return plan_alone(names, judged, statement, evidence);
    }
    INTERLOCK_TRY(
        IndexTrial trial,
        try_index(
            context_, call_, request(), names, statement, hypopg.table.text(0, "schema"), index
        )
    );
    evidence.source = std::move(trial.source);
    INTERLOCK_CHECK(same(judged, trial.names));
    Planned out;
    INTERLOCK_TRY(out.without_index, std::move(trial.without));
    INTERLOCK_TRY(out.plan, std::move(trial.with));
    out.index = std::move(trial.index);
    return out;
}

/// A CREATE INDEX that calls nothing of users': HypoPG makes nothing of it but a plan.
base::Status check_index(const std::string& index) {
    INTERLOCK_CHECK(db::check_sql_caps(index));
    INTERLOCK_TRY(const auto facts, db::statement_facts(index));
    const bool foreign =
        std::any_of(facts.functions.begin(), facts.functions.end(), [](const std::string& name) {
            return name.find_first_of(".(") != std::string::npos &&
                   !name.starts_with("pg_catalog.");
        });
    if (facts.statements != 1 || facts.kind != "IndexStmt" || !facts.unknown.empty() || foreign) {
        return Error{
            Errc::refused_by_guard,
            "The index is not one CREATE INDEX of columns and functions of pg_catalog.",
            "Give one, like: CREATE INDEX ON app.orders (customer_id)."};
    }
    return base::done;
}

/// What is no SELECT at all has no plan here: nothing was attempted that a guard must stop.
Error refusal_of(const db::GuardVerdict& verdict) {
    Error refused = db::refusal(verdict);
    if (verdict.family == "dml" || verdict.family == "ddl" || verdict.family == "utility") {
        refused.code = Errc::not_supported;
        refused.remedy =
            "Only a SELECT is planned here. Bring the SELECT that finds the same rows, "
            "or a plan that auto_explain or a person took of it.";
    } else if (verdict.family == "malformed") {
        refused.code = Errc::not_supported;
        refused.remedy = "Bring the whole statement: a text that was cut does not parse. For one "
                         "of get_statements, give its queryid as the query.";
    }
    return refused;
}

base::Result<GuardedStatement> guarded(const std::string& query) {
    auto answer = db::guard_sql(db::cast_parameters(query));
    if (!answer.statement) {
        return refusal_of(answer.verdict);
    }
    if (answer.statement->kind() != db::StatementKind::select) {
        return Error{
            Errc::invalid_arguments,
            "Only a SELECT can be planned here.",
            "Bring the SELECT alone, without EXPLAIN in front of it."};
    }
    if (answer.statement->parameters() > parameters_max) {
        return Error{
            Errc::limit_exceeded,
            "The statement has more than " + std::to_string(parameters_max) + " parameters.",
            "Number them from $1 on."};
    }
    return std::move(*answer.statement);
}

/// The text of a statement that pg_stat_statements counts in the target's database.
base::Result<std::string> counted_text(
    Context& context, const Call& call, const std::string& target, const std::string& queryid
) {
    long long number = 0;
    const auto [end, problem] =
        std::from_chars(queryid.data(), queryid.data() + queryid.size(), number);
    if (problem != std::errc{} || end != queryid.data() + queryid.size()) {
        return Error{
            Errc::invalid_arguments,
            "The query is a number, and none of 64 bits as a queryid is.",
            "Copy it from get_statements, as text."};
    }
    const LaneRequest request{.target = target, .tool = tool_name};
    const db::Query where{.sql = counted_schema_sql, .parameters = {}, .rows_max = 1};
    INTERLOCK_TRY(auto placed, read_lane(context, call, request, {where}));
    INTERLOCK_TRY(const db::Rows schema, std::move(placed.results.at(0)));
    if (schema.table.empty()) {
        return Error{
            Errc::not_supported,
            "pg_stat_statements is not in this database, or not for this role.",
            "Bring the statement's text; get_statements says how to have the extension."};
    }
    const std::string text =
        "select s.query from " + schema.table.text(0, "schema") +
        ".pg_stat_statements s where s.queryid = $1::bigint and s.dbid = (select d.oid from "
        "pg_catalog.pg_database d where d.datname = pg_catalog.current_database()) "
        "order by s.query = '<insufficient privilege>', s.calls desc limit 1";
    const db::Query find{
        .sql = {"explain_query_text", text}, .parameters = {queryid}, .rows_max = 1};
    INTERLOCK_TRY(auto found, read_lane(context, call, request, {find}));
    INTERLOCK_TRY(const db::Rows rows, std::move(found.results.at(0)));
    if (rows.table.empty()) {
        return Error{
            Errc::not_found,
            "No statement with this queryid is counted in the target's database.",
            "get_statements lists those that are; another database is another target."};
    }
    std::string query = rows.table.text(0, "query");
    if (query == "<insufficient privilege>") {
        return Error{
            Errc::permission_denied,
            "The role may not see the text of this statement.",
            "Have the role granted pg_monitor, or bring the text."};
    }
    return query;
}

/// A whole number is no statement.
bool is_queryid(std::string_view query) {
    query.remove_prefix(query.starts_with('-') ? 1 : 0);
    return !query.empty() && query.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Whether the planner would use the index that was tried.
void judge_index(const Planned& planned, Evidence& evidence) {
    const double without = planned.without_index->nodes[0].total_cost;
    const double with = planned.plan.nodes[0].total_cost;
    const bool used = std::any_of(
        planned.plan.nodes.begin(),
        planned.plan.nodes.end(),
        [&](const PlanNode& node) { return node.index == planned.index; }
    );
    evidence.findings.push_back(
        {.severity = Severity::notice,
         .object = "hypothetical index " + base::sanitize(planned.index),
         .value = used ? "used: cost " + number(with).value_or("") + " instead of " +
                             number(without).value_or("")
                       : "not used",
         .threshold = "",
         .meaning = used ? "The planner would use it for this statement; what writes would pay is "
                           "not in this figure."
                         : "The planner would not use it for this statement."}
    );
}

base::Result<Planned> plan_for(Context& context, const Call& call, Evidence& evidence) {
    std::string query = call.arguments.text("query");
    const bool counted = is_queryid(base::trim(query));
    const std::string index = call.arguments.text("index");
    if (!counted && is_plan(query)) {
        if (!index.empty()) {
            return Error{
                Errc::invalid_arguments,
                "An index can be tried for a SELECT only, not for a plan that was made already.",
                "Bring the SELECT."};
        }
        Planned pasted;
        INTERLOCK_TRY(pasted.plan, read_plan(query));
        return pasted;
    }
    if (!index.empty()) {
        INTERLOCK_CHECK(check_index(index));
    }
    std::string target;
    if (counted) {
        INTERLOCK_TRY(target, context.targets.resolve(call.arguments.text("target")));
        INTERLOCK_TRY(query, counted_text(context, call, target, std::string{base::trim(query)}));
    }
    INTERLOCK_TRY(const GuardedStatement asked, guarded(query));
    if (!counted) {
        INTERLOCK_TRY(target, context.targets.resolve(call.arguments.text("target")));
    }
    Planning planning{context, call, std::move(target)};
    INTERLOCK_TRY(Planned planned, planning.plan(asked, index, evidence));
    if (db::tells_masked_literals(query)) {
        evidence.not_examined.push_back(
            {"plans for the values that were masked",
             "Interlock wrote $n in the place of literals, as the remark in the text says",
             "the plan that the statement gets: write typical values in"}
        );
    } else if (asked.has_parameters()) {
        evidence.not_examined.push_back(
            {"plans for particular values",
             "the statement has parameters: this is the plan for any value",
             "whether a rare or a frequent value gets another plan: write values in"}
        );
    }
    evidence.not_examined.push_back(
        {"the application's own settings",
         "planned with work_mem 8MB, without parallel workers and without JIT",
         "whether its sessions get another plan"}
    );
    return planned;
}

void tell_gaps(const Plan& plan, Evidence& evidence) {
    if (!plan.executed) {
        evidence.not_examined.push_back(
            {"actual rows, time, spills and discarded rows",
             "the plan was not executed: it holds estimates only",
             "whether the estimates are right: bring a plan of auto_explain or EXPLAIN ANALYZE"}
        );
    }
}

base::Result<Output> run(Context& context, const Call& call) {
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(const Planned planned, plan_for(context, call, evidence));
    const Plan& plan = planned.plan;
    for (Finding& finding : judge_plan(plan)) {
        evidence.findings.push_back(std::move(finding));
    }
    put_plan(plan, evidence);
    put_nodes(plan, evidence);
    std::vector<PlanChange> changes;
    if (planned.without_index) {
        judge_index(planned, evidence);
        changes = compare_plans(*planned.without_index, plan);
    } else if (call.arguments.has("compare_to")) {
        INTERLOCK_TRY(const Plan before, read_plan(call.arguments.text("compare_to")));
        changes = compare_plans(before, plan);
        judge_changes(before, plan, changes.size(), evidence);
    }
    put_changes(changes, evidence);
    tell_gaps(plan, evidence);
    evidence.summary = summary_of(plan, evidence);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool explain_query() {
    return {
        .name = tool_name,
        .title = "Explain a query",
        .summary = "Plans a SELECT without running it, or reads a plan you have: hot nodes, wrong "
                   "estimates, spills, rows read in vain, changes.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "query",
              .required = true,
              .about = "A SELECT, $1 allowed; its queryid; or a plan of EXPLAIN or auto_explain.",
              .length_max = base::limits::json_bytes_max,
              .example = "select count(*) from pg_catalog.pg_class"},
             {.name = "compare_to",
              .about = "An earlier plan of the same statement, likewise.",
              .length_max = base::limits::json_bytes_max},
             {.name = "index",
              .about = "A CREATE INDEX to try through HypoPG; nothing is built.",
              .length_max = 2'000,
              .example = "CREATE INDEX ON app.orders (customer_id)"}},
        .output_schema = output_schema,
        .run = run,
        .statements = {
            names_statement(),
            {hypopg_sql, "whether HypoPG is there"},
            {counted_schema_sql, "where pg_stat_statements is"}}};
}

} // namespace interlock::tools
