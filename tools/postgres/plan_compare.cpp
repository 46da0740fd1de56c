#include "tools/postgres/plan_parts.hpp"
#include "tools/postgres/plan_reader.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace interlock::tools {
namespace {

/// How each relation is read: "Seq Scan", "Index Scan using x"; several ways stand together.
/// With schemas only where both plans tell them.
std::map<std::string, std::string> ways_of_access(const Plan& plan, bool with_schemas) {
    std::map<std::string, std::string> out;
    for (const PlanNode& node : plan.nodes) {
        if (!node.name.empty()) {
            std::string& ways = out[with_schemas ? node.relation : node.name];
            ways += (ways.empty() ? "" : ", ") + node.type +
                    (node.index.empty() ? "" : " using " + without_number(node.index));
        }
    }
    return out;
}

bool tells_schemas(const Plan& plan) {
    return std::any_of(plan.nodes.begin(), plan.nodes.end(), [](const PlanNode& node) {
        return node.relation != node.name;
    });
}

/// The nodes that `wanted` takes, from the root down.
template <class Wanted>
std::string types_of(const Plan& plan, Wanted wanted) {
    std::string out;
    for (const PlanNode& node : plan.nodes) {
        if (wanted(node)) {
            out += (out.empty() ? "" : ", ") + node.type;
        }
    }
    return out.empty() ? "none" : out;
}

bool is_join(const PlanNode& node) {
    return node.type.find("Join") != std::string::npos || node.type.starts_with("Nested Loop");
}

bool groups_or_sorts(const PlanNode& node) {
    return node.type.starts_with("Aggregate") || node.type.find("Sort") != std::string::npos ||
           node.type == "Group" || node.type == "Unique";
}

/// Which relation is read before which, as far as they are joined.
std::string order_of(const Plan& plan) {
    std::string out;
    for (const PlanNode& node : plan.nodes) {
        if (!node.name.empty()) {
            out += (out.empty() ? "" : ", ") + node.name;
        }
    }
    return out;
}

} // namespace

std::vector<PlanChange> compare_plans(const Plan& before, const Plan& now) {
    std::vector<PlanChange> changes;
    const auto add = [&](std::string what, std::string was, std::string is) {
        if (was != is) {
            changes.push_back({std::move(what), std::move(was), std::move(is)});
        }
    };
    const bool with_schemas = tells_schemas(before) && tells_schemas(now);
    const auto was = ways_of_access(before, with_schemas);
    const auto is = ways_of_access(now, with_schemas);
    for (const auto& [relation, ways] : is) {
        const auto found = was.find(relation);
        add("access to " + relation, found == was.end() ? "none" : found->second, ways);
    }
    for (const auto& [relation, ways] : was) {
        if (is.count(relation) == 0) {
            add("access to " + relation, ways, "none");
        }
    }
    add("joins", types_of(before, is_join), types_of(now, is_join));
    add("grouping and sorting", types_of(before, groups_or_sorts), types_of(now, groups_or_sorts));
    if (changes.empty()) {
        add("order of relations", order_of(before), order_of(now));
    }
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
