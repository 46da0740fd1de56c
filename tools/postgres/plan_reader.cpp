#include "tools/postgres/plan_reader.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using base::Json;

// A node worth a word of its own, because half of everything is spent there.
constexpr double hot_share = 0.5;
// Actual rows against estimated ones, either way round; from here on the choice of joins suffers.
constexpr Threshold estimate_error{10, 100};
constexpr double estimate_rows_min = 100; // of the larger, in all loops: small errors are cheap
// A nested loop is right for few outer rows.
constexpr double inner_loops_warning = 10'000;
// Rows read and thrown away for each one kept.
constexpr double removed_ratio = 10;
constexpr double removed_min = 10'000;
// Index-only scans that had to look at the table: the visibility map is behind.
constexpr double heap_fetch_share = 0.1;
constexpr double heap_fetches_min = 1'000;
constexpr double read_blocks_warning = 12'800; // 100 MB of 8 kB, not found in shared buffers
constexpr double jit_share = 0.2;
constexpr double side_ms_min = 100; // of compiling, planning and triggers
constexpr double trigger_share = 0.2;

double number(const Json& object, const char* key) {
    const Json* value = base::member(object, key);
    return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

std::optional<double> measured(const Json& object, const char* key) {
    const Json* value = base::member(object, key);
    return value != nullptr && value->is_number() ? std::optional{value->get<double>()}
                                                  : std::nullopt;
}

std::string text(const Json& object, const char* key) {
    return base::string_member(object, key).value_or("");
}

std::string whole(double value) {
    return std::to_string(static_cast<long long>(std::min(std::round(value), 9e18)));
}

/// "3.4", "120".
std::string rounded(double value) {
    const double tenths = std::round(value * 10);
    const std::string out = whole(std::floor(tenths / 10));
    return value >= 100 || std::fmod(tenths, 10) == 0 ? out
                                                      : out + "." + whole(std::fmod(tenths, 10));
}

std::string milliseconds(double value) {
    return rounded(value) + " ms";
}

std::string percent(double share) {
    return whole(share * 100) + " %";
}

/// "Nested Loop (Left)", "Aggregate (Hashed)": what tells nodes of a type apart.
std::string full_type(const Json& node) {
    std::string type = text(node, "Node Type");
    std::string kind = text(node, "Join Type");
    if (kind == "Inner") {
        kind.clear();
    }
    for (const char* key : {"Strategy", "Operation", "Command"}) {
        const std::string more = text(node, key);
        if (!more.empty() && more != "Plain") {
            kind += (kind.empty() ? "" : " ") + more;
        }
    }
    if (text(node, "Scan Direction") == "Backward") {
        type += " Backward";
    }
    return kind.empty() ? type : type + " (" + kind + ")";
}

std::string condition_of(const Json& node) {
    std::string out;
    for (const char* key :
         {"Index Cond",
          "Recheck Cond",
          "TID Cond",
          "Hash Cond",
          "Merge Cond",
          "Join Filter",
          "Order By",
          "Filter",
          "One-Time Filter"}) {
        if (const std::string found = text(node, key); !found.empty()) {
            out += (out.empty() ? "" : " and ") + found;
        }
    }
    return out;
}

std::string relation_of(const Json& node) {
    for (const char* key : {"Relation Name", "CTE Name", "Function Name", "Table Function Name"}) {
        const std::string name = text(node, key);
        const std::string schema = text(node, "Schema");
        if (!name.empty()) {
            return schema.empty() ? name : schema + "." + name;
        }
    }
    return {};
}

/// Of the leader and its workers, whose numbers stand beside it when they sorted.
double spilled_kb(const Json& node) {
    double sum = 0;
    const auto add = [&](const Json& part) {
        sum += text(part, "Sort Space Type") == "Disk" ? number(part, "Sort Space Used") : 0;
        sum += number(part, "Disk Usage");
    };
    add(node);
    if (const Json* workers = base::member(node, "Workers");
        workers != nullptr && workers->is_array()) {
        for (const Json& worker : *workers) {
            add(worker);
        }
    }
    return sum;
}

PlanNode node_of(const Json& json) {
    PlanNode node;
    node.type = full_type(json);
    node.relationship = text(json, "Parent Relationship");
    node.relation = relation_of(json);
    node.index = text(json, "Index Name");
    node.condition = condition_of(json);
    node.has_filter = base::member(json, "Filter") != nullptr;
    node.startup_cost = number(json, "Startup Cost");
    node.total_cost = number(json, "Total Cost");
    node.rows = number(json, "Plan Rows");
    node.actual_rows = measured(json, "Actual Rows");
    node.actual_ms = measured(json, "Actual Total Time");
    node.loops = measured(json, "Actual Loops").value_or(1);
    node.removed =
        (number(json, "Rows Removed by Filter") + number(json, "Rows Removed by Index Recheck")) *
        node.loops;
    node.removed_joins = number(json, "Rows Removed by Join Filter") * node.loops;
    node.heap_fetches = number(json, "Heap Fetches");
    node.lossy_blocks = number(json, "Lossy Heap Blocks");
    node.batches = std::max({1.0, number(json, "Hash Batches"), number(json, "HashAgg Batches")});
    node.spilled_kb = spilled_kb(json);
    node.hit_blocks = number(json, "Shared Hit Blocks");
    node.read_blocks = number(json, "Shared Read Blocks");
    node.temp_blocks = number(json, "Temp Read Blocks") + number(json, "Temp Written Blocks");
    node.workers_planned = number(json, "Workers Planned");
    node.workers_launched = number(json, "Workers Launched");
    return node;
}

/// A node on its way from JSON to its place.
struct Pending {
    const Json* json;
    std::size_t parent;
    std::size_t depth;
};

bool is_plan_node(const Json& json) {
    return base::string_member(json, "Node Type").has_value();
}

base::Result<std::vector<PlanNode>> nodes_of(const Json& root) {
    std::vector<PlanNode> nodes;
    std::vector<Pending> open{{&root, 0, 0}};
    while (!open.empty()) {
        const Pending next = open.back();
        open.pop_back();
        if (!is_plan_node(*next.json)) {
            return Error{
                Errc::invalid_arguments,
                "A node of the plan has no \"Node Type\".",
                "Paste the whole output of EXPLAIN (FORMAT JSON)."};
        }
        PlanNode& node = nodes.emplace_back(node_of(*next.json));
        node.parent = next.parent;
        node.depth = next.depth;
        const std::size_t position = nodes.size() - 1;
        const Json* plans = base::member(*next.json, "Plans");
        if (plans != nullptr && plans->is_array()) {
            for (auto child = plans->rbegin(); child != plans->rend(); ++child) {
                open.push_back({&*child, position, next.depth + 1});
            }
        }
    }
    return nodes;
}

bool is_subplan(const PlanNode& node) {
    return node.relationship == "InitPlan" || node.relationship == "SubPlan";
}

/// Children of each node, by position.
std::vector<std::vector<std::size_t>> children_of(const std::vector<PlanNode>& nodes) {
    std::vector<std::vector<std::size_t>> children(nodes.size());
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        children[nodes[i].parent].push_back(i);
    }
    return children;
}

/// What a node and all below it cost the whole statement. A plan tells each node's cost for one
/// run of it: the inner side of a nested loop runs for each outer row. Never more than is left of
/// its parent, for LIMIT and merge joins stop their inputs early, and memoized ones run less often.
void share_costs(
    std::vector<PlanNode>& nodes, const std::vector<std::vector<std::size_t>>& children
) {
    std::vector<double> spent(nodes.size());
    spent[0] = nodes[0].total_cost;
    for (std::size_t i = 0; i < nodes.size(); ++i) { // parents come before children
        double left = spent[i];
        const double times = nodes[i].total_cost > 0 ? spent[i] / nodes[i].total_cost : 0;
        double outer_rows = 1;
        for (const std::size_t child : children[i]) {
            const bool repeated =
                nodes[i].type.starts_with("Nested Loop") && nodes[child].relationship == "Inner";
            const double runs = repeated ? std::max(outer_rows, 1.0) : 1;
            if (nodes[child].relationship == "Outer") {
                outer_rows = nodes[child].rows;
            }
            spent[child] = std::min(nodes[child].total_cost * times * runs, left);
            left -= spent[child];
        }
        nodes[i].self_cost = left;
    }
}

/// The same for time, which a plan tells as the mean of all loops. Workers of a Gather work at the
/// same time: below it, loops are shared out. A CTE's time is spent where it is scanned.
void share_times(
    std::vector<PlanNode>& nodes, const std::vector<std::vector<std::size_t>>& children
) {
    std::vector<double> at_once(nodes.size(), 1);
    std::vector<double> spent(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const PlanNode& parent = nodes[nodes[i].parent];
        if (i > 0) {
            at_once[i] = at_once[nodes[i].parent];
            if (parent.type.starts_with("Gather") && !is_subplan(nodes[i])) {
                at_once[i] = std::clamp(nodes[i].loops, 1.0, parent.workers_launched + 1);
            }
        }
        spent[i] = nodes[i].actual_ms.value_or(0) * nodes[i].loops / at_once[i];
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        double left = spent[i];
        for (const std::size_t child : children[i]) {
            left -= nodes[child].relationship == "InitPlan" ? 0 : spent[child];
        }
        if (nodes[i].actual_ms) {
            nodes[i].self_ms = std::max(left, 0.0);
        }
    }
    std::map<std::size_t, double> of_cte; // what a CTE's own nodes account for already
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].relationship == "InitPlan") {
            of_cte[nodes[i].parent] += spent[i];
        }
    }
    for (auto& [owner, remaining] : of_cte) {
        for (std::size_t i = owner; i < nodes.size(); ++i) {
            if (i != owner && nodes[i].depth <= nodes[owner].depth) {
                break; // past the owner's part of the tree
            }
            if (nodes[i].self_ms && (nodes[i].type == "CTE Scan" || nodes[i].type == "Result")) {
                const double taken = std::min(*nodes[i].self_ms, remaining);
                *nodes[i].self_ms -= taken;
                remaining -= taken;
            }
        }
    }
}

/// Buffers of a node include its children's.
void share_buffers(
    std::vector<PlanNode>& nodes, const std::vector<std::vector<std::size_t>>& children
) {
    for (std::size_t i = 0; i < nodes.size(); ++i) { // children still hold their sums
        for (const std::size_t child : children[i]) {
            nodes[i].hit_blocks -= nodes[child].hit_blocks;
            nodes[i].read_blocks -= nodes[child].read_blocks;
            nodes[i].temp_blocks -= nodes[child].temp_blocks;
        }
        nodes[i].hit_blocks = std::max(nodes[i].hit_blocks, 0.0);
        nodes[i].read_blocks = std::max(nodes[i].read_blocks, 0.0);
        nodes[i].temp_blocks = std::max(nodes[i].temp_blocks, 0.0);
    }
}

void share_out(Plan& plan) {
    const auto children = children_of(plan.nodes);
    share_costs(plan.nodes, children);
    if (plan.timed) {
        share_times(plan.nodes, children);
    }
    share_buffers(plan.nodes, children);
    double all = 0;
    for (const PlanNode& node : plan.nodes) {
        all += plan.timed ? node.self_ms.value_or(0) : node.self_cost;
    }
    for (PlanNode& node : plan.nodes) {
        const double own = plan.timed ? node.self_ms.value_or(0) : node.self_cost;
        node.share = all > 0 ? own / all : 0;
    }
}

std::string fingerprint_of(const std::vector<PlanNode>& nodes) {
    std::string shape;
    for (const PlanNode& node : nodes) {
        for (const std::string* part :
             {&node.type, &node.relationship, &node.relation, &node.index}) {
            shape += std::to_string(part->size()) + ":" + *part;
        }
        shape += std::to_string(node.depth) + ";";
    }
    constexpr std::size_t digits = 16;
    return base::hex(base::sha256(shape)).substr(0, digits);
}

double sum_of_triggers(const Json& top) {
    double sum = 0;
    if (const Json* triggers = base::member(top, "Triggers");
        triggers != nullptr && triggers->is_array()) {
        for (const Json& trigger : *triggers) {
            sum += number(trigger, "Time");
        }
    }
    return sum;
}

double jit_ms(const Json& top) {
    const Json* jit = base::member(top, "JIT");
    const Json* timing = jit != nullptr ? base::member(*jit, "Timing") : nullptr;
    return timing != nullptr ? number(*timing, "Total") : 0;
}

/// The findings of one node.
class Judge {
public:
    Judge(const Plan& plan, std::vector<Finding>& findings) : plan_{plan}, findings_{findings} {}

    void node(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        heat(node);
        spills(node);
        if (!plan_.executed) {
            whole_inner(position);
            return;
        }
        if (!node.executed()) {
            return;
        }
        estimate(position);
        loops(position);
        removed(node);
        fetches(node);
        workers(node);
    }

    void sides() {
        const double all = plan_.execution_ms.value_or(plan_.nodes[0].actual_ms.value_or(0));
        if (plan_.jit_ms >= side_ms_min && plan_.jit_ms >= jit_share * all) {
            add(Severity::warning,
                "JIT",
                milliseconds(plan_.jit_ms) + " of " + milliseconds(all) + " went into compiling",
                percent(jit_share),
                "Costs are estimated so high that it compiles; jit_above_cost or better estimates "
                "avoid it.");
        }
        if (plan_.planning_ms.value_or(0) >= std::max(side_ms_min, all) && all > 0) {
            add(Severity::notice,
                "planning",
                milliseconds(*plan_.planning_ms) + " against " + milliseconds(all) + " of work",
                milliseconds(side_ms_min),
                "Planning costs more than running: many partitions, joins or statistics; a "
                "prepared statement plans once.");
        }
        if (plan_.trigger_ms >= side_ms_min && plan_.trigger_ms >= trigger_share * all) {
            add(Severity::warning,
                "triggers",
                milliseconds(plan_.trigger_ms) + " of " + milliseconds(all),
                percent(trigger_share),
                "Triggers, those of foreign keys too, cost a good part: look for foreign keys "
                "without index with get_indexes.");
        }
    }

private:
    void
    add(Severity severity,
        std::string object,
        std::string value,
        std::string threshold,
        std::string meaning) {
        findings_.push_back(
            {severity,
             std::move(object),
             std::move(value),
             std::move(threshold),
             std::move(meaning)}
        );
    }

    void heat(const PlanNode& node) {
        if (node.share < hot_share || plan_.nodes.size() < 2) {
            return;
        }
        const bool filters = node.type.starts_with("Seq Scan") && node.has_filter;
        add(Severity::notice,
            describe(node),
            percent(node.share) + " of the " + (plan_.timed ? "time" : "estimated cost") +
                " is its own",
            percent(hot_share),
            filters ? "It reads the whole relation to filter it: see whether an index could serve "
                      "the filter."
                    : "Begin here.");
    }

    void spills(const PlanNode& node) {
        if (node.spilled_kb > 0 || node.batches > 1) {
            add(Severity::warning,
                describe(node),
                node.spilled_kb > 0 ? whole(node.spilled_kb) + " kB on disk"
                                    : whole(node.batches) + " batches",
                "0",
                "It did not fit into work_mem and went through temporary files: raise work_mem for "
                "this statement, or make the estimate right.");
        }
        if (node.lossy_blocks > 0) {
            add(Severity::notice,
                describe(node),
                whole(node.lossy_blocks) + " lossy blocks",
                "0",
                "The bitmap did not fit into work_mem: whole pages are checked again row by row.");
        }
    }

    /// How far off, 1 at best.
    static double error_of(const PlanNode& node) {
        const double planned = std::max(node.rows, 1.0);
        const double actual = std::max(*node.actual_rows, 1.0);
        return std::max(planned, actual) / std::min(planned, actual);
    }

    /// Fewer rows than estimated are no error where somebody above stops asking.
    bool may_stop_early(std::size_t position) const {
        for (std::size_t i = position; i != 0; i = plan_.nodes[i].parent) {
            const PlanNode& parent = plan_.nodes[plan_.nodes[i].parent];
            if (parent.type.starts_with("Limit") || parent.type.starts_with("Merge Join") ||
                parent.type.find("Semi") != std::string::npos ||
                parent.type.find("Anti") != std::string::npos ||
                (parent.type.starts_with("Nested Loop") && plan_.nodes[i].relationship == "Inner"
                )) {
                return true;
            }
        }
        return false;
    }

    bool is_misjudged(std::size_t position) const {
        const PlanNode& node = plan_.nodes[position];
        if (!node.executed() ||
            std::max(node.rows, *node.actual_rows) * node.loops < estimate_rows_min ||
            error_of(node) < estimate_error.warning) {
            return false;
        }
        return *node.actual_rows > node.rows || !may_stop_early(position);
    }

    /// Only where the error begins: the nodes above inherit it.
    void estimate(std::size_t position) {
        if (!is_misjudged(position)) {
            return;
        }
        for (std::size_t i = position + 1; i < plan_.nodes.size(); ++i) {
            if (plan_.nodes[i].depth <= plan_.nodes[position].depth) {
                break;
            }
            if (plan_.nodes[i].parent == position && is_misjudged(i)) {
                return;
            }
        }
        const PlanNode& node = plan_.nodes[position];
        const double error = error_of(node);
        const Severity severity = judge(error, estimate_error).value_or(Severity::notice);
        add(severity,
            describe(node),
            rounded(*node.actual_rows) + " rows where " + rounded(node.rows) +
                " were estimated: off by " + rounded(error) + " times",
            rounded(estimate_error.passed(severity)) + " times",
            node.relation.empty()
                ? "The estimate goes wrong here: columns that depend on each other, or a skewed "
                  "one; extended statistics can tell the planner."
                : "The estimate goes wrong here: stale statistics (get_tables), columns that "
                  "depend on each other, or a condition that statistics cannot see through.");
    }

    const PlanNode* inner_of(std::size_t position) const {
        for (std::size_t i = position + 1; i < plan_.nodes.size(); ++i) {
            if (plan_.nodes[i].parent == position && plan_.nodes[i].relationship == "Inner") {
                return &plan_.nodes[i];
            }
        }
        return nullptr;
    }

    const PlanNode* outer_of(std::size_t position) const {
        for (std::size_t i = position + 1; i < plan_.nodes.size(); ++i) {
            if (plan_.nodes[i].parent == position && plan_.nodes[i].relationship == "Outer") {
                return &plan_.nodes[i];
            }
        }
        return nullptr;
    }

    void loops(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        const PlanNode* inner = inner_of(position);
        if (!node.type.starts_with("Nested Loop") || inner == nullptr ||
            inner->loops < inner_loops_warning) {
            return;
        }
        const PlanNode* outer = outer_of(position);
        const bool misled = outer != nullptr && outer->executed() &&
                            *outer->actual_rows > outer->rows * estimate_error.warning;
        add(misled ? Severity::critical : Severity::warning,
            describe(node),
            whole(inner->loops) + " runs of " + describe(*inner),
            whole(inner_loops_warning) + " runs",
            misled ? "It was chosen for " + rounded(outer->rows) + " outer rows and got " +
                         rounded(*outer->actual_rows) + ": mend that estimate first."
                   : "Right for few outer rows; for so many a hash join is mostly cheaper.");
    }

    /// By estimates alone: a relation read whole for each outer row.
    void whole_inner(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        const PlanNode* inner = inner_of(position);
        const PlanNode* outer = outer_of(position);
        constexpr double repeats_min = 100;
        if (!node.type.starts_with("Nested Loop") || inner == nullptr || outer == nullptr ||
            !inner->type.starts_with("Seq Scan") || outer->rows < repeats_min) {
            return;
        }
        add(Severity::warning,
            describe(node),
            describe(*inner) + " for each of " + whole(outer->rows) + " outer rows",
            whole(repeats_min),
            "The relation is read whole each time: an index on the joined columns is missing or "
            "cannot be used.");
    }

    void removed(const PlanNode& node) {
        const double kept = *node.actual_rows * node.loops;
        const double thrown = node.removed + node.removed_joins;
        if (thrown < removed_min || thrown < removed_ratio * kept) {
            return;
        }
        add(Severity::warning,
            describe(node),
            whole(thrown) + " rows read in vain for " + whole(kept) + " kept",
            rounded(removed_ratio) + " for each kept",
            node.removed_joins > node.removed
                ? "The condition of the join is checked pair by pair: it has no part that hashes "
                  "or searches."
                : "An index that serves the filter, or a partial one, would read only what is "
                  "kept.");
    }

    void fetches(const PlanNode& node) {
        const double rows = *node.actual_rows * node.loops;
        if (node.heap_fetches >= heap_fetches_min && node.heap_fetches >= heap_fetch_share * rows) {
            add(Severity::warning,
                describe(node),
                whole(node.heap_fetches) + " heap fetches for " + whole(rows) + " rows",
                percent(heap_fetch_share),
                "The index-only scan had to look at the table: its pages are not all-visible, "
                "vacuum is behind (get_vacuum).");
        }
        if (node.read_blocks >= read_blocks_warning) {
            add(Severity::notice,
                describe(node),
                whole(node.read_blocks) + " blocks read, " + whole(node.hit_blocks) +
                    " found in shared buffers",
                whole(read_blocks_warning),
                "It waits for the operating system or the disk.");
        }
    }

    void workers(const PlanNode& node) {
        if (node.workers_launched < node.workers_planned) {
            add(Severity::notice,
                describe(node),
                whole(node.workers_launched) + " of " + whole(node.workers_planned) +
                    " workers started",
                whole(node.workers_planned),
                "No worker was free: max_parallel_workers is used up by others.");
        }
    }

    const Plan& plan_;
    std::vector<Finding>& findings_;
};

/// How each relation is read: "Seq Scan", "Index Scan using x"; several ways stand together.
std::map<std::string, std::string> ways_of_access(const Plan& plan) {
    std::map<std::string, std::string> out;
    for (const PlanNode& node : plan.nodes) {
        if (!node.relation.empty()) {
            std::string& ways = out[node.relation];
            ways += (ways.empty() ? "" : ", ") + node.type +
                    (node.index.empty() ? "" : " using " + node.index);
        }
    }
    return out;
}

/// The joins, from the root down.
std::string joins_of(const Plan& plan) {
    std::string out;
    for (const PlanNode& node : plan.nodes) {
        if (node.type.find("Join") != std::string::npos || node.type.starts_with("Nested Loop")) {
            out += (out.empty() ? "" : ", ") + node.type;
        }
    }
    return out.empty() ? "none" : out;
}

} // namespace

base::Result<Plan> read_plan(std::string_view json) {
    auto parsed =
        base::parse_json(json, base::limits::json_bytes_max, base::limits::sql_tree_depth_max);
    if (!parsed) {
        return Error{
            Errc::invalid_arguments,
            "The plan cannot be read: " + parsed.error().what,
            "Paste the output of EXPLAIN (FORMAT JSON), the brackets too."};
    }
    const Json* top = &*parsed;
    if (top->is_array() && top->size() == 1) {
        top = &top->front();
    }
    const Json* root = base::member(*top, "Plan");
    if (root == nullptr && is_plan_node(*top)) {
        root = top;
    }
    if (root == nullptr || !root->is_object()) {
        return Error{
            Errc::invalid_arguments,
            "This JSON is not one plan: it has no \"Plan\".",
            "Paste the output of EXPLAIN (FORMAT JSON) of one statement."};
    }
    Plan plan;
    INTERLOCK_TRY(plan.nodes, nodes_of(*root));
    plan.executed = plan.nodes[0].actual_rows.has_value();
    plan.timed = plan.nodes[0].actual_ms.has_value();
    plan.execution_ms = measured(*top, "Execution Time");
    plan.planning_ms = measured(*top, "Planning Time");
    plan.jit_ms = jit_ms(*top);
    plan.trigger_ms = sum_of_triggers(*top);
    share_out(plan);
    plan.fingerprint = fingerprint_of(plan.nodes);
    return plan;
}

std::string describe(const PlanNode& node) {
    std::string out = node.type;
    if (!node.index.empty()) {
        out += " using " + node.index;
    }
    if (!node.relation.empty()) {
        out += " on " + node.relation;
    }
    return base::sanitize(out);
}

std::vector<Finding> judge_plan(const Plan& plan) {
    std::vector<Finding> findings;
    Judge judge{plan, findings};
    for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
        judge.node(i);
    }
    judge.sides();
    return findings;
}

std::vector<PlanChange> compare_plans(const Plan& before, const Plan& now) {
    std::vector<PlanChange> changes;
    const auto add = [&](std::string what, std::string was, std::string is) {
        if (was != is) {
            changes.push_back({std::move(what), std::move(was), std::move(is)});
        }
    };
    const auto was = ways_of_access(before);
    const auto is = ways_of_access(now);
    for (const auto& [relation, ways] : is) {
        const auto found = was.find(relation);
        add("access to " + relation, found == was.end() ? "none" : found->second, ways);
    }
    for (const auto& [relation, ways] : was) {
        if (is.count(relation) == 0) {
            add("access to " + relation, ways, "none");
        }
    }
    add("joins", joins_of(before), joins_of(now));
    if (changes.empty()) {
        add("shape", before.fingerprint, now.fingerprint);
    }
    add("total cost", rounded(before.nodes[0].total_cost), rounded(now.nodes[0].total_cost));
    add("estimated rows", rounded(before.nodes[0].rows), rounded(now.nodes[0].rows));
    if (before.execution_ms && now.execution_ms) {
        add("execution", milliseconds(*before.execution_ms), milliseconds(*now.execution_ms));
    }
    return changes;
}

} // namespace interlock::tools
