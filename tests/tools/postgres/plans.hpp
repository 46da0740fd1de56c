// Plans for tests, written as EXPLAIN writes them in JSON.
#pragma once

#include "base/json.hpp"
#include "tools/postgres/plan_reader.hpp"

#include <string>
#include <vector>

namespace interlock::test::plans {

using base::Json;
using tools::Plan;

/// A node as EXPLAIN writes it; `more` overwrites and adds.
Json node(const std::string& type, double cost, double rows);
Json node(const std::string& type, double cost, double rows, const Json& more);
/// What it says of a node that ran.
Json ran(double ms, double rows, double loops = 1);
Json with(Json left, const Json& right);
/// The names of a relation in schema app.
Json scan(const std::string& relation);
Json children(std::vector<Json> nodes);
Json temporary(double blocks);
extern const Json outer;
extern const Json inner;

/// Reads what must be a plan; `more` stands beside its root.
Plan plan_of(const Json& root);
Plan plan_of(const Json& root, const Json& more);
bool says(const Plan& plan, const std::string& object, const std::string& value);

} // namespace interlock::test::plans
