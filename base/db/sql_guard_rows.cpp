#include "base/db/sql_guard_rows.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_steps.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::evaluate;
using constants::has_column;
using constants::node;
namespace limits = base::limits;

constexpr int depth_max = 48;             // queries in queries; real ones stay below 10
constexpr int queries_max = 4'000;        // looked at; a text holds less, a step is looked at twice
constexpr int unjoined_max = 2;           // relations that a FROM may hold without joining them
constexpr double beside_one_max = 50'000; // made rows that a relation may be multiplied with
constexpr double beside_two_max = 1'000;  // and two of them
constexpr double relation_rows = 10'000;  // what a catalog is taken for where text is kept of it
constexpr double short_text = 100;        // a value that is written nowhere
constexpr double small_rows = 30;         // and one of databases, roles or standbys

/// Asks the nodes of an expression, but for those of the queries in it.
void own_nodes(
    const Json& value, const std::function<void(const std::string& type, const Json& node)>& asked
) {
    std::vector<const Json*> rest{&value};
    while (!rest.empty() && GuardSteps::take()) {
        const auto* next = rest.back();
        rest.pop_back();
        if (next->is_object()) {
            for (const auto& [key, item] : next->items()) {
                if (key == "subselect" || key == "SelectStmt") {
                    continue;
                }
                if (item.is_object()) {
                    asked(key, item);
                }
                rest.push_back(&item);
            }
        } else if (next->is_array()) {
            for (const auto& item : *next) {
                rest.push_back(&item);
            }
        }
    }
}

std::string name_of(const Json& call) {
    return dotted(base::member(call, "funcname")).last;
}

bool calls_any(const Json& value, const std::function<bool(const Json& call)>& wanted) {
    bool found = false;
    own_nodes(value, [&](const std::string& type, const Json& call) {
        found = found || (type == "FuncCall" && wanted(call));
    });
    return found;
}

/// What one text of constants can be split into, or one list of them holds.
double pieces(std::string_view sql, const Json& value) {
    double elements = 0;
    double times = 1;
    own_nodes(value, [&](const std::string& type, const Json& found) {
        const auto* items = base::member(found, type == "A_ArrayExpr" ? "elements" : "items");
        elements += items != nullptr && items->is_array() ? static_cast<double>(items->size()) : 0;
        const auto* arguments = base::member(found, "args");
        const bool makes = type == "FuncCall" && guard_data::makes_text(name_of(found));
        if (makes && arguments != nullptr && arguments->size() > 1) {
            times *= std::max(1.0, evaluate(sql, &(*arguments)[1]).value_or(1));
        }
    });
    return elements + static_cast<double>(constants::texts_in(value).size()) * times;
}

/// Of one row for each database, role, standby and the like: tens, where others have thousands.
bool is_small(const Json& relation, const std::string& name) {
    static const std::set<std::string> names{
        "pg_database",
        "pg_stat_database",
        "pg_roles",
        "pg_tablespace",
        "pg_extension",
        "pg_language",
        "pg_am",
        "pg_replication_slots",
        "pg_stat_replication",
        "pg_stat_replication_slots",
        "pg_stat_subscription",
        "pg_publication",
        "pg_prepared_xacts"};
    const auto schema = base::string_member(relation, "schemaname");
    return names.contains(name) && (!schema || *schema == "pg_catalog");
}

bool is_column(const Json* value, const Json* other) {
    const auto* first = node(value, "ColumnRef");
    const auto* second = node(other, "ColumnRef");
    return first != nullptr && second != nullptr &&
           names_in(base::member(*first, "fields")) == names_in(base::member(*second, "fields"));
}

/// An operator that few pairs of values satisfy.
bool is_narrow(const Json& expression) {
    static const std::set<std::string> wide{
        "<>", "<", "<=", ">", ">=", "!~", "!~*", "!~~", "!~~*", "||", "NOT BETWEEN"};
    const auto kind = base::string_member(expression, "kind").value_or("");
    return kind != "AEXPR_DISTINCT" && kind != "AEXPR_OP_ALL" &&
           !wide.contains(dotted(base::member(expression, "name")).last);
}

/// Parts that AND holds together.
std::vector<const Json*> conjuncts(const Json& condition) {
    std::vector<const Json*> found;
    std::vector<const Json*> rest{&condition};
    while (!rest.empty()) {
        const auto* next = rest.back();
        rest.pop_back();
        const auto* expression = node(next, "BoolExpr");
        const auto* arms = expression ? base::member(*expression, "args") : nullptr;
        if (arms != nullptr && base::string_member(*expression, "boolop") == "AND_EXPR") {
            for (const auto& arm : *arms) {
                rest.push_back(&arm);
            }
        } else {
            found.push_back(next);
        }
    }
    return found;
}

std::optional<double> limit_of(std::string_view sql, const Json& select) {
    return evaluate(sql, base::member(select, "limitCount"));
}

/// Rows come as they are found, so that a LIMIT ends the work.
bool ends_early(std::string_view sql, const Json& select) {
    for (const auto* member :
         {"whereClause",
          "sortClause",
          "groupClause",
          "havingClause",
          "distinctClause",
          "windowClause"}) {
        if (select.contains(member)) {
            return false;
        }
    }
    const auto* targets = base::member(select, "targetList");
    const bool gathers = targets != nullptr && calls_any(*targets, [](const Json& call) {
                             return call.contains("over") || guard_data::aggregate(name_of(call));
                         });
    return !gathers && limit_of(sql, select).value_or(constants::endless) <= limits::tool_rows_max;
}

} // namespace

std::string_view GuardRows::judge(const Json& statement) {
    const auto* explain = node(&statement, "ExplainStmt");
    const auto* asked = explain ? base::member(*explain, "query") : &statement;
    if (const auto* select = node(asked, "SelectStmt")) {
        query(*select, {}, 0);
    }
    return found_;
}

GuardRows::Size GuardRows::query(const Json& select, Named named, int depth) {
    if (depth > depth_max || ++queries_ > queries_max) {
        refuse("dos_parser");
        return {};
    }
    if (const auto* with = base::member(select, "withClause")) {
        open_with(*with, named, depth);
    }
    return chain(select, named, depth);
}

/// UNION and the like, as long as they may be.
GuardRows::Size GuardRows::chain(const Json& select, const Named& named, int depth) {
    Size all{.rows = 0, .relations = 0, .work = 1};
    const auto add = [&](const Size& size) {
        all.rows += size.rows;
        all.work = std::max(all.work, size.work);
        all.small = size.relations > all.relations ? size.small : std::min(all.small, size.small);
        all.relations = std::max(all.relations, size.relations);
        all.kept = std::max(all.kept, size.kept);
    };
    const auto* next = &select;
    while (next->contains("larg") && next->contains("rarg")) {
        add(query((*next)["rarg"], named, depth + 1));
        next = &(*next)["larg"];
        if (next->contains("withClause")) {
            add(query(*next, named, depth + 1));
            return all;
        }
    }
    const auto first = single(*next, named, depth);
    all.small = first.small;
    add(first);
    all.series = first.series && next == &select;
    const auto limit = limit_of(sql_, select);
    all.rows = std::min(all.rows, std::max(limit.value_or(constants::endless), 0.0));
    all.relations = limit && *limit <= limits::tool_rows_max ? 0 : all.relations;
    return all;
}

void GuardRows::open_with(const Json& with, Named& named, int depth) {
    const auto* list = base::member(with, "ctes");
    const bool recursive = base::boolean_member(with, "recursive").value_or(false);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const auto* found = node(&(*list)[i], "CommonTableExpr");
        const auto* select = found ? node(base::member(*found, "ctequery"), "SelectStmt") : nullptr;
        if (select == nullptr) {
            continue;
        }
        const auto name = base::string_member(*found, "ctename").value_or("");
        const auto names_itself = [&](const std::string& type, const Json& members) {
            return type == "RangeVar" && base::string_member(members, "relname") == name &&
                   !members.contains("schemaname");
        };
        auto inner = named;
        if (recursive && constants::any_node(*select, names_itself)) {
            inner.emplace_back(name, Size{});
            step(*found, name, inner, depth);
            query(*select, inner, depth + 1);
            named.emplace_back(name, recursive_size(*select));
        } else {
            named.emplace_back(name, query(*select, std::move(inner), depth + 1));
        }
    }
}

/// As many as it takes; what only counts, as many as it counts to.
GuardRows::Size GuardRows::recursive_size(const Json& select) const {
    const auto* next = base::member(select, "rarg");
    const auto* where = next ? base::member(*next, "whereClause") : nullptr;
    const auto* from = next ? base::member(*next, "fromClause") : nullptr;
    Size size{.rows = 1, .relations = 1, .work = 1};
    if (where != nullptr && from != nullptr && from->size() == 1 &&
        (*from)[0].contains("RangeVar")) {
        for (const auto* part : conjuncts(*where)) {
            const auto* compared = node(part, "A_Expr");
            const auto end =
                compared ? evaluate(sql_, base::member(*compared, "rexpr")) : std::nullopt;
            size.rows = std::max(size.rows, std::abs(end.value_or(1)));
        }
    }
    return size;
}

/// The step of a recursion must not multiply what it starts from, nor make it longer by itself.
void GuardRows::step(const Json& cte, const std::string& name, const Named& named, int depth) {
    const auto* select = node(base::member(cte, "ctequery"), "SelectStmt");
    const auto* next = base::member(*select, "rarg");
    if (next == nullptr || !select->contains("larg") || next->contains("limitCount")) {
        return;
    }
    auto from = gather(*next, named, depth);
    if (const auto* where = base::member(*next, "whereClause")) {
        from.conditions.push_back(where);
    }
    from.lenient = true;
    for (const auto* condition : from.conditions) {
        connect(from, *condition);
    }
    const auto itself = std::find_if(from.leaves.begin(), from.leaves.end(), [&](const Leaf& leaf) {
        return leaf.relation == name;
    });
    if (itself == from.leaves.end()) {
        return;
    }
    const auto others = together(from, &*itself);
    double made = others.rows;
    const auto* targets = base::member(*next, "targetList");
    if (targets != nullptr) {
        own_nodes(*targets, [&](const std::string& type, const Json& call) {
            made *= type == "FuncCall" ? std::max(1.0, function(call).rows) : 1.0;
        });
    }
    if (others.relations > 0 || made > 1) {
        refuse("dos_recursion");
    }
}

GuardRows::From GuardRows::gather(const Json& select, const Named& named, int depth) {
    From from;
    const auto* list = base::member(select, "fromClause");
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        gather_item((*list)[i], from, named, depth);
    }
    return from;
}

/// What a range of one function calls, outermost: its arguments may call others.
const Json* only_call(const Json& functions) {
    const auto* list = base::member(functions, "functions");
    if (list == nullptr || list->size() != 1) {
        return nullptr;
    }
    const auto* pair = node(&(*list)[0], "List");
    const auto* items = pair != nullptr ? base::member(*pair, "items") : nullptr;
    return items != nullptr && !items->empty() ? node(&(*items)[0], "FuncCall") : nullptr;
}

void GuardRows::gather_item(const Json& item, From& from, const Named& named, int depth) {
    if (depth > depth_max) {
        return refuse("dos_rows");
    }
    const auto add = [&](const Json& members, std::string name, Size size) {
        const auto* alias = base::member(members, "alias");
        Leaf leaf;
        leaf.alias = alias ? base::string_member(*alias, "aliasname").value_or("") : name;
        leaf.relation = std::move(name);
        leaf.names = alias ? names_in(base::member(*alias, "colnames")) : leaf.names;
        leaf.size = size;
        leaf.group = from.leaves.size();
        from.leaves.push_back(std::move(leaf));
    };
    // What is made for each row of something else goes with it.
    const auto add_lateral = [&](const Json& members, std::string name, Size size) {
        const auto of = columns(from, &members).leaves;
        add(members, std::move(name), size);
        for (const auto leaf : of) {
            if (size.relations == 0) {
                merge(from, leaf, from.leaves.size() - 1);
            }
        }
    };
    if (const auto* relation = node(&item, "RangeVar")) {
        const auto name = base::string_member(*relation, "relname").value_or("");
        Size size;
        size.relations = guard_data::one_row_view(name) ? 0 : 1;
        size.small = is_small(*relation, name) ? 1 : 0;
        for (const auto& [known, its] : named) { // the last one hides those before it
            size = known == name && !relation->contains("schemaname") ? its : size;
        }
        return add(*relation, name, size);
    }
    if (const auto* sample = node(&item, "RangeTableSample")) {
        return sample->contains("relation")
                   ? gather_item((*sample)["relation"], from, named, depth + 1)
                   : void();
    }
    if (const auto* queried = node(&item, "RangeSubselect")) {
        const auto* select = node(base::member(*queried, "subquery"), "SelectStmt");
        return add_lateral(*queried, "", select ? query(*select, named, depth + 1) : Size{});
    }
    if (const auto* functions = node(&item, "RangeFunction")) {
        Size size;
        own_nodes(*functions, [&](const std::string& type, const Json& call) {
            if (type == "FuncCall") {
                const auto each = function(call);
                size.rows = std::max(size.rows, each.rows);
                size.relations = std::max(size.relations, each.relations);
            }
        });
        const auto* call = only_call(*functions);
        const std::string name = call != nullptr ? name_of(*call) : "";
        size.rows *= inner_queries(*functions, named, depth).rows;
        if (name == "generate_series") { // up to what another one made
            for (const auto leaf : columns(from, functions).leaves) {
                size.rows = std::max(size.rows, from.leaves[leaf].size.rows);
            }
        }
        size.series = name == "generate_series"; // each of its rows is another
        return size.rows > 1 ? add(*functions, name, size) : add_lateral(*functions, name, size);
    }
    const auto* join = node(&item, "JoinExpr");
    if (join == nullptr) {
        return;
    }
    const auto left = from.leaves.size();
    gather_item((*join)["larg"], from, named, depth + 1);
    const auto right = from.leaves.size();
    gather_item((*join)["rarg"], from, named, depth + 1);
    if (right == from.leaves.size() || left == right) {
        return;
    }
    if (join->contains("usingClause") || join->contains("isNatural")) {
        merge(from, left, right);
        for (const auto leaf : {left, right}) {
            from.leaves[leaf].matched = from.leaves[leaf].size.series;
        }
    }
    if (const auto* condition = base::member(*join, "quals")) {
        from.conditions.push_back(condition);
    }
    if (join->contains("alias")) {
        add(*join, "", Size{});
        from.leaves.back().group = from.leaves[left].group;
    }
}

void GuardRows::merge(From& from, std::size_t first, std::size_t second) {
    const auto kept = from.leaves[first].group;
    const auto gone = from.leaves[second].group;
    for (auto& leaf : from.leaves) {
        leaf.group = leaf.group == gone ? kept : leaf.group;
    }
}

GuardRows::Columns GuardRows::columns(const From& from, const Json* value) {
    Columns found;
    if (value == nullptr) {
        return found;
    }
    constants::any_node(*value, [&](const std::string& type, const Json& column) {
        if (type != "ColumnRef") {
            return false;
        }
        const auto parts = names_in(base::member(column, "fields"));
        const auto of = parts.empty() ? "" : parts[parts.size() > 1 ? parts.size() - 2 : 0];
        const auto leaf =
            std::find_if(from.leaves.begin(), from.leaves.end(), [&](const Leaf& each) {
                return each.alias == of ||
                       (parts.size() == 1 && std::count(each.names.begin(), each.names.end(), of));
            });
        if (leaf != from.leaves.end()) {
            found.leaves.insert(static_cast<std::size_t>(leaf - from.leaves.begin()));
        } else if (parts.size() > 1) {
            ++found.outer;
        } else {
            ++found.vague;
        }
        return false;
    });
    return found;
}

/// What a condition joins, or fixes to few rows.
void GuardRows::connect(From& from, const Json& condition) {
    for (const auto* part : conjuncts(condition)) {
        const auto* expression = node(part, "A_Expr");
        const auto* alternatives = node(part, "BoolExpr");
        bool narrow = expression != nullptr
                          ? is_narrow(*expression)
                          : part->contains("CaseExpr") || part->contains("FuncCall");
        if (alternatives != nullptr && base::string_member(*alternatives, "boolop") == "OR_EXPR") {
            // One that always holds lets everything through.
            bool any = false;
            for (const auto& arm : (*alternatives)["args"]) {
                const auto* inner = node(&arm, "A_Expr");
                const bool same =
                    inner != nullptr &&
                    is_column(base::member(*inner, "lexpr"), base::member(*inner, "rexpr"));
                if (!has_column(arm) || same) {
                    return;
                }
                any = any || inner == nullptr || is_narrow(*inner);
            }
            narrow = any;
        }
        const auto* left = expression ? base::member(*expression, "lexpr") : part;
        const auto* right = expression ? base::member(*expression, "rexpr") : nullptr;
        if (is_column(left, right)) {
            continue;
        }
        if (narrow && expression != nullptr &&
            base::string_member(*expression, "kind") == "AEXPR_OP" &&
            dotted(base::member(*expression, "name")).last == "=") {
            match(from, left, right);
            match(from, right, left);
        }
        const auto first = columns(from, left);
        const auto second = columns(from, right);
        join(from, first, second, narrow, expression != nullptr);
    }
}

/// A row of the others has one value, and a series has each value once.
void GuardRows::match(From& from, const Json* one, const Json* other) {
    const auto mine = columns(from, one);
    const auto others = columns(from, other);
    if (node(one, "ColumnRef") == nullptr || mine.leaves.size() != 1 ||
        others.leaves.contains(*mine.leaves.begin()) || others.none()) {
        return;
    }
    auto& leaf = from.leaves[*mine.leaves.begin()];
    leaf.matched = leaf.matched || leaf.size.series;
}

void GuardRows::join(
    From& from, const Columns& first, const Columns& second, bool narrow, bool compared
) {
    auto leaves = first.leaves;
    leaves.insert(second.leaves.begin(), second.leaves.end());
    const int vague = first.vague + second.vague;
    if (leaves.size() > 1) {
        narrow = narrow && !(compared && (first.none() || second.none())); // a.x + b.x = 5
        for (auto each = std::next(leaves.begin()); each != leaves.end(); ++each) {
            const auto pair = std::make_pair(*leaves.begin(), *each);
            // Two wide ones make a narrow one: from <= at and at < to.
            if (narrow || from.lenient || !from.halves.insert(pair).second) {
                merge(from, pair.first, pair.second);
            }
        }
    }
    if (vague > 0) {
        const bool many = vague + static_cast<int>(leaves.size()) + first.outer + second.outer > 1;
        from.credit += narrow ? 1 : many || from.lenient ? 0.5 : 0;
        return;
    }
    const bool one_side = first.none() || second.none() || first.outer + second.outer > 0;
    if (leaves.size() == 1 && narrow && compared && one_side) {
        from.leaves[*leaves.begin()].size.relations = 0;
    }
}

/// What groups of leaves multiply to; without the group of `but`.
GuardRows::Size GuardRows::together(const From& from, const Leaf* but) {
    std::vector<Size> groups(from.leaves.size(), Size{});
    std::vector<double> matched(from.leaves.size(), 1);
    Size all;
    for (const auto& leaf : from.leaves) {
        auto& group = groups[leaf.group];
        // The rows are those of the series, or of what has one value of it in each row.
        auto& rows = leaf.matched ? matched[leaf.group] : group.rows;
        rows = std::max(rows, leaf.size.rows);
        group.small = group.relations == 0       ? leaf.size.small
                      : leaf.size.relations == 0 ? group.small
                                                 : std::min(group.small, leaf.size.small);
        group.relations = std::max(group.relations, leaf.size.relations);
        all.kept = std::max(all.kept, leaf.size.kept);
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (but == nullptr || but->group != i) {
            auto& group = groups[i];
            const bool more = matched[i] > (group.relations > 0 ? relation_rows : group.rows);
            all.rows *= more ? matched[i] : group.rows;
            all.relations += more ? 0 : group.relations;
            all.small += more || group.relations == 0 ? 0 : group.small;
        }
    }
    all.relations = std::max(0, all.relations - static_cast<int>(from.credit));
    all.small = std::min(all.small, all.relations);
    return all;
}

GuardRows::Size GuardRows::single(const Json& select, const Named& named, int depth) {
    auto from = gather(select, named, depth);
    if (const auto* where = base::member(select, "whereClause")) {
        from.conditions.push_back(where);
    }
    for (const auto* condition : from.conditions) {
        connect(from, *condition);
    }
    auto size = together(from);
    const bool many = size.relations > unjoined_max ||
                      (size.relations > 0 && size.rows > beside_one_max) ||
                      (size.relations > 1 && size.rows > beside_two_max);
    if (many && !ends_early(sql_, select)) {
        refuse("dos_rows");
    }
    double each = 1; // rows that a row costs
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
            each = std::max(each, inner_queries(*value, named, depth).work);
        }
    }
    if (const auto* values = base::member(select, "valuesLists")) {
        size.rows *= std::max<double>(1, static_cast<double>(values->size()));
    }
    const auto* targets = base::member(select, "targetList");
    bool aggregates = false;
    bool collects = false;
    if (targets != nullptr) {
        own_nodes(*targets, [&](const std::string& type, const Json& call) {
            if (type != "FuncCall") {
                return;
            }
            const auto name = name_of(call);
            size.rows *= name == "generate_series" && has_column(call)
                             ? size.rows
                             : std::max(1.0, function(call).rows);
            aggregates = aggregates || (!call.contains("over") && guard_data::aggregate(name));
            collects = collects || guard_data::collecting_aggregate(name);
        });
    }
    size.work = size.rows * each;
    if (size.work > limits::sql_series_rows_max) {
        refuse("dos_rows");
    }
    if (collects) {
        size.kept = keep(size);
    }
    const auto limit = limit_of(sql_, select);
    if (aggregates && !select.contains("groupClause")) {
        Size one;
        one.work = size.work;
        one.kept = size.kept;
        return one;
    }
    size.series = is_series(from, select);
    size = select.contains("groupClause") ? grouped(from, select, size) : size;
    size.rows = std::min(size.rows, std::max(limit.value_or(constants::endless), 0.0));
    size.relations = limit && *limit <= limits::tool_rows_max ? 0 : size.relations;
    return size;
}

/// As many as there are values to group by: those of a series, or of a relation.
GuardRows::Size GuardRows::grouped(const From& from, const Json& select, Size size) const {
    const auto* targets = base::member(select, "targetList");
    double rows = 1;
    bool only_series = true;
    std::set<std::size_t> seen;
    for (const auto& each : select["groupClause"]) {
        const Json* value = &each;
        const auto* constant = node(value, "A_Const");
        const auto place = constant ? constants::constant_number(sql_, *constant) : std::nullopt;
        if (place && targets != nullptr && *place >= 1 &&
            *place <= static_cast<double>(targets->size())) {
            const auto* target =
                node(&(*targets)[static_cast<std::size_t>(*place) - 1], "ResTarget");
            value = target ? base::member(*target, "val") : value;
        }
        const auto of = value ? columns(from, value) : Columns{};
        only_series = only_series && of.vague + of.outer == 0 && !of.leaves.empty();
        for (const auto leaf : of.leaves) {
            const auto& its = from.leaves[leaf].size;
            only_series = only_series && its.relations == 0 && its.rows > 1;
            rows *= seen.insert(leaf).second ? its.rows : 1;
        }
    }
    size.relations = only_series ? 0 : std::min(size.relations, 1);
    size.small = std::min(size.small, size.relations);
    size.rows = only_series ? std::min(size.rows, rows) : size.rows;
    return size;
}

/// SELECT of one series alone, as it is: no value comes twice.
bool GuardRows::is_series(const From& from, const Json& select) {
    const auto* targets = base::member(select, "targetList");
    const auto* target =
        targets != nullptr && targets->size() == 1 ? node(&(*targets)[0], "ResTarget") : nullptr;
    const auto* value = target ? base::member(*target, "val") : nullptr;
    if (value == nullptr || from.leaves.size() > 1) {
        return false;
    }
    return from.leaves.empty() ? constants::called(*value) == "generate_series"
                               : from.leaves[0].size.series && value->contains("ColumnRef");
}

/// All rows of a query at once, in one value: how often that holds a text.
double GuardRows::keep(const Size& size) {
    const int large = size.relations - size.small;
    const double rows =
        size.rows * std::pow(small_rows, size.small) * (large > 0 ? relation_rows : 1);
    const double kept = size.kept * size.rows;
    const double made = std::max(rows * longest_, kept * std::max(longest_, short_text));
    if (size.rows > limits::sql_collected_rows_max) {
        refuse("dos_rows");
    } else if (large >= unjoined_max || made > limits::sql_made_bytes_max) {
        refuse("dos_memory");
    }
    return kept;
}

/// The queries within an expression: how many rows the largest makes.
GuardRows::Size GuardRows::inner_queries(const Json& value, const Named& named, int depth) {
    Size all;
    std::vector<const Json*> rest{&value};
    while (!rest.empty()) {
        const auto* next = rest.back();
        rest.pop_back();
        if (const auto* link = node(next, "SubLink")) {
            const auto* select = node(base::member(*link, "subselect"), "SelectStmt");
            if (select != nullptr && base::string_member(*link, "subLinkType") == "ARRAY_SUBLINK") {
                keep(query(*select, named, depth + 1));
                continue;
            }
        }
        if (const auto* select = node(next, "SelectStmt")) {
            const auto size = query(*select, named, depth + 1);
            all.rows = std::max(all.rows, size.rows);
            all.work = std::max(all.work, size.work);
        } else if (next->is_structured()) {
            for (const auto& item : *next) {
                rest.push_back(&item);
            }
        }
    }
    return all;
}

GuardRows::Size GuardRows::function(const Json& call) const {
    const auto name = name_of(call);
    const auto* arguments = base::member(call, "args");
    if (guard_data::many_rows(name)) {
        return {.rows = 1, .relations = 1, .work = 1};
    }
    if (arguments == nullptr || !arguments->is_array()) {
        return {};
    }
    if (name == "generate_series") {
        const auto rows = series(sql_, *arguments);
        return {.rows = std::max(rows.value_or(1), 1.0), .relations = 0, .work = 1};
    }
    const auto* list = arguments->empty() ? nullptr : node(&(*arguments)[0], "A_ArrayExpr");
    if (name == "unnest" && list != nullptr && list->contains("elements")) {
        return {.rows = static_cast<double>((*list)["elements"].size()), .relations = 0, .work = 1};
    }
    if (!guard_data::splits(name) || has_column(*arguments)) {
        return {};
    }
    return {.rows = std::max(pieces(sql_, *arguments), 1.0), .relations = 0, .work = 1};
}

std::optional<double> GuardRows::series(std::string_view sql, const Json& arguments) {
    if (arguments.size() < 2) {
        return std::nullopt;
    }
    const bool stepped = arguments.size() > 2;
    const auto from = evaluate(sql, &arguments[0]);
    const auto to = evaluate(sql, &arguments[1]);
    if (from && to) {
        const auto step = stepped ? evaluate(sql, &arguments[2]) : std::optional{1.0};
        return std::abs(*to - *from) / std::max(std::abs(step.value_or(1.0)), 1e-9) + 1;
    }
    const auto began = stepped ? constants::moment(sql, arguments[0]) : std::nullopt;
    const auto ended = began ? constants::moment(sql, arguments[1]) : std::nullopt;
    const auto length = ended ? constants::span(sql, arguments[2]) : std::nullopt;
    return length ? std::optional{std::abs(*ended - *began) / std::max(std::abs(*length), 1e-9) + 1}
                  : std::nullopt;
}

} // namespace interlock::db
