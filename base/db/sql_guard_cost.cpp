#include "base/db/sql_guard_cost.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_rows.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::node;
namespace limits = base::limits;

constexpr int depth_max = 48;                // queries in queries; real ones stay below 10
constexpr std::size_t columns_max = 100'000; // looked at; a star repeats those of what it names
constexpr double steps_most = 1'000;         // of a recursion, where rows of it are kept

std::string name_of(const Json& members, const char* member) {
    return dotted(base::member(members, member)).last;
}

} // namespace

std::string_view GuardCost::judge(const Json& statement) {
    const auto* explain = node(&statement, "ExplainStmt");
    const auto* asked = explain ? base::member(*explain, "query") : &statement;
    if (const auto* select = node(asked, "SelectStmt")) {
        query(*select, nullptr, nullptr, 0);
    }
    return found_;
}

// Queries

GuardCost::Table
GuardCost::query(const Json& select, const Scope* outer, const With* with, int depth) {
    if (depth > depth_max || columns_ > columns_max) {
        refuse("dos_parser");
    }
    if (!found_.empty()) {
        return {};
    }
    if (const auto* list = base::member(select, "withClause")) {
        with = open_with(*list, outer, with, depth);
    }
    // UNION and the like, as long as they may be.
    std::vector<const Json*> arms;
    const auto* next = &select;
    for (; next->contains("larg") && next->contains("rarg"); next = &(*next)["larg"]) {
        arms.push_back(&(*next)["rarg"]);
        if ((*next)["larg"].contains("withClause")) {
            break;
        }
    }
    const bool apart = next->contains("larg"); // its own WITH
    auto all =
        apart ? query((*next)["larg"], outer, with, depth + 1) : single(*next, outer, with, depth);
    for (const auto* arm : arms) {
        const auto each = query(*arm, outer, with, depth + 1);
        for (std::size_t i = 0; i < std::min(all.columns.size(), each.columns.size()); ++i) {
            all.columns[i].second = largest({all.columns[i].second, each.columns[i].second});
        }
        all.rows += each.rows;
        all.relation = all.relation || each.relation;
    }
    const auto limit = constants::evaluate(sql_, base::member(select, "limitCount"));
    if (limit) {
        all.rows = std::min(all.rows, std::max(*limit, 0.0));
        all.relation = all.relation && *limit > limits::tool_rows_max;
    }
    return all;
}

GuardCost::Table
GuardCost::single(const Json& select, const Scope* outer, const With* with, int depth) {
    Scope scope{.outer = outer, .joined = select.contains("whereClause")};
    const auto* from = base::member(select, "fromClause");
    for (std::size_t i = 0; from != nullptr && i < from->size(); ++i) {
        gather((*from)[i], scope, with, depth);
    }
    for (const auto* member :
         {"targetList",
          "whereClause",
          "groupClause",
          "havingClause",
          "sortClause",
          "valuesLists",
          "distinctClause",
          "limitCount",
          "limitOffset",
          "windowClause"}) {
        if (const auto* value = base::member(select, member)) {
            evaluate(*value, scope, with, depth);
        }
    }
    Table table{.columns = outputs(select, scope), .rows = scope.rows, .relation = scope.relation};
    const auto* targets = base::member(select, "targetList");
    if (targets != nullptr) {
        table.rows *= made_rows(*targets);
        const bool aggregated =
            constants::any_node(*targets, [](const auto& type, const Json& call) {
                return type == "FuncCall" && !call.contains("over") &&
                       guard_data::aggregate(name_of(call, "funcname"));
            });
        if (aggregated && !select.contains("groupClause")) {
            table.rows = 1;
            table.relation = false;
        }
    }
    if (const auto* values = base::member(select, "valuesLists")) {
        table.rows = static_cast<double>(values->size());
    }
    columns_ += table.columns.size();
    return table;
}

const GuardCost::With*
GuardCost::open_with(const Json& with, const Scope* outer, const With* known, int depth) {
    const auto* list = base::member(with, "ctes");
    const bool may_recur = base::boolean_member(with, "recursive").value_or(false);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const auto* found = node(&(*list)[i], "CommonTableExpr");
        const auto* select = found ? node(base::member(*found, "ctequery"), "SelectStmt") : nullptr;
        if (select == nullptr) {
            continue;
        }
        auto table = may_recur && select->contains("rarg")
                         ? recursive(*found, *select, outer, known, depth)
                         : query(*select, outer, known, depth + 1);
        const auto names = names_in(base::member(*found, "aliascolnames"));
        for (std::size_t at = 0; at < std::min(names.size(), table.columns.size()); ++at) {
            table.columns[at].first = names[at];
        }
        withs_.push_back(
            {known, base::string_member(*found, "ctename").value_or(""), std::move(table)}
        );
        known = &withs_.back();
    }
    return known;
}

/// Nobody knows here how often the step runs: that is judged with the rows.
GuardCost::Table GuardCost::recursive(
    const Json& cte, const Json& select, const Scope* outer, const With* known, int depth
) {
    auto first = query(select["larg"], outer, known, depth + 1);
    const auto names = names_in(base::member(cte, "aliascolnames"));
    With itself{known, base::string_member(cte, "ctename").value_or(""), first};
    for (std::size_t i = 0; i < std::min(names.size(), first.columns.size()); ++i) {
        itself.table.columns[i].first = names[i];
    }
    withs_.push_back(std::move(itself));
    const auto step = query(select["rarg"], outer, &withs_.back(), depth + 1);
    for (std::size_t i = 0; i < std::min(step.columns.size(), first.columns.size()); ++i) {
        first.columns[i].second = largest({first.columns[i].second, step.columns[i].second});
    }
    first.rows = std::max({first.rows, step.rows, steps_most});
    return first;
}

// FROM

void GuardCost::add(Scope& scope, const Json& members, std::string name, Table table) {
    const auto* alias = base::member(members, "alias");
    name = alias ? base::string_member(*alias, "aliasname").value_or("") : name;
    const auto renamed = names_in(alias ? base::member(*alias, "colnames") : nullptr);
    for (std::size_t i = 0; i < std::min(renamed.size(), table.columns.size()); ++i) {
        table.columns[i].first = renamed[i];
    }
    for (auto& [column, bound] : table.columns) {
        bound.carried = bound.carried || !bound.data || bound.braces;
    }
    columns_ += table.columns.size();
    scope.rows = scope.joined ? std::max(scope.rows, table.rows) : scope.rows * table.rows;
    scope.relation = scope.relation || table.relation;
    scope.items.push_back({std::move(name), std::move(table)});
}

void GuardCost::gather(const Json& item, Scope& scope, const With* with, int depth) {
    if (depth > depth_max) {
        return refuse("dos_parser");
    }
    if (const auto* relation = node(&item, "RangeVar")) {
        const auto name = base::string_member(*relation, "relname").value_or("");
        const auto* found = relation->contains("schemaname") ? nullptr : with;
        while (found != nullptr && found->name != name) {
            found = found->outer;
        }
        return add(scope, *relation, name, found ? found->table : Table{.relation = true});
    }
    if (const auto* sample = node(&item, "RangeTableSample")) {
        const auto* relation = base::member(*sample, "relation");
        return relation ? gather(*relation, scope, with, depth + 1) : void();
    }
    if (const auto* queried = node(&item, "RangeSubselect")) {
        const auto* select = node(base::member(*queried, "subquery"), "SelectStmt");
        auto table = select ? query(*select, &scope, with, depth + 1) : Table{};
        return add(scope, *queried, "", std::move(table));
    }
    if (const auto* functions = node(&item, "RangeFunction")) {
        return gather_functions(*functions, scope, with, depth);
    }
    const auto* join = node(&item, "JoinExpr");
    if (join == nullptr || !join->contains("larg") || !join->contains("rarg")) {
        return;
    }
    scope.joined = scope.joined || join->contains("quals") || join->contains("usingClause");
    const auto first = scope.items.size();
    gather((*join)["larg"], scope, with, depth + 1);
    gather((*join)["rarg"], scope, with, depth + 1);
    if (const auto* condition = base::member(*join, "quals")) {
        evaluate(*condition, scope, with, depth);
    }
    if (join->contains("alias")) {
        Table all;
        for (auto i = first; i < scope.items.size(); ++i) {
            const auto& columns = scope.items[i].table.columns;
            all.columns.insert(all.columns.end(), columns.begin(), columns.end());
        }
        add(scope, *join, "", std::move(all));
    }
}

void GuardCost::gather_functions(const Json& item, Scope& scope, const With* with, int depth) {
    const auto* functions = base::member(item, "functions");
    if (functions == nullptr) {
        return;
    }
    evaluate(*functions, scope, with, depth);
    Table table{.rows = made_rows(*functions)};
    std::string name;
    std::vector<Bound> all;
    constants::any_node(*functions, [&](const std::string& type, const Json& call) {
        name = type == "FuncCall" && name.empty() ? name_of(call, "funcname") : name;
        return false;
    });
    for (const auto& function : *functions) {
        const auto* pair = node(&function, "List");
        const auto* items = pair ? base::member(*pair, "items") : nullptr;
        all.push_back(items && !items->empty() ? of(&(*items)[0]) : of(&function));
    }
    auto whole = largest(all);
    whole.carried = !whole.data || whole.braces;
    table.rest = whole;
    const auto* alias = base::member(item, "alias");
    const auto shown = alias ? base::string_member(*alias, "aliasname").value_or(name) : name;
    table.columns.emplace_back(shown, whole);
    const auto renamed = names_in(alias ? base::member(*alias, "colnames") : nullptr);
    for (std::size_t i = 1; i < renamed.size(); ++i) {
        table.columns.emplace_back(renamed[i], whole);
    }
    add(scope, item, name, std::move(table));
}

/// Rows that the functions of a list make out of nothing.
double GuardCost::made_rows(const Json& targets) const {
    double rows = 1;
    constants::any_node(targets, [&](const std::string& type, const Json& call) {
        const auto* arguments = type == "FuncCall" ? base::member(call, "args") : nullptr;
        if (arguments == nullptr || !arguments->is_array() || arguments->empty()) {
            return false;
        }
        const auto name = name_of(call, "funcname");
        if (name == "generate_series") {
            const auto made = GuardRows::series(sql_, *arguments);
            rows *= std::clamp(made.value_or(100), 1.0, double{limits::sql_series_rows_max});
        } else if (guard_data::splits(name)) {
            const auto& bound = of(&(*arguments)[0]);
            rows *= bound.data ? 1 : std::max(bound.bytes, 1.0);
        }
        return false;
    });
    return rows;
}

GuardCost::Columns GuardCost::outputs(const Json& select, const Scope& scope) {
    Columns columns;
    if (const auto* values = base::member(select, "valuesLists")) {
        for (const auto& row : *values) {
            const auto* cells = node(&row, "List");
            const auto* items = cells ? base::member(*cells, "items") : nullptr;
            for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
                if (i == columns.size()) {
                    columns.emplace_back("column" + std::to_string(i + 1), of(&(*items)[i]));
                } else {
                    columns[i].second = largest({columns[i].second, of(&(*items)[i])});
                }
            }
        }
        return columns;
    }
    const auto* targets = base::member(select, "targetList");
    for (std::size_t i = 0; targets != nullptr && i < targets->size(); ++i) {
        const auto* target = node(&(*targets)[i], "ResTarget");
        const auto* value = target ? base::member(*target, "val") : nullptr;
        if (value == nullptr) {
            continue;
        }
        const auto* reference = node(value, "ColumnRef");
        const auto* fields = reference ? base::member(*reference, "fields") : nullptr;
        const auto parts = names_in(fields);
        if (fields != nullptr && !fields->empty() && fields->back().contains("A_Star")) {
            for (const auto& item : scope.items) {
                if (parts.empty() || parts.back() == item.alias) {
                    const auto& all = item.table.columns;
                    columns.insert(columns.end(), all.begin(), all.end());
                }
            }
            if (columns.size() > columns_max) {
                refuse("dos_parser");
                return {};
            }
            continue;
        }
        const auto name = base::string_member(*target, "name");
        columns.emplace_back(
            name            ? *name
            : parts.empty() ? constants::called(*value)
                            : parts.back(),
            of(value)
        );
    }
    return columns;
}

} // namespace interlock::db
