#include "base/db/sql_guard_recursion.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::any_node;
using constants::called;
using constants::evaluate;
using constants::has_column;
using constants::node;
namespace limits = base::limits;

constexpr int depth_max = 8; // of what is looked at for a proof; others are none

const Json* argument(const Json& call, std::size_t place) {
    const auto* members = node(&call, "FuncCall");
    const auto* list = members ? base::member(*members, "args") : nullptr;
    return list != nullptr && list->is_array() && place < list->size() ? &(*list)[place] : nullptr;
}

std::string operator_of(const Json& expression) {
    return dotted(base::member(expression, "name")).last;
}

std::string column_of(const Json* value) {
    const auto* column = node(value, "ColumnRef");
    const auto names =
        column ? names_in(base::member(*column, "fields")) : std::vector<std::string>{};
    return names.empty() ? "" : names.back();
}

bool names_column(const Json& value, const std::string& name) {
    return any_node(value, [&](const std::string& type, const Json& members) {
        const auto names = type == "ColumnRef" ? names_in(base::member(members, "fields"))
                                               : std::vector<std::string>{};
        return !names.empty() && names.back() == name;
    });
}

bool has_number_above(std::string_view sql, const Json& value, double most) {
    return any_node(value, [&](const std::string& type, const Json& found) {
        return type == "A_Const" &&
               std::abs(constants::constant_number(sql, found).value_or(0)) > most;
    });
}

/// A join, a sub-select or a function that finds nothing more when the data end.
bool joins_data(const std::string& type, const Json& found) {
    if (type == "JoinExpr") {
        const auto* condition = base::member(found, "quals");
        return found.contains("usingClause") || found.contains("isNatural") ||
               (condition != nullptr && has_column(*condition));
    }
    if (type == "RangeFunction") {
        const bool series = any_node(found, [](const std::string& inner, const Json& call) {
            return inner == "FuncCall" &&
                   dotted(base::member(call, "funcname")).last == "generate_series";
        });
        return !series && has_column(found);
    }
    const auto* query = type == "RangeSubselect" ? base::member(found, "subquery") : nullptr;
    const auto* select = query ? node(query, "SelectStmt") : nullptr;
    const auto* where = select ? base::member(*select, "whereClause") : nullptr;
    return where != nullptr && has_column(*where);
}

/// Values of which there are few, however often they are asked for: processes that block, rests
/// of a division, what stands in a relation.
bool is_finite(std::string_view sql, const Json* value, int depth = 0) {
    if (value == nullptr || depth > depth_max) {
        return false;
    }
    if (value->contains("ColumnRef") || value->contains("A_Const")) {
        return true;
    }
    if (const auto* cast = node(value, "TypeCast")) {
        return is_finite(sql, base::member(*cast, "arg"), depth + 1);
    }
    if (const auto* expression = node(value, "A_Expr")) {
        return operator_of(*expression) == "%" && evaluate(sql, base::member(*expression, "rexpr"));
    }
    const auto name = called(*value);
    return name == "pg_blocking_pids" || name == "pg_safe_snapshot_blocking_pids" ||
           (name == "unnest" && is_finite(sql, argument(*value, 0), depth + 1)) ||
           (name == "mod" && argument(*value, 1) && evaluate(sql, argument(*value, 1)));
}

bool gives_finite(std::string_view sql, const Json& select, int depth);

bool is_finite_item(std::string_view sql, const Json& item, int depth) {
    if (depth > depth_max) {
        return false;
    }
    if (item.contains("RangeVar")) {
        return true;
    }
    if (const auto* functions = node(&item, "RangeFunction")) {
        const auto* list = base::member(*functions, "functions");
        return list != nullptr && std::all_of(list->begin(), list->end(), [&](const Json& each) {
                   const auto* pieces = node(&each, "List"); // the call, and its columns
                   const auto* items = pieces ? base::member(*pieces, "items") : nullptr;
                   return items != nullptr && !items->empty() && is_finite(sql, &(*items)[0]);
               });
    }
    if (const auto* queried = node(&item, "RangeSubselect")) {
        const auto* select = node(base::member(*queried, "subquery"), "SelectStmt");
        return select != nullptr && gives_finite(sql, *select, depth + 1);
    }
    const auto* join = node(&item, "JoinExpr");
    return join != nullptr && is_finite_item(sql, (*join)["larg"], depth + 1) &&
           is_finite_item(sql, (*join)["rarg"], depth + 1);
}

bool gives_finite(std::string_view sql, const Json& select, int depth) {
    const auto* targets = base::member(select, "targetList");
    const auto* from = base::member(select, "fromClause");
    const auto finite = [&](const Json& target) {
        const auto* members = node(&target, "ResTarget");
        return members != nullptr && is_finite(sql, base::member(*members, "val"));
    };
    const auto item = [&](const Json& each) { return is_finite_item(sql, each, depth); };
    return targets != nullptr && !select.contains("larg") && !select.contains("withClause") &&
           std::all_of(targets->begin(), targets->end(), finite) &&
           (from == nullptr || std::all_of(from->begin(), from->end(), item));
}

/// What the columns of the query are called, by place.
std::vector<std::string> own_columns(const Json& query, const Json& select) {
    auto names = names_in(base::member(query, "aliascolnames"));
    const auto* first = &select;
    while (first->contains("larg")) {
        first = &(*first)["larg"];
    }
    const auto* targets = base::member(*first, "targetList");
    for (auto i = names.size(); targets != nullptr && i < targets->size(); ++i) {
        const auto* target = node(&(*targets)[i], "ResTarget");
        const auto name = target ? base::string_member(*target, "name") : std::nullopt;
        names.push_back(name ? *name : target ? column_of(base::member(*target, "val")) : "");
    }
    return names;
}

/// The rest of a column: cut off in front, or what matches taken away.
bool is_rest(std::string_view sql, const Json* value, const std::string& column, int depth = 0) {
    const auto name = value ? called(*value) : std::string{};
    const auto* of = value ? argument(*value, 0) : nullptr;
    if (of == nullptr || depth > depth_max) {
        return false;
    }
    const bool deeper = is_rest(sql, of, column, depth + 1);
    if (!deeper && column_of(of) != column) {
        return false;
    }
    const auto* second = argument(*value, 1);
    const auto number = second ? evaluate(sql, second) : std::nullopt;
    if (name == "ltrim" || name == "btrim" || name == "rtrim") {
        return true;
    }
    if (name == "substr" || name == "substring") {
        return deeper || number.value_or(0) > 1 || (second && has_column(*second));
    }
    if (name == "right") {
        return deeper || number.value_or(0) < 0 || (second && !number && has_column(*second));
    }
    const auto* put = argument(*value, 2);
    const auto text = put ? constants::text(*put) : std::nullopt;
    return (name == "replace" || name == "regexp_replace") && text && text->empty();
}

/// A condition that an empty rest does not meet.
bool fails_at_end(std::string_view sql, const Json& condition, const std::string& column) {
    const auto* expression = node(&condition, "A_Expr");
    const auto* left = expression ? base::member(*expression, "lexpr") : nullptr;
    const auto* right = expression ? base::member(*expression, "rexpr") : nullptr;
    if (left == nullptr || right == nullptr || !names_column(*left, column)) {
        return false;
    }
    const auto name = operator_of(*expression);
    const auto text = constants::text(*right);
    if (text && name == "<>") {
        return text->empty() && (column_of(left) == column || called(*left) == "split_part");
    }
    if (text && (name == "~~" || name == "~")) {
        return column_of(left) == column && text->find_first_not_of("%_.*^$") != std::string::npos;
    }
    const auto measure = called(*left);
    const bool measured = measure == "length" || measure == "char_length" ||
                          measure == "position" || measure == "strpos" || measure == "octet_length";
    const auto least = evaluate(sql, right).value_or(-1);
    return measured && ((name == ">" && least >= 0) || (name == ">=" && least >= 1) ||
                        (name == "<>" && least == 0));
}

std::vector<const Json*> conjuncts(const Json& condition) {
    const auto* both = node(&condition, "BoolExpr");
    const auto* arms = both ? base::member(*both, "args") : nullptr;
    if (arms == nullptr || base::string_member(*both, "boolop") != "AND_EXPR") {
        return {&condition};
    }
    std::vector<const Json*> found;
    for (const auto& arm : *arms) {
        found.push_back(&arm);
    }
    return found;
}

/// A piece of a text by its number, until there is none.
bool counts_pieces(const Json& condition, const std::string& counter) {
    const auto* expression = node(&condition, "A_Expr");
    const auto* left = expression ? base::member(*expression, "lexpr") : nullptr;
    const auto* right = expression ? base::member(*expression, "rexpr") : nullptr;
    const auto* number =
        left != nullptr && called(*left) == "split_part" ? argument(*left, 2) : nullptr;
    const auto text = right ? constants::text(*right) : std::nullopt;
    return number != nullptr && operator_of(*expression) == "<>" && text && text->empty() &&
           names_column(*number, counter);
}

bool counts_up(std::string_view sql, const Json* value, const std::string& column) {
    const auto* expression = node(value, "A_Expr");
    return expression != nullptr && operator_of(*expression) == "+" &&
           column_of(base::member(*expression, "lexpr")) == column &&
           evaluate(sql, base::member(*expression, "rexpr")).value_or(0) >= 1;
}

/// A text that each step takes something off, while something of it is left.
bool takes_apart(
    std::string_view sql, const Json& query, const Json& select, const Json& step, const Json& where
) {
    const auto columns = own_columns(query, select);
    const auto* targets = base::member(step, "targetList");
    const auto conditions = conjuncts(where);
    for (std::size_t i = 0; targets != nullptr && i < std::min(columns.size(), targets->size());
         ++i) {
        const auto* target = node(&(*targets)[i], "ResTarget");
        const auto* value = target ? base::member(*target, "val") : nullptr;
        const bool rest = is_rest(sql, value, columns[i]);
        const bool counter = counts_up(sql, value, columns[i]);
        const bool fails = std::any_of(conditions.begin(), conditions.end(), [&](const Json* each) {
            return (rest && fails_at_end(sql, *each, columns[i])) ||
                   (counter && counts_pieces(*each, columns[i]));
        });
        if (fails) {
            return true;
        }
    }
    return false;
}

} // namespace

/// A recursion ends because a condition fails or because a join finds nothing more.
bool recursion_ends(std::string_view sql, const Json& query, std::string_view name) {
    const auto* select = node(base::member(query, "ctequery"), "SelectStmt");
    const auto* step = select ? base::member(*select, "rarg") : nullptr;
    const auto itself = [&](const std::string& type, const Json& found) {
        return type == "RangeVar" && base::string_member(found, "relname") == name &&
               !found.contains("schemaname");
    };
    if (step == nullptr || !any_node(*step, itself) || step->contains("limitCount")) {
        return true;
    }
    const bool distinct = base::string_member(*select, "op") == "SETOP_UNION" &&
                          !base::boolean_member(*select, "all").value_or(false);
    if (distinct && gives_finite(sql, *step, 0)) {
        return true;
    }
    const auto* where = base::member(*step, "whereClause");
    const bool filtered = where != nullptr && has_column(*where);
    if (!filtered && !any_node(*step, joins_data)) {
        return false;
    }
    // What counts by itself needs an end that it comes to.
    const bool others = any_node(*step, [&](const std::string& type, const Json& found) {
        return (type == "RangeVar" && !itself(type, found)) || joins_data(type, found);
    });
    if (others || (filtered && takes_apart(sql, query, *select, *step, *where))) {
        return true;
    }
    // Upwards to something, or downwards to what is no bare number: nothing is counted down to 0.
    const auto end = [&](const std::string& type, const Json& found) {
        const auto written = dotted(base::member(found, "name")).last;
        return type == "A_Expr" && (written == "<" || written == "<=" ||
                                    ((written == ">" || written == ">=") &&
                                     !evaluate(sql, base::member(found, "rexpr"))));
    };
    return filtered && any_node(*where, end) &&
           !has_number_above(sql, *where, limits::sql_series_rows_max);
}

} // namespace interlock::db
