// explain_query: what an expert sees in a plan. Reads the JSON of EXPLAIN or auto_explain that a
// caller brings, and compares it with an earlier one.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/plan_reader.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "explain_query";

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
        {.name = "rows", .type = ColumnType::real, .about = "Estimated, for one loop"},
        {.name = "actual_rows", .type = ColumnType::real, .about = "Mean of its loops"},
        {.name = "loops", .type = ColumnType::real},
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
             number(node.actual_rows),
             number(if_executed(node, node.loops)),
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
        table.rows.push_back({change.what, change.before, change.now});
    }
    put_rows("changes", change_columns(), table, evidence);
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
    INTERLOCK_TRY(const Plan plan, read_plan(call.arguments.text("query")));
    evidence.findings = judge_plan(plan);
    put_plan(plan, evidence);
    put_nodes(plan, evidence);
    std::vector<PlanChange> changes;
    if (call.arguments.has("compare_to")) {
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
        .title = "Explain a plan",
        .summary = "Reads a plan for hot nodes, wrong estimates, spills, rows read in vain, and "
                   "changes since an earlier plan.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "query",
              .required = true,
              .about = "A plan: JSON of EXPLAIN (FORMAT JSON) or auto_explain.",
              .length_max = base::limits::json_bytes_max,
              .example = R"([{"Plan":{"Node Type":"Result","Total Cost":0.01,"Plan Rows":1}}])"},
             {.name = "compare_to",
              .about = "An earlier plan of the same statement, likewise.",
              .length_max = base::limits::json_bytes_max}},
        .output_schema = output_schema,
        .run = run};
}

} // namespace interlock::tools
