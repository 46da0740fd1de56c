#include "tools/assess.hpp"
#include "tools/postgres/plan_parts.hpp"
#include "tools/postgres/plan_reader.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace interlock::tools {
namespace {

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
// A plan of one node is all of itself; below this it is a table of some hundred rows.
constexpr double whole_scan_cost_min = 100;

std::string percent(double share) {
    return whole(share * 100) + " %";
}

/// The findings of one node.
class Judge {
public:
    Judge(const Plan& plan, std::vector<Finding>& findings)
        : plan_{plan}, children_{children_of(plan.nodes)}, findings_{findings} {}

    void node(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        heat(node);
        spills(position);
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
        const bool filters = node.type.starts_with("Seq Scan") && node.has_filter;
        const bool alone = plan_.nodes.size() < 2;
        if (node.share < hot_share ||
            (alone && (!filters || node.total_cost < whole_scan_cost_min))) {
            return;
        }
        add(Severity::notice,
            describe(node),
            percent(node.share) + " of the " + (plan_.timed ? "time" : "estimated cost") +
                " is its own",
            percent(hot_share),
            filters ? "It reads the whole relation to filter it: see whether an index could serve "
                      "the filter."
                    : "Begin here.");
    }

    /// Of a hash join the hash tells: its own blocks are the outer rows of the same batches.
    bool child_spills(std::size_t position) const {
        return std::any_of(
            children_[position].begin(),
            children_[position].end(),
            [&](std::size_t child) {
                return plan_.nodes[child].type == "Hash" && plan_.nodes[child].batches > 1;
            }
        );
    }

    void spills(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        const bool told = node.spilled_kb > 0 || node.batches > 1;
        if (told || (node.temp_blocks > 0 && !child_spills(position))) {
            add(Severity::warning,
                describe(node),
                node.spilled_kb > 0 ? whole(node.spilled_kb) + " kB on disk"
                : told              ? whole(node.batches) + " batches"
                                    : whole(node.temp_blocks) + " temporary blocks",
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
        const double planned = std::max(node.planned_rows(), 1.0);
        const double actual = std::max(node.seen_rows(), 1.0);
        return std::max(planned, actual) / std::min(planned, actual);
    }

    /// Takes in all that comes from below before it gives anything.
    static bool takes_all(const PlanNode& node) {
        return node.type == "Sort" || node.type == "Hash" || node.type == "Aggregate" ||
               (node.type.starts_with("Aggregate") && node.type.find("Hashed") != std::string::npos
               );
    }

    /// An input that a hash join did not need because the other one was empty.
    bool is_needless(std::size_t position, const PlanNode& parent) const {
        const PlanNode* hashed = parent.type.starts_with("Hash Join")
                                     ? child_of(plan_.nodes[position].parent, "Inner")
                                     : nullptr;
        return hashed != nullptr && plan_.nodes[position].relationship == "Outer" &&
               hashed->executed() && hashed->seen_rows() == 0;
    }

    /// Fewer rows than estimated are no error where somebody above stops asking.
    bool may_stop_early(std::size_t position) const {
        for (std::size_t i = position; i != 0; i = plan_.nodes[i].parent) {
            const PlanNode& parent = plan_.nodes[plan_.nodes[i].parent];
            if (is_subplan(plan_.nodes[i]) || parent.type.starts_with("Limit") ||
                parent.type.starts_with("Merge Join") || is_needless(i, parent) ||
                parent.type.find("Semi") != std::string::npos ||
                parent.type.find("Anti") != std::string::npos ||
                (parent.type.starts_with("Nested Loop") && plan_.nodes[i].relationship == "Inner"
                )) {
                return true;
            }
            if (takes_all(parent)) {
                return false;
            }
        }
        return false;
    }

    bool is_misjudged(std::size_t position) const {
        const PlanNode& node = plan_.nodes[position];
        const double runs = node.loops / node.processes;
        if (!node.executed() ||
            std::max(node.planned_rows(), node.seen_rows()) * runs < estimate_rows_min ||
            error_of(node) < estimate_error.warning) {
            return false;
        }
        return node.seen_rows() > node.planned_rows() || !may_stop_early(position);
    }

    /// Only where the error begins: the nodes above inherit it.
    void estimate(std::size_t position) {
        const auto& below = children_[position];
        if (!is_misjudged(position) ||
            std::any_of(below.begin(), below.end(), [&](std::size_t child) {
                return is_misjudged(child);
            })) {
            return;
        }
        const PlanNode& node = plan_.nodes[position];
        const double error = error_of(node);
        const Severity severity = judge(error, estimate_error).value_or(Severity::notice);
        add(severity,
            describe(node),
            rounded(node.seen_rows()) + " rows where " + rounded(node.planned_rows()) +
                " were estimated: off by " + rounded(error) + " times",
            rounded(estimate_error.passed(severity)) + " times",
            node.relation.empty()
                ? "The estimate goes wrong here: columns that depend on each other, or a skewed "
                  "one; extended statistics can tell the planner."
                : "The estimate goes wrong here: stale statistics (get_tables), columns that "
                  "depend on each other, or a condition that statistics cannot see through.");
    }

    const PlanNode* child_of(std::size_t position, std::string_view relationship) const {
        for (const std::size_t child : children_[position]) {
            if (plan_.nodes[child].relationship == relationship) {
                return &plan_.nodes[child];
            }
        }
        return nullptr;
    }

    void loops(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        const PlanNode* inner = child_of(position, "Inner");
        if (!node.type.starts_with("Nested Loop") || inner == nullptr ||
            inner->loops < inner_loops_warning) {
            return;
        }
        const PlanNode* outer = child_of(position, "Outer");
        const bool misled = outer != nullptr && outer->executed() &&
                            outer->seen_rows() > outer->planned_rows() * estimate_error.warning;
        add(misled ? Severity::critical : Severity::warning,
            describe(node),
            whole(inner->loops) + " runs of " + describe(*inner),
            whole(inner_loops_warning) + " runs",
            misled
                ? "It was chosen for " + rounded(outer->planned_rows()) + " outer rows and got " +
                      rounded(outer->seen_rows()) + ": mend that estimate first."
                : "Right for few outer rows; for so many a hash join is mostly cheaper.");
    }

    /// By estimates alone: a relation read whole for each outer row.
    void whole_inner(std::size_t position) {
        const PlanNode& node = plan_.nodes[position];
        const PlanNode* inner = child_of(position, "Inner");
        const PlanNode* outer = child_of(position, "Outer");
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
        // Before version 18 a mean is told in whole rows: "0" of many loops may be nearly a half.
        const bool rounded_off =
            node.loops > 1 && *node.actual_rows == std::floor(*node.actual_rows);
        const double kept_max = kept + (rounded_off ? node.loops / 2 : 0);
        if (thrown < removed_min || thrown < removed_ratio * kept_max) {
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
    std::vector<std::vector<std::size_t>> children_;
    std::vector<Finding>& findings_;
};

} // namespace

std::vector<Finding> judge_plan(const Plan& plan) {
    std::vector<Finding> findings;
    Judge judge{plan, findings};
    for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
        judge.node(i);
    }
    judge.sides();
    return findings;
}

} // namespace interlock::tools
