#include "tools/postgres/plan_parts.hpp"

#include "base/digest.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace interlock::tools {
namespace {

// Whose users are looked for one by one; statements have a few.
constexpr std::size_t initplans_max = 100;

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

bool is_gather(const PlanNode& node) {
    return node.type.starts_with("Gather");
}

/// The nearest Gather above each node, by position; without one: the node itself.
std::vector<std::size_t> gathers_of(const std::vector<PlanNode>& nodes) {
    std::vector<std::size_t> gathers(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::size_t parent = nodes[i].parent;
        const bool below = i > 0 && is_gather(nodes[parent]) && !is_subplan(nodes[i]);
        const std::size_t above = gathers[parent];
        gathers[i] = below ? parent : i > 0 && above != parent ? above : i;
    }
    return gathers;
}

/// Where the subtree of each node ends: one past its last node.
std::vector<std::size_t> ends_of(const std::vector<PlanNode>& nodes) {
    std::vector<std::size_t> ends(nodes.size());
    for (std::size_t i = nodes.size(); i-- > 0;) {
        ends[i] = std::max(ends[i], i + 1);
        ends[nodes[i].parent] = std::max(ends[nodes[i].parent], ends[i]);
    }
    return ends;
}

/// A subquery that is run once, or a CTE, and the nodes that may have run it: what it did stands in
/// their numbers and in those of all above them.
struct Shared {
    std::size_t plan = 0;
    std::vector<std::size_t> users;
};

/// What expressions call the result of an InitPlan: "$0" before version 17, "(InitPlan 1)" since.
std::vector<std::string> names_of_result(const std::string& subplan) {
    std::vector<std::string> names{"(" + subplan.substr(0, subplan.find(" (")) + ")"};
    for (auto at = subplan.find('$'); at != std::string::npos; at = subplan.find('$', at + 1)) {
        const auto end = subplan.find_first_not_of("0123456789", at + 1);
        names.push_back(subplan.substr(at, end == std::string::npos ? end : end - at));
    }
    return names;
}

bool mentions(const std::string& condition, const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const auto at = condition.find(name);
        const auto end = at + name.size();
        return at != std::string::npos &&
               (end >= condition.size() || condition[end] < '0' || condition[end] > '9');
    });
}

std::vector<Shared> shared_plans(const std::vector<PlanNode>& nodes) {
    std::multimap<std::string, std::size_t> scans; // of CTEs
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].type == "CTE Scan") {
            scans.emplace(nodes[i].name, i);
        }
    }
    const auto ends = ends_of(nodes);
    std::vector<Shared> out;
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (nodes[i].relationship != "InitPlan") {
            continue;
        }
        Shared& shared = out.emplace_back(Shared{.plan = i, .users = {}});
        const std::size_t owner = nodes[i].parent;
        constexpr std::string_view cte = "CTE ";
        if (nodes[i].subplan.starts_with(cte)) {
            const auto [from, to] = scans.equal_range(nodes[i].subplan.substr(cte.size()));
            for (auto scan = from; scan != to; ++scan) {
                if (scan->second > owner && scan->second < ends[owner]) {
                    shared.users.push_back(scan->second);
                }
            }
        } else if (out.size() <= initplans_max) {
            const auto names = names_of_result(nodes[i].subplan);
            for (std::size_t user = owner; user < ends[owner]; ++user) {
                const bool itself = user >= i && user < ends[i];
                if (!itself && mentions(nodes[user].condition, names)) {
                    shared.users.push_back(user);
                }
            }
        }
        if (shared.users.empty()) { // in a list of results, which only VERBOSE shows
            shared.users.push_back(owner);
        }
    }
    return out;
}

/// Each node's own part of numbers that include its children's. What a shared plan did is told
/// once, where it was done.
std::vector<double> own_parts(
    const std::vector<PlanNode>& nodes,
    const std::vector<Shared>& shared,
    const std::vector<double>& whole
) {
    std::vector<double> own{whole};
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (nodes[i].relationship != "InitPlan") {
            own[nodes[i].parent] -= whole[i];
        }
    }
    for (double& part : own) {
        part = std::max(part, 0.0);
    }
    for (const Shared& each : shared) {
        double left = whole[each.plan];
        for (const std::size_t user : each.users) {
            const double taken = std::min(own[user], left);
            own[user] -= taken;
            left -= taken;
        }
    }
    return own;
}

/// Time, which a plan tells as the mean of all loops. Workers of a Gather work at the same time:
/// below it, loops are shared out.
void share_times(std::vector<PlanNode>& nodes, const std::vector<Shared>& shared) {
    std::vector<double> at_once(nodes.size(), 1);
    std::vector<double> spent(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const PlanNode& parent = nodes[nodes[i].parent];
        if (i > 0) {
            at_once[i] = at_once[nodes[i].parent];
            if (is_gather(parent) && !is_subplan(nodes[i])) {
                at_once[i] =
                    std::clamp(nodes[i].loops, 1.0, std::max(parent.workers_launched, 0.0) + 1);
            }
        }
        spent[i] = nodes[i].actual_ms.value_or(0) * nodes[i].loops / at_once[i];
    }
    const auto own = own_parts(nodes, shared, spent);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].actual_ms) {
            nodes[i].self_ms = own[i];
        }
    }
}

void share_buffers(std::vector<PlanNode>& nodes, const std::vector<Shared>& shared) {
    for (double PlanNode::*blocks :
         {&PlanNode::hit_blocks, &PlanNode::read_blocks, &PlanNode::temp_blocks}) {
        std::vector<double> whole;
        whole.reserve(nodes.size());
        for (const PlanNode& node : nodes) {
            whole.push_back(node.*blocks);
        }
        const auto own = own_parts(nodes, shared, whole);
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            nodes[i].*blocks = own[i];
        }
    }
}

/// Partitions differ in the digits of their names, and which of them are read depends on values.
std::string without_digits(const std::string& name) {
    std::string out;
    for (const char c : name) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit || !out.ends_with('#')) {
            out += digit ? '#' : c;
        }
    }
    return out;
}

bool is_append(const PlanNode& node) {
    return node.type.ends_with("Append");
}

} // namespace

bool is_subplan(const PlanNode& node) {
    return node.relationship == "InitPlan" || node.relationship == "SubPlan";
}

std::vector<std::vector<std::size_t>> children_of(const std::vector<PlanNode>& nodes) {
    std::vector<std::vector<std::size_t>> children(nodes.size());
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        children[nodes[i].parent].push_back(i);
    }
    return children;
}

/// How many processes share a node. Those share it that read a part each of something below it; the
/// others below a Gather do the whole work in each process.
void share_processes(std::vector<PlanNode>& nodes, std::vector<bool> shared) {
    const auto gathers = gathers_of(nodes);
    for (std::size_t i = nodes.size(); i-- > 1;) {
        const std::size_t parent = nodes[i].parent;
        shared[parent] =
            shared[parent] || (shared[i] && !is_subplan(nodes[i]) && !is_gather(nodes[parent]));
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const PlanNode& gather = nodes[gathers[i]];
        if (!shared[i] || gathers[i] == i) {
            continue;
        }
        // As the planner has it: a leader that is busy with the workers' rows does less itself.
        const double workers = gather.workers_planned;
        nodes[i].processes_planned = workers + std::max(0.0, 1 - 0.3 * workers);
        nodes[i].processes = std::max(1.0, nodes[i].loops / std::max(gather.loops, 1.0));
    }
}

void share_out(Plan& plan) {
    const auto shared = shared_plans(plan.nodes);
    share_costs(plan.nodes, children_of(plan.nodes));
    if (plan.timed) {
        share_times(plan.nodes, shared);
    }
    share_buffers(plan.nodes, shared);
    double all = 0;
    for (const PlanNode& node : plan.nodes) {
        all += plan.timed ? node.self_ms.value_or(0) : node.self_cost;
    }
    for (PlanNode& node : plan.nodes) {
        const double own = plan.timed ? node.self_ms.value_or(0) : node.self_cost;
        node.share = all > 0 ? own / all : 0;
    }
}

/// From the leaves up: a node's shape is its own and its children's.
std::string fingerprint_of(const std::vector<PlanNode>& nodes) {
    std::vector<bool> in_append(nodes.size());
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        const PlanNode& parent = nodes[nodes[i].parent];
        in_append[i] = in_append[nodes[i].parent] || is_append(parent);
    }
    std::vector<std::vector<std::string>> below(nodes.size()); // digests of children, last first
    std::string digest;
    for (std::size_t i = nodes.size(); i-- > 0;) {
        const PlanNode& node = nodes[i];
        std::string shape;
        const std::string index = without_number(node.index);
        for (const std::string& part :
             {node.type,
              node.relationship,
              in_append[i] ? without_digits(node.name) : node.name,
              in_append[i] ? without_digits(index) : index}) {
            shape += std::to_string(part.size()) + ":" + part;
        }
        if (is_append(node)) {
            std::sort(below[i].begin(), below[i].end());
            below[i].erase(std::unique(below[i].begin(), below[i].end()), below[i].end());
        }
        for (const std::string& child : below[i]) {
            shape += child;
        }
        digest = base::hex(base::sha256(shape));
        below[i].clear();
        if (i > 0) {
            below[node.parent].push_back(digest);
        }
    }
    constexpr std::size_t digits = 16;
    return digest.substr(0, digits);
}

std::string without_number(const std::string& index) {
    const auto end = index.find('>');
    return index.starts_with('<') && end != std::string::npos ? index.substr(end + 1) : index;
}

std::string whole(double value) {
    // Sums of what a stranger wrote may be no numbers.
    const double kept = std::isnan(value) ? 0 : std::clamp(std::round(value), -9e18, 9e18);
    return std::to_string(static_cast<long long>(kept));
}

std::string rounded(double value) {
    const double tenths = std::round(value * 10);
    const std::string out = whole(std::floor(tenths / 10));
    return value >= 100 || std::fmod(tenths, 10) == 0 ? out
                                                      : out + "." + whole(std::fmod(tenths, 10));
}

std::string milliseconds(double value) {
    return rounded(value) + " ms";
}

} // namespace interlock::tools
