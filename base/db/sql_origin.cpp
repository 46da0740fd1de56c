#include "base/db/sql_origin.hpp"

#include "base/db/sql_text.hpp"
#include "base/db/sql_tree.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;

constexpr int depth_max = 500; // expressions nested deeper are hidden

template <std::size_t Size>
bool is_one_of(const std::array<std::string_view, Size>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Views and functions whose rows have texts of statements or settings in them.
constexpr auto sources = std::to_array<std::string_view>(
    {"pg_stat_activity",
     "pg_stat_statements",
     "pg_prepared_statements",
     "pg_prepared_statement",
     "pg_cursors",
     "pg_cursor",
     "pg_stat_get_activity",
     "pg_settings",
     "pg_show_all_settings",
     "pg_file_settings",
     "pg_db_role_setting",
     "pg_roles",
     "pg_user",
     "pg_subscription",
     "pg_stat_wal_receiver",
     "pg_foreign_server",
     "pg_foreign_table",
     "pg_user_mapping",
     "pg_user_mappings",
     "pg_options_to_table",
     "pg_stat_get_wal_receiver"}
);

constexpr auto setting_columns = std::to_array<std::string_view>(
    {"setting",
     "reset_val",
     "setconfig",
     "rolconfig",
     "useconfig",
     "conninfo",
     "subconninfo",
     "srvoptions",
     "ftoptions",
     "umoptions",
     "option_value"}
);

// Of them no text comes back.
constexpr auto measures = std::to_array<std::string_view>(
    {"count",
     "length",
     "char_length",
     "character_length",
     "octet_length",
     "bit_length",
     "md5",
     "hashtext",
     "hashtextextended",
     "starts_with",
     "strpos",
     "position",
     "row_number",
     "rank",
     "dense_rank",
     "bool_or",
     "bool_and",
     "every"}
);

// One of what they are given comes back as it was, or its beginning.
constexpr auto choices = std::to_array<std::string_view>(
    {"min",
     "max",
     "any_value",
     "first_value",
     "last_value",
     "lag",
     "lead",
     "nth_value",
     "btrim",
     "ltrim",
     "rtrim",
     "left",
     "substr",
     "substring",
     "regexp_replace",
     "replace"}
);

// They write one text behind the other.
constexpr auto joiners =
    std::to_array<std::string_view>({"concat", "concat_ws", "format", "string_agg", "unnest"});

constexpr auto comparisons = std::to_array<std::string_view>(
    {"=",
     "<>",
     "!=",
     "<",
     ">",
     "<=",
     ">=",
     "~",
     "~*",
     "!~",
     "!~*",
     "~~",
     "!~~",
     "~~*",
     "!~~*",
     "^@"}
);

constexpr auto text_types =
    std::to_array<std::string_view>({"text", "varchar", "bpchar", "char", "name"});

constexpr auto measure_types = std::to_array<std::string_view>(
    {"int2",
     "int4",
     "int8",
     "float4",
     "float8",
     "numeric",
     "bool",
     "oid",
     "interval",
     "timestamp",
     "timestamptz",
     "date"}
);

// What may be put in the place of white space, and how it is written.
constexpr auto spaces = std::to_array<std::string_view>(
    {"\\s+",
     "[\\s]+",
     "\\s{2,}",
     "[\\n\\r]+",
     "[\\r\\n]+",
     "[\\n\\r\\t ]+",
     "[\\n\\t ]+",
     "\\n",
     "\\n+",
     "\n",
     "\r",
     "\t",
     "\r\n",
     "[\n\r]+",
     "[\n\t ]+"}
);

/// The column `query` is everywhere; extensions and users add to it.
Origin origin_of_name(std::string_view name) {
    if (name == "query" || name == "statement" || name.ends_with("_query") ||
        name.starts_with("query_text")) {
        return Origin::statement;
    }
    return is_one_of(setting_columns, name) ? Origin::setting : Origin::ordinary;
}

/// A value that may be either.
Origin either(Origin one, Origin other) {
    if (one == Origin::ordinary || one == other) {
        return other;
    }
    return other == Origin::ordinary ? one : Origin::computed;
}

/// The one member of {"NodeType": {members}}.
std::pair<std::string_view, const Json*> node_of(const Json& value) {
    if (!value.is_object() || value.size() != 1) {
        return {{}, &value};
    }
    const auto& entry = *value.get_ptr<const Json::object_t*>()->begin();
    return {entry.first, &entry.second};
}

std::string last_name(const Json* list) {
    return base::lower_ascii(dotted(list).last);
}

std::optional<std::string> text_constant(const Json& value) {
    const auto [type, constant] = node_of(value);
    const auto* held = type == "A_Const" ? base::member(*constant, "sval") : nullptr;
    return held != nullptr ? std::optional(base::string_member(*held, "sval").value_or(""))
                           : std::nullopt;
}

/// Of a constant integer; nothing for another expression.
std::optional<long long> integer_constant(const Json& value) {
    const auto [type, constant] = node_of(value);
    const auto* held = type == "A_Const" ? base::member(*constant, "ival") : nullptr;
    return held != nullptr ? std::optional(base::integer_member(*held, "ival").value_or(0))
                           : std::nullopt;
}

/// Nothing in it begins a literal, a name or a comment.
bool is_harmless_constant(const Json& value) {
    const auto text = text_constant(value);
    return text && text->find_first_of("'\"$\\/*-&") == std::string::npos;
}

class Origins {
public:
    explicit Origins(const Json& tree) {
        collect(tree);
        // Names carry from one level of the statement to the next; each round carries one further.
        for (std::size_t round = 0; round <= selects_.size() && changed_; ++round) {
            changed_ = false;
            for (const Json* select : selects_) {
                carry_targets(*select);
            }
            for (const Json* operation : set_operations_) {
                carry_arms(*operation);
            }
            for (const auto& [columns, select] : renamed_) {
                carry_renamed(*columns, select);
            }
            for (const Json* args : spread_) {
                if (!is_spread_ && any_of(args, 0) != Origin::ordinary) {
                    is_spread_ = changed_ = true;
                }
            }
        }
    }

    std::vector<Origin> of(const Json& select, const std::vector<std::string>& columns) const {
        std::vector<Origin> out(columns.size(), Origin::ordinary);
        std::vector<const Json*> arms;
        arms_of(select, arms);
        for (const Json* arm : arms) {
            const auto targets = targets_of(*arm);
            const bool by_place = targets && targets->size() == columns.size();
            for (std::size_t i = 0; i < columns.size(); ++i) {
                const bool by_name = !by_place && arms.size() == 1;
                out[i] = either(
                    out[i],
                    by_place       ? (*targets)[i]
                    : by_name      ? named(base::lower_ascii(columns[i]))
                    : from_source_ ? Origin::computed
                                   : named(base::lower_ascii(columns[i]))
                );
            }
        }
        return out;
    }

private:
    /// Every SELECT, every name of FROM, every renaming of columns.
    void collect(const Json& value) {
        std::vector<const Json*> stack{&value};
        while (!stack.empty()) {
            const Json& at = *stack.back();
            stack.pop_back();
            if (at.is_object()) {
                collect_one(at);
            }
            if (at.is_structured()) {
                for (const auto& item : at) {
                    if (item.is_structured()) {
                        stack.push_back(&item);
                    }
                }
            }
        }
    }

    void collect_one(const Json& object) {
        if (base::member(object, "targetList") != nullptr ||
            base::member(object, "valuesLists") != nullptr) {
            selects_.push_back(&object);
        }
        if (base::member(object, "larg") != nullptr) {
            set_operations_.push_back(&object);
        }
        if (const auto name = base::string_member(object, "relname")) {
            add_range(base::lower_ascii(*name));
        }
        if (const auto name = base::string_member(object, "ctename")) {
            ranges_.insert(base::lower_ascii(*name));
        }
        if (const auto* call = base::member(object, "funcname")) {
            from_source_ = from_source_ || is_one_of(sources, last_name(call));
        }
        if (const auto* functions = base::member(object, "functions")) {
            add_functions(*functions);
        }
        const auto* alias = base::member(object, "alias");
        if (alias != nullptr && alias->is_object()) {
            ranges_.insert(base::lower_ascii(base::string_member(*alias, "aliasname").value_or(""))
            );
            if (const auto* columns = base::member(*alias, "colnames")) {
                renamed_.emplace_back(columns, base::member(object, "subquery"));
            }
        }
        if (const auto* columns = base::member(object, "aliascolnames")) {
            renamed_.emplace_back(columns, base::member(object, "ctequery"));
        }
    }

    void add_range(const std::string& name) {
        ranges_.insert(name);
        from_source_ = from_source_ || is_one_of(sources, name);
    }

    /// Functions of FROM: each is a name, and its columns hold what its arguments hold.
    void add_functions(const Json& functions) {
        for (const Json& list : functions) {
            const auto* items = base::member(*node_of(list).second, "items");
            if (items == nullptr || items->empty()) {
                continue;
            }
            const auto [type, call] = node_of((*items)[0]);
            if (const auto* name = base::member(*call, "funcname")) {
                add_range(last_name(name));
            }
            if (const auto* args = base::member(*call, "args")) {
                spread_.push_back(args);
            }
        }
    }

    Origin named(const std::string& name) const {
        if (is_spread_) {
            return Origin::computed; // a row's fields may have got any name
        }
        const auto carried = carriers_.find(name);
        const Origin own = origin_of_name(name);
        const bool is_setting = own == Origin::setting && !from_source_;
        return either(
            is_setting ? Origin::ordinary : own,
            carried == carriers_.end() ? Origin::ordinary : carried->second
        );
    }

    void carry(const std::string& name, Origin origin) {
        if (origin == Origin::ordinary || origin_of_name(name) == origin) {
            return;
        }
        Origin& held = carriers_[name];
        const Origin now = either(held, origin);
        changed_ = changed_ || now != held;
        held = now;
    }

    void carry_targets(const Json& select) {
        const auto* targets = base::member(select, "targetList");
        if (targets == nullptr || !targets->is_array()) {
            return;
        }
        for (const Json& item : *targets) {
            const auto [type, target] = node_of(item);
            const auto* value = type == "ResTarget" ? base::member(*target, "val") : nullptr;
            if (value != nullptr) {
                const auto name = base::string_member(*target, "name");
                carry(name ? base::lower_ascii(*name) : implied_name(*value, 0), origin(*value, 0));
            }
        }
    }

    /// What a set operation puts together is called as its first SELECT calls it.
    void carry_arms(const Json& operation) {
        const Json* first = &operation;
        while (const auto* left = base::member(*first, "larg")) {
            first = left;
        }
        const auto* names = base::member(*first, "targetList");
        std::vector<const Json*> arms;
        arms_of(operation, arms);
        for (std::size_t i = 0; names != nullptr && i < names->size(); ++i) {
            const auto [type, target] = node_of((*names)[i]);
            const auto* value = type == "ResTarget" ? base::member(*target, "val") : nullptr;
            const auto name = base::string_member(*target, "name");
            for (const Json* arm : arms) {
                const auto targets = targets_of(*arm);
                if (value != nullptr && targets && i < targets->size()) {
                    carry(name ? base::lower_ascii(*name) : implied_name(*value, 0), (*targets)[i]);
                }
            }
        }
    }

    /// Columns of FROM or WITH that get other names.
    void carry_renamed(const Json& columns, const Json* query) {
        const Json* select = query != nullptr ? node_of(*query).second : nullptr;
        std::vector<const Json*> arms;
        if (select != nullptr) {
            arms_of(*select, arms);
        }
        std::size_t place = 0;
        for (const std::string& name : names_in(&columns)) {
            Origin all = arms.empty() && from_source_ ? Origin::computed : Origin::ordinary;
            for (const Json* arm : arms) {
                const auto targets = targets_of(*arm);
                all = either(
                    all,
                    targets && place < targets->size() ? (*targets)[place]
                    : from_source_                     ? Origin::computed
                                                       : Origin::ordinary
                );
            }
            carry(base::lower_ascii(name), all);
            ++place;
        }
    }

    /// The simple SELECTs that a set operation puts together.
    static void arms_of(const Json& select, std::vector<const Json*>& arms) {
        std::vector<const Json*> stack{&select};
        while (!stack.empty()) {
            const Json& at = *stack.back();
            stack.pop_back();
            const auto* left = base::member(at, "larg");
            const auto* right = base::member(at, "rarg");
            if (left == nullptr || right == nullptr) {
                arms.push_back(&at);
                continue;
            }
            stack.push_back(left);
            stack.push_back(right);
        }
    }

    /// Of each column in its place; none when a star hides how many there are.
    std::optional<std::vector<Origin>> targets_of(const Json& select) const {
        std::vector<Origin> out;
        if (const auto* lists = base::member(select, "valuesLists")) {
            for (const Json& row : *lists) {
                const auto* items = base::member(*node_of(row).second, "items");
                for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
                    out.resize(std::max(out.size(), i + 1), Origin::ordinary);
                    out[i] = either(out[i], origin((*items)[i], 0));
                }
            }
            return out;
        }
        const auto* targets = base::member(select, "targetList");
        if (targets == nullptr || !targets->is_array()) {
            return std::nullopt;
        }
        for (const Json& item : *targets) {
            const auto [type, target] = node_of(item);
            const auto* value = type == "ResTarget" ? base::member(*target, "val") : nullptr;
            if (value == nullptr || is_star(*value)) {
                return std::nullopt;
            }
            out.push_back(origin(*value, 0));
        }
        return out;
    }

    static bool is_star(const Json& value) {
        const auto [type, node] = node_of(value);
        const auto* fields = type == "ColumnRef" ? base::member(*node, "fields") : nullptr;
        if (type == "A_Indirection") {
            fields = base::member(*node, "indirection"); // (row).*
        }
        return fields != nullptr && fields->is_array() && !fields->empty() &&
               node_of(fields->back()).first == "A_Star";
    }

    Origin column(const Json& node) const {
        const auto* fields = base::member(node, "fields");
        const auto names = names_in(fields);
        if (names.empty() || fields == nullptr || names.size() != fields->size()) {
            return from_source_ ? Origin::computed : Origin::ordinary; // t.*, a row as a whole
        }
        const std::string name = base::lower_ascii(names.back());
        const bool is_row = names.size() == 1 && ranges_.count(name) > 0;
        const Origin own = named(name);
        return is_row && from_source_ && own == Origin::ordinary && carriers_.count(name) == 0
                   ? Origin::computed
                   : own;
    }

    /// The worst of all that stands in an expression of which nothing is known.
    Origin anything_in(const Json& value, int depth) const {
        Origin all = Origin::ordinary;
        if (depth > depth_max) {
            return Origin::computed;
        }
        const auto [type, node] = node_of(value);
        if (!type.empty() && type[0] >= 'A' && type[0] <= 'Z') {
            return origin(value, depth + 1) == Origin::ordinary ? Origin::ordinary
                                                                : Origin::computed;
        }
        if (value.is_structured()) {
            for (const auto& item : value) {
                all = either(all, anything_in(item, depth + 1));
            }
        }
        return all;
    }

    Origin hidden(const Json& value, int depth) const {
        return anything_in(value, depth + 1) == Origin::ordinary ? Origin::ordinary
                                                                 : Origin::computed;
    }

    Origin member_origin(const Json& node, std::string_view name, int depth) const {
        const auto* value = base::member(node, name);
        return value != nullptr ? origin(*value, depth + 1) : Origin::ordinary;
    }

    Origin any_of(const Json* list, int depth) const {
        Origin all = Origin::ordinary;
        if (list != nullptr && list->is_array()) {
            for (const Json& item : *list) {
                all = either(all, origin(item, depth + 1));
            }
        }
        return all;
    }

    Origin origin(const Json& value, int depth) const {
        if (depth > depth_max) {
            return Origin::computed;
        }
        const auto [type, node] = node_of(value);
        if (type == "ColumnRef") {
            return column(*node);
        }
        if (type == "A_Const" || type == "ParamRef" || type == "SQLValueFunction" ||
            type == "BoolExpr" || type == "NullTest" || type == "BooleanTest") {
            return Origin::ordinary;
        }
        if (type == "FuncCall") {
            return call(*node, depth);
        }
        if (type == "A_Expr") {
            return operation(*node, depth);
        }
        if (type == "TypeCast") {
            return cast(*node, depth);
        }
        if (type == "CollateClause" || type == "NamedArgExpr") {
            return member_origin(*node, "arg", depth);
        }
        if (type == "CoalesceExpr" || type == "MinMaxExpr") {
            return any_of(base::member(*node, "args"), depth);
        }
        if (type == "CaseExpr") {
            return either(
                any_of(base::member(*node, "args"), depth), member_origin(*node, "defresult", depth)
            );
        }
        if (type == "CaseWhen") {
            return member_origin(*node, "result", depth);
        }
        if (type == "SubLink") {
            return sub_select(*node, depth);
        }
        Origin all = Origin::ordinary;
        for (const auto& item : *node) {
            all = either(all, anything_in(item, depth + 1));
        }
        return all == Origin::ordinary ? Origin::ordinary : Origin::computed;
    }

    Origin sub_select(const Json& node, int depth) const {
        const auto kind = base::string_member(node, "subLinkType").value_or("");
        if (kind == "EXISTS_SUBLINK" || kind == "ANY_SUBLINK" || kind == "ALL_SUBLINK") {
            return Origin::ordinary;
        }
        const auto* query = base::member(node, "subselect");
        if (query == nullptr || depth > depth_max) {
            return Origin::computed;
        }
        std::vector<const Json*> arms;
        arms_of(*node_of(*query).second, arms);
        Origin all = Origin::ordinary;
        for (const Json* arm : arms) {
            const auto targets = targets_of(*arm);
            all = either(
                all,
                targets && !targets->empty() ? targets->front()
                : from_source_               ? Origin::computed
                                             : Origin::ordinary
            );
        }
        const bool one_value = kind == "EXPR_SUBLINK";
        return one_value || all == Origin::ordinary ? all : Origin::computed;
    }

    Origin cast(const Json& node, int depth) const {
        const Origin arg = member_origin(node, "arg", depth);
        const auto* type = base::member(node, "typeName");
        const std::string name = type != nullptr ? last_name(base::member(*type, "names")) : "";
        const bool is_array = type != nullptr && base::member(*type, "arrayBounds") != nullptr;
        if (arg == Origin::ordinary || (is_one_of(measure_types, name) && !is_array)) {
            return Origin::ordinary;
        }
        return is_one_of(text_types, name) && !is_array ? arg : Origin::computed;
    }

    Origin operation(const Json& node, int depth) const {
        const auto kind = base::string_member(node, "kind").value_or("");
        const Origin left = member_origin(node, "lexpr", depth);
        const Origin right = member_origin(node, "rexpr", depth);
        if (kind == "AEXPR_NULLIF") {
            return left;
        }
        const std::string name = last_operator(base::member(node, "name"));
        if ((left == Origin::ordinary && right == Origin::ordinary) || kind != "AEXPR_OP" ||
            is_one_of(comparisons, name)) {
            return Origin::ordinary; // the other kinds say yes or no
        }
        if (name != "||") {
            return Origin::computed;
        }
        const Origin both = either(left, right);
        if (both != Origin::statement) {
            return both;
        }
        const auto* plain = base::member(node, left == Origin::ordinary ? "lexpr" : "rexpr");
        const bool one = left == Origin::ordinary || right == Origin::ordinary;
        const bool first = right == Origin::ordinary; // what comes behind it is read last
        return one && (first || (plain != nullptr && is_harmless_constant(*plain)))
                   ? Origin::statement
                   : Origin::computed;
    }

    static std::string last_operator(const Json* list) {
        const auto names = names_in(list);
        return names.empty() ? "" : names.back();
    }

    Origin call(const Json& node, int depth) const {
        const std::string name = last_name(base::member(node, "funcname"));
        const auto* args = base::member(node, "args");
        if (name == "current_setting") {
            return Origin::setting;
        }
        if (name == "pg_stat_get_backend_activity") {
            return Origin::statement;
        }
        Origin given = any_of(args, depth);
        if (base::boolean_member(node, "agg_within_group").value_or(false)) {
            const auto* order = base::member(node, "agg_order");
            given = either(given, order != nullptr ? hidden(*order, depth) : Origin::ordinary);
        }
        if (given == Origin::ordinary || is_one_of(measures, name)) {
            return Origin::ordinary;
        }
        if (given == Origin::setting && (is_one_of(joiners, name) || is_one_of(choices, name))) {
            return given;
        }
        return is_one_of(choices, name) && keeps_beginning(name, *args, depth) ? given
                                                                               : Origin::computed;
    }

    /// What comes back of a statement's text begins where it begins.
    bool keeps_beginning(const std::string& name, const Json& args, int depth) const {
        for (std::size_t i = 1; i < args.size(); ++i) {
            if (origin(args[i], depth + 1) != Origin::ordinary) {
                return false;
            }
        }
        if (name == "left") {
            return args.size() == 2;
        }
        if (name == "substr" || name == "substring") {
            return args.size() >= 2 && integer_constant(args[1]) == 1;
        }
        if (name == "regexp_replace" || name == "replace") {
            return args.size() >= 3 && is_one_of(spaces, text_constant(args[1]).value_or("")) &&
                   text_constant(args[2]) == " " &&
                   (args.size() == 3 || text_constant(args[3]) == "g");
        }
        const bool trims = name == "btrim" || name == "ltrim" || name == "rtrim";
        return !trims || args.size() == 1;
    }

    /// The name that a column gets when it is given none.
    static std::string implied_name(const Json& value, int depth) {
        const auto [type, node] = node_of(value);
        if (type == "ColumnRef") {
            const auto names = names_in(base::member(*node, "fields"));
            return names.empty() ? "" : base::lower_ascii(names.back());
        }
        if (type == "FuncCall") {
            return last_name(base::member(*node, "funcname"));
        }
        if ((type == "TypeCast" || type == "CollateClause") && depth < depth_max) {
            const auto* arg = base::member(*node, "arg");
            const std::string name = arg != nullptr ? implied_name(*arg, depth + 1) : "";
            const auto* to = base::member(*node, "typeName");
            return name != "?column?" || to == nullptr ? name
                                                       : last_name(base::member(*to, "names"));
        }
        if (type == "CaseExpr") {
            const auto* other = base::member(*node, "defresult");
            const std::string name =
                other != nullptr && depth < depth_max ? implied_name(*other, depth + 1) : "";
            return name.empty() || name == "?column?" ? "case" : name;
        }
        if (type == "CoalesceExpr") {
            return "coalesce";
        }
        if (type == "MinMaxExpr") {
            return base::string_member(*node, "op").value_or("") == "IS_LEAST" ? "least"
                                                                               : "greatest";
        }
        if (type == "A_Expr" && base::string_member(*node, "kind").value_or("") == "AEXPR_NULLIF") {
            return "nullif";
        }
        if (type == "A_ArrayExpr") {
            return "array";
        }
        if (type == "SubLink" && depth < depth_max) {
            return name_of_sub_select(*node, depth);
        }
        return type == "RowExpr" ? "row" : "?column?";
    }

    static std::string name_of_sub_select(const Json& node, int depth) {
        const auto kind = base::string_member(node, "subLinkType").value_or("");
        if (kind != "EXPR_SUBLINK") {
            return kind == "ARRAY_SUBLINK" ? "array" : "exists";
        }
        const auto* query = base::member(node, "subselect");
        const Json* select = query != nullptr ? node_of(*query).second : nullptr;
        while (select != nullptr && base::member(*select, "larg") != nullptr) {
            select = base::member(*select, "larg");
        }
        const auto* targets = select != nullptr ? base::member(*select, "targetList") : nullptr;
        if (targets == nullptr || targets->empty()) {
            return "?column?";
        }
        const auto [type, target] = node_of((*targets)[0]);
        const auto name = base::string_member(*target, "name");
        const auto* value = base::member(*target, "val");
        return name               ? base::lower_ascii(*name)
               : value != nullptr ? implied_name(*value, depth + 1)
                                  : "?column?";
    }

    std::vector<const Json*> selects_;
    std::vector<const Json*> set_operations_;
    std::vector<std::pair<const Json*, const Json*>> renamed_; // names, and of which query
    std::set<std::string> ranges_;                             // names of FROM and of calls
    std::map<std::string, Origin> carriers_;
    std::vector<const Json*> spread_; // arguments of functions of FROM
    bool is_spread_ = false;          // one of them holds what is to be masked
    bool from_source_ = false;
    bool changed_ = true;
};

} // namespace

base::Result<std::vector<Origin>>
column_origins(std::string_view select, const std::vector<std::string>& columns) {
    INTERLOCK_CHECK(check_sql_caps(select));
    INTERLOCK_TRY(const Json tree, parse_sql_tree(select));
    const Origins origins{tree};
    const auto* statements = base::member(tree, "stmts");
    const auto* statement = statements != nullptr && statements->size() == 1
                                ? base::member((*statements)[0], "stmt")
                                : nullptr;
    const auto* body = statement != nullptr ? base::member(*statement, "SelectStmt") : nullptr;
    if (body == nullptr) {
        return std::vector<Origin>(columns.size(), Origin::computed);
    }
    return origins.of(*body, columns);
}

bool is_secret_setting(std::string_view name) {
    const std::string lower = base::lower_ascii(name);
    constexpr auto parts = std::to_array<std::string_view>(
        {"_command",
         "conninfo",
         "passphrase",
         "password",
         "passwd",
         "secret",
         "token",
         "jwt",
         "credential",
         "api_key",
         "apikey",
         "_dsn"}
    );
    constexpr auto ends = std::to_array<std::string_view>({"_key", "_pass", "_pwd"});
    return lower != "password_encryption" &&
           (std::any_of(
                ends.begin(),
                ends.end(),
                [&](std::string_view end) {
                    return lower.ends_with(end) ||
                           lower.find(std::string{end} + "=") != std::string::npos;
                }
            ) ||
            std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
                return lower.find(part) != std::string::npos;
            }));
}

std::string_view secret_setting_pattern() {
    return "_command|conninfo|passphrase|password|passwd|secret|token|jwt|credential|api_?key|_dsn|"
           "(_key|_pass|_pwd)$";
}

bool is_plain_setting_value(std::string_view value) {
    if (is_secret_setting(value)) {
        return false;
    }
    if (value.starts_with('{')) {
        return true; // {name=value,...}: names are there
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool listed = value[i] == ' ' && i > 0 && value[i - 1] == ',';
        if ((value[i] == ' ' && !listed) || value[i] == '=' || value[i] == '@') {
            return false;
        }
    }
    return true;
}

} // namespace interlock::db
