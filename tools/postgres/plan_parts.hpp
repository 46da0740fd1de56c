// What the reader of plans, its judge and its comparison share: each node's own part of the numbers
// of a whole statement, the shape's fingerprint, and how numbers are written.
#pragma once

#include "tools/postgres/plan_reader.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace interlock::tools {

/// A subquery in an expression or a CTE, not an input.
bool is_subplan(const PlanNode& node);

/// Children of each node, by position.
std::vector<std::vector<std::size_t>> children_of(const std::vector<PlanNode>& nodes);

/// How many processes share each node; `parallel`: which nodes are made to be shared.
void share_processes(std::vector<PlanNode>& nodes, std::vector<bool> parallel);

/// Fills in self_cost, self_ms, share, and each node's own blocks.
void share_out(Plan& plan);

std::string fingerprint_of(const std::vector<PlanNode>& nodes);

/// HypoPG puts a number of its own in front of an index that it makes up: "<13543>btree_orders".
std::string without_number(const std::string& index);

/// "120"; of what is no number, "0".
std::string whole(double value);
/// "3.4", "120".
std::string rounded(double value);
std::string milliseconds(double value);

} // namespace interlock::tools
