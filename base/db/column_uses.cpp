#include "base/db/column_uses.hpp"

#include "base/db/sql_text.hpp"
#include "base/db/sql_tree.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;

constexpr std::size_t uses_max = 100; // more tables than a person would read about

/// The members of {"Type": {members}}; null for another type.
const Json* node_of(const Json* value, const char* type) {
    return value != nullptr && value->is_object() ? base::member(*value, type) : nullptr;
}

/// One table of FROM, and how the level's columns name it.
struct Range {
    std::string called;
    ColumnUses uses;
};

struct Column {
    std::string range; // "" = not said
    std::string name;
};

std::vector<Column> column_of(const Json* value) {
    const auto* node = node_of(value, "ColumnRef");
    const auto* fields = node != nullptr ? base::member(*node, "fields") : nullptr;
    const auto names = names_in(fields);
    if (names.empty() || names.size() != fields->size()) {
        return {};
    }
    return {{.range = names.size() > 1 ? names[names.size() - 2] : "", .name = names.back()}};
}

void add(std::vector<std::string>& list, const std::string& name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) {
        list.push_back(name);
    }
}

/// A SELECT, UPDATE or DELETE with its own FROM and WHERE.
class Level {
public:
    explicit Level(const Json& statement) {
        for (const char* member : {"relation", "fromClause", "usingClause"}) {
            if (const auto* from = base::member(statement, member)) {
                add_from(*from);
            }
        }
        if (const auto* where = base::member(statement, "whereClause")) {
            conditions_.push_back(where);
        }
        add_conditions();
        if (base::member(statement, "limitCount") != nullptr) {
            add_order(base::member(statement, "sortClause"));
        }
    }

    void take(std::vector<ColumnUses>& out) {
        for (Range& range : ranges_) {
            const ColumnUses& uses = range.uses;
            if (out.size() < uses_max &&
                !(uses.equality.empty() && uses.range.empty() && uses.order.empty())) {
                out.push_back(std::move(range.uses));
            }
        }
    }

private:
    void add_from(const Json& from) {
        std::vector<const Json*> stack{&from};
        while (!stack.empty()) {
            const Json& at = *stack.back();
            stack.pop_back();
            if (at.is_array()) {
                for (const Json& item : at) {
                    stack.push_back(&item);
                }
            } else if (const auto* join = node_of(&at, "JoinExpr")) {
                for (const char* side : {"larg", "rarg"}) {
                    if (const auto* value = base::member(*join, side)) {
                        stack.push_back(value);
                    }
                }
                if (const auto* quals = base::member(*join, "quals")) {
                    conditions_.push_back(quals);
                }
            } else if (const auto* table = node_of(&at, "RangeVar")) {
                add_range(*table);
            } else if (at.is_object() && at.contains("relname")) {
                add_range(at); // of UPDATE and DELETE
            }
        }
    }

    void add_range(const Json& table) {
        const auto* alias = base::member(table, "alias");
        Range range;
        range.uses.schema = base::string_member(table, "schemaname").value_or("");
        range.uses.table = base::string_member(table, "relname").value_or("");
        range.called = alias != nullptr
                           ? base::string_member(*alias, "aliasname").value_or(range.uses.table)
                           : range.uses.table;
        ranges_.push_back(std::move(range));
    }

    /// Of AND, each part holds; of anything else only the whole.
    void add_conditions() {
        std::vector<const Json*> stack = conditions_;
        while (!stack.empty()) {
            const Json* at = stack.back();
            stack.pop_back();
            if (const auto* both = node_of(at, "BoolExpr")) {
                const auto* args = base::member(*both, "args");
                if (base::string_member(*both, "boolop") == "AND_EXPR" && args != nullptr) {
                    for (auto item = args->rbegin(); item != args->rend(); ++item) {
                        stack.push_back(&*item); // the first is looked at next
                    }
                }
            } else if (const auto* comparison = node_of(at, "A_Expr")) {
                add_comparison(*comparison);
            }
        }
    }

    void add_comparison(const Json& node) {
        constexpr auto ranges = std::to_array<std::string_view>({"<", ">", "<=", ">="});
        const auto kind = base::string_member(node, "kind").value_or("");
        const auto names = names_in(base::member(node, "name"));
        const std::string name = names.empty() ? "" : names.back();
        const bool simple = kind == "AEXPR_OP";
        const bool equal = name == "=" && (simple || kind == "AEXPR_IN" || kind == "AEXPR_OP_ANY");
        const bool within =
            kind == "AEXPR_BETWEEN" ||
            (simple && std::find(ranges.begin(), ranges.end(), name) != ranges.end());
        if (!equal && !within) {
            return;
        }
        const auto left = column_of(base::member(node, "lexpr"));
        const auto right = simple ? column_of(base::member(node, "rexpr")) : std::vector<Column>{};
        if (!left.empty() && !right.empty() && left[0].range == right[0].range) {
            return; // two columns of one row
        }
        for (const auto& side : {left, right}) {
            for (const Column& column : side) {
                for (Range* range : ranges_of(column)) {
                    add(equal ? range->uses.equality : range->uses.range, column.name);
                }
            }
        }
    }

    void add_order(const Json* clause) {
        std::vector<std::pair<Column, bool>> columns;
        for (std::size_t i = 0; clause != nullptr && i < clause->size(); ++i) {
            const auto* sort = node_of(&(*clause)[i], "SortBy");
            const auto column = column_of(sort ? base::member(*sort, "node") : nullptr);
            if (column.empty()) {
                return; // ordered by what no index of columns has
            }
            columns.emplace_back(
                column[0], base::string_member(*sort, "sortby_dir") == "SORTBY_DESC"
            );
        }
        for (Range& range : ranges_) {
            const bool all = std::all_of(columns.begin(), columns.end(), [&](const auto& each) {
                return each.first.range.empty() || each.first.range == range.called;
            });
            for (std::size_t i = 0; all && i < columns.size(); ++i) {
                range.uses.order.push_back({columns[i].first.name, columns[i].second});
            }
        }
    }

    std::vector<Range*> ranges_of(const Column& column) {
        std::vector<Range*> out;
        for (Range& range : ranges_) {
            if (column.range.empty() || column.range == range.called) {
                out.push_back(&range);
            }
        }
        return out;
    }

    std::vector<Range> ranges_;
    std::vector<const Json*> conditions_; // of WHERE and of joins
};

} // namespace

base::Result<std::vector<ColumnUses>> column_uses(std::string_view sql) {
    INTERLOCK_CHECK(check_sql_caps(sql));
    INTERLOCK_TRY(const Json tree, parse_sql_tree(sql));
    std::vector<ColumnUses> out;
    std::vector<const Json*> stack{&tree};
    while (!stack.empty()) {
        const Json& at = *stack.back();
        stack.pop_back();
        if (at.is_object() && (at.contains("fromClause") || at.contains("whereClause"))) {
            Level{at}.take(out);
        }
        for (const auto& item : at) {
            if (item.is_structured()) {
                stack.push_back(&item);
            }
        }
    }
    return out;
}

} // namespace interlock::db
