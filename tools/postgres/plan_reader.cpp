#include "tools/postgres/plan_reader.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/postgres/plan_parts.hpp"
#include "tools/postgres/plan_text.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using base::Json;

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

/// "Nested Loop (Left)", "Aggregate (Hashed)": what tells nodes of a type apart.
std::string full_type(const Json& node) {
    std::string type = text(node, "Node Type");
    std::string kind = text(node, "Join Type");
    if (kind == "Inner") {
        kind.clear();
    }
    for (const char* key : {"Partial Mode", "Strategy", "Operation", "Command"}) {
        const std::string more = text(node, key);
        if (!more.empty() && more != "Plain" && more != "Simple" && more != "Select") {
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

/// What the node reads, without its schema.
std::string name_of(const Json& node) {
    for (const char* key : {"Relation Name", "CTE Name", "Function Name", "Table Function Name"}) {
        if (std::string name = text(node, key); !name.empty()) {
            return name;
        }
    }
    return {};
}

/// A node and its workers, whose numbers stand beside it.
std::vector<const Json*> parts_of(const Json& node) {
    std::vector<const Json*> parts{&node};
    if (const Json* workers = base::member(node, "Workers");
        workers != nullptr && workers->is_array()) {
        for (const Json& worker : *workers) {
            parts.push_back(&worker);
        }
    }
    return parts;
}

/// What sorts, hash aggregates, and stores of rows (CTEs, Materialize) put on disk.
double spilled_kb(const Json& node) {
    double sum = 0;
    for (const Json* part : parts_of(node)) {
        sum += text(*part, "Sort Space Type") == "Disk" ? number(*part, "Sort Space Used") : 0;
        sum += text(*part, "Storage") == "Disk" ? number(*part, "Maximum Storage") : 0;
        sum += number(*part, "Disk Usage");
        for (const char* key : {"Full-sort Groups", "Pre-sorted Groups"}) { // incremental sorts
            const Json* groups = base::member(*part, key);
            const Json* disk =
                groups != nullptr ? base::member(*groups, "Sort Space Disk") : nullptr;
            sum += disk != nullptr ? number(*disk, "Peak Sort Space Used") : 0;
        }
    }
    return sum;
}

double batches_of(const Json& node) {
    double most = 1;
    for (const Json* part : parts_of(node)) {
        most = std::max({most, number(*part, "Hash Batches"), number(*part, "HashAgg Batches")});
    }
    return most;
}

double sum_of(const Json& node, const char* key) {
    double sum = 0;
    for (const Json* part : parts_of(node)) {
        sum += number(*part, key);
    }
    return sum;
}

PlanNode node_of(const Json& json) {
    PlanNode node;
    node.type = full_type(json);
    node.relationship = text(json, "Parent Relationship");
    node.subplan = text(json, "Subplan Name");
    node.name = name_of(json);
    node.relation = text(json, "Schema");
    node.relation += (node.relation.empty() || node.name.empty() ? "" : ".") + node.name;
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
    node.lossy_blocks = sum_of(json, "Lossy Heap Blocks");
    node.batches = batches_of(json);
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
    std::vector<bool> parallel; // a part of it in each process
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
        parallel.push_back(base::boolean_member(*next.json, "Parallel Aware").value_or(false));
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
    share_processes(nodes, std::move(parallel));
    return nodes;
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

/// From the JSON of EXPLAIN, or what was made of its text.
base::Result<Plan> plan_of_json(const Json& json) {
    const Json* top = &json;
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

bool is_json(std::string_view text) {
    return text.starts_with('[') || text.starts_with('{');
}

/// EXPLAIN writes these too.
bool is_other_format(std::string_view text) {
    return text.starts_with("<explain") || text.starts_with("- Plan:");
}

} // namespace

bool is_plan(std::string_view text) {
    const std::string_view begins = base::trim(text);
    if (is_json(begins) || is_other_format(begins)) {
        return true;
    }
    const std::string bare = without_frame(text);
    return is_json(base::trim(bare)) || is_plan_text(bare);
}

base::Result<Plan> read_plan(std::string_view text) {
    if (text.size() > base::limits::json_bytes_max) {
        return Error{
            Errc::limit_exceeded,
            "The plan is larger than " + std::to_string(base::limits::json_bytes_max) + " bytes.",
            "Paste the part that takes the time."};
    }
    if (is_other_format(base::trim(text))) {
        return Error{
            Errc::invalid_arguments,
            "A plan is read as JSON or as text, not as XML or YAML.",
            "Paste the output of EXPLAIN (FORMAT JSON)."};
    }
    const std::string bare = is_json(base::trim(text)) ? std::string{text} : without_frame(text);
    if (!is_json(base::trim(bare))) {
        INTERLOCK_TRY(const Json json, read_plan_text(bare));
        return plan_of_json(json);
    }
    const auto parsed =
        base::parse_json(bare, base::limits::json_bytes_max, base::limits::sql_tree_depth_max);
    if (!parsed) {
        return Error{
            Errc::invalid_arguments,
            "The plan cannot be read: " + parsed.error().what,
            "Paste the output of EXPLAIN (FORMAT JSON), the brackets too."};
    }
    return plan_of_json(*parsed);
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

} // namespace interlock::tools
