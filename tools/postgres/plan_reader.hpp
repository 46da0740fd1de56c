// A plan of PostgreSQL, as EXPLAIN and auto_explain write it in JSON or as text, read for what an
// expert looks for: where time or cost goes, where estimates fail, what spills, what is read in
// vain. Pure: no server is asked.
#pragma once

#include "base/result.hpp"
#include "tools/evidence.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// One node, in the order of EXPLAIN's text. Texts are as in the plan: hostile, with literals.
struct PlanNode {
    std::size_t parent = 0; // position; of the root: itself
    std::size_t depth = 0;
    std::string type;         // "Seq Scan", "Nested Loop (Left)"
    std::string relationship; // to its parent: "Outer", "Inner", "InitPlan", ...
    std::string subplan;      // "CTE sums", "InitPlan 1"
    std::string relation;     // schema-qualified where the plan says so
    std::string name;         // the same without a schema
    std::string index;
    std::string condition; // what joins, searches and filters
    bool has_filter = false;

    double startup_cost = 0;
    double total_cost = 0;
    double rows = 0; // estimated, each time that it runs
    /// Absent in a plan that was not executed. Each time that it ran, like the estimates.
    std::optional<double> actual_rows;
    std::optional<double> actual_ms;
    double loops = 1; // 0: never executed

    // Below a Gather processes may share a node: `rows` are those of one of them then, as planned
    // and as it was. Otherwise both are 1.
    double processes_planned = 1; // the leader counts in part
    double processes = 1;

    // Of the whole statement: its own part, without its children's.
    double self_cost = 0;
    std::optional<double> self_ms;
    double share = 0; // of the statement's time, or cost where no time is known; 0 to 1

    double removed = 0;       // rows read and thrown away, in all loops
    double removed_joins = 0; // the same by conditions of joins
    double heap_fetches = 0;  // of an index-only scan
    double lossy_blocks = 0;  // of a bitmap heap scan
    double batches = 1;       // of a hash; more than one: it did not fit into memory
    double spilled_kb = 0;    // of a sort or hash aggregate
    double hit_blocks = 0;    // its own part
    double read_blocks = 0;
    double temp_blocks = 0;
    double workers_planned = 0;
    double workers_launched = 0;

    bool executed() const { return actual_rows.has_value() && loops > 0; }
    /// Of one run by all processes that share it.
    double planned_rows() const { return rows * processes_planned; }
    double seen_rows() const { return actual_rows.value_or(0) * processes; }
};

struct Plan {
    std::vector<PlanNode> nodes; // the root first; never empty
    bool executed = false;       // EXPLAIN ANALYZE or auto_explain with it
    bool timed = false;
    std::optional<double> execution_ms;
    std::optional<double> planning_ms;
    double jit_ms = 0;
    double trigger_ms = 0;
    /// 16 hexadecimal digits of the shape: nodes, relations, indexes; not numbers, conditions or
    /// schemas. Partitions that are read alike count once, whatever digits are in their names.
    std::string fingerprint;
};

/// Whether a text is a plan, or was meant to be one, and no SQL.
bool is_plan(std::string_view text);

/// Reads one plan: EXPLAIN's array of one, the object in it, auto_explain's object, or the text
/// format, with what psql puts around them. invalid_arguments says what it is instead.
base::Result<Plan> read_plan(std::string_view text);

/// "Seq Scan on app.orders", "Index Scan using orders_pkey on app.orders".
std::string describe(const PlanNode& node);

/// What is wrong with it, by thresholds of its own.
std::vector<Finding> judge_plan(const Plan& plan);

/// A thing that differs between two plans of one statement.
struct PlanChange {
    std::string what; // "access to app.orders", "total cost"
    std::string before;
    std::string now;
};
std::vector<PlanChange> compare_plans(const Plan& before, const Plan& now);

} // namespace interlock::tools
