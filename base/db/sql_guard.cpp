#include "base/db/sql_guard.hpp"

#include "base/db/sql_guard_bounds.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_recursion.hpp"
#include "base/db/sql_guard_settings.hpp"
#include "base/db/sql_guard_spelling.hpp"
#include "base/db/sql_guard_steps.hpp"
#include "base/db/sql_guard_weights.hpp"
#include "base/db/sql_text.hpp"
#include "base/db/sql_tree.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::db {

using base::Json;
namespace data = guard_data;
namespace limits = base::limits;

namespace {

constexpr std::string_view one_read = "Send one SELECT, SHOW, or EXPLAIN of a SELECT.";

GuardVerdict deny(std::string_view family, std::string reason, std::string_view remedy = one_read) {
    return {
        .allowed = false,
        .family = std::string{family},
        .reason = std::move(reason),
        .remedy = std::string{remedy}};
}

/// A name that the caller wrote, fit to be shown.
std::string shown(const std::string& name) {
    constexpr std::size_t characters_max = 100;
    return base::cut_middle(base::sanitize(name), characters_max);
}

/// pg_catalog's, or not qualified: then it is looked for in pg_catalog alone.
bool of_catalog(const DottedName& name) {
    return name.parts == 1 || (name.parts == 2 && name.first == "pg_catalog");
}

/// information_schema is PostgreSQL's own as well.
bool of_standard(const DottedName& name) {
    return name.parts == 2 && name.first == "information_schema" && data::standard_name(name.last);
}

/// A limit as people write it.
std::string written(double number) {
    auto digits = std::to_string(static_cast<long long>(number));
    for (auto at = digits.size(); at > 3; at -= 3) {
        digits.insert(at - 3, ",");
    }
    return digits;
}

/// Why, and what to do.
std::pair<std::string, std::string_view> bounds_reason(std::string_view family) {
    if (family == "dos_rows") {
        return {
            "The statement multiplies more rows than a diagnosis needs: over " +
                written(limits::sql_series_rows_max) + " of series and lists, over " +
                written(limits::sql_collected_rows_max) +
                " of them in one value, or relations that no condition joins.",
            "Write the condition that joins the relations, take a coarser step or a shorter range, "
            "or add a LIMIT."};
    }
    if (family == "dos_memory") {
        return {
            "The statement makes text of a length over " + written(limits::sql_text_length_max) +
                ", or one value of over " + written(limits::sql_made_bytes_max / 1e6) +
                " MB out of what it makes or multiplies.",
            "Use smaller lengths, write the condition that joins the relations, take a coarser "
            "step, or put a LIMIT on the rows that one value holds."};
    }
    if (family == "dos_recursion") {
        return {
            "Each step of the recursion may make more rows than it was given.",
            "Write the condition that joins what a step reads with what it has."};
    }
    if (family == "dos_regex") {
        return {
            "The regular expression repeats repetitions of a hundred and more.",
            "Write smaller numbers of repetitions, or * and +."};
    }
    if (family == "dos_parser") {
        return {"The statement has more queries in queries than can be looked at.", "Simplify it."};
    }
    return {
        "The statement computes with numbers larger than a diagnosis needs.",
        "Use smaller constants."};
}

constexpr std::string_view endless =
    "The recursion has no condition that the guard can see end it.";
constexpr std::string_view counted =
    "Count its steps in a column and write WHERE n < 1000 behind them.";

/// Names that are qualified with another schema than pg_catalog.
enum class Elsewhere { denied, no_matter };

/// What a walk over an allowed tree gathers, or the first reason why it is not allowed.
class Walk {
public:
    Walk(std::string_view sql, Elsewhere elsewhere)
        : sql_(sql), bounds_(sql), elsewhere_(elsewhere) {}

    void run(const Json& statement) {
        node(statement, nullptr, false);
        while (!stack_.empty() && !denied && GuardSteps::take()) {
            const auto piece = stack_.back();
            stack_.pop_back();
            visit(piece);
        }
        if (!denied) {
            check_scalars();
            check_subscription();
            refuse_bounds(bounds_.whole(statement));
            refuse_weight(GuardWeights{sql_}.judge(statement));
            if (const auto why = reads_secret_settings(statement); !why.empty()) {
                refuse("secret_catalog", why, "Name the settings that you need: name IN (...).");
            }
        }
        if (GuardSteps::spent()) { // what was found until then is no answer
            denied = deny(
                "dos_parser",
                "The statement takes more than " + written(limits::sql_guard_steps_max) +
                    " steps to examine.",
                "Shorten its chains of operators, and nest fewer calls and queries."
            );
        }
    }

    std::optional<GuardVerdict> denied;
    std::vector<NamePlace> relations;
    std::vector<NamePlace> extension_functions;
    std::size_t parameters = 0; // the highest number of $1 and the like

private:
    struct Piece {
        std::string_view type;
        const Json* members;
        const WithScope* scope;
    };

    void refuse(std::string_view family, std::string reason, std::string_view remedy = one_read) {
        if (!denied) {
            denied = deny(family, std::move(reason), remedy);
        }
    }
    void refuse_unknown(std::string_view what) {
        refuse("unknown", "The guard does not know what " + shown(std::string{what}) + " does.");
    }
    void refuse_bounds(std::string_view family) {
        if (!family.empty()) {
            auto [reason, remedy] = bounds_reason(family);
            refuse(family, std::move(reason), remedy);
        }
    }
    void refuse_weight(std::string_view family) {
        if (family == "dos_memory") {
            refuse(
                family,
                "A column is made of over " + written(limits::sql_column_weight_max) +
                    " columns or longer with each step, because queries in queries, or the steps "
                    "of a "
                    "recursion, multiply it.",
                "Name a column of a sub-select once, or compute it in one query."
            );
        } else {
            refuse_bounds(family);
        }
    }

    /// {"Type": {...}}, or {} where the parser left a place in a list empty.
    void node(const Json& value, const WithScope* scope, bool may_be_empty) {
        if (value.is_object() && value.empty() && may_be_empty) {
            return;
        }
        if (!value.is_object() || value.size() != 1 || !value.begin()->is_object()) {
            return refuse_unknown("a part of the statement");
        }
        stack_.push_back({value.begin().key(), &*value.begin(), scope});
    }

    void visit(const Piece& piece) {
        if (!data::allowed_node(piece.type)) {
            return refuse_type(piece.type);
        }
        auto inner = piece;
        inner.scope = open_with(*piece.members, piece.scope);
        for (const auto& [key, value] : piece.members->items()) {
            member(inner, key, value);
        }
        if (!denied) {
            judge(inner);
        }
    }

    void member(const Piece& piece, const std::string& key, const Json& value) {
        const auto known = data::member_of(piece.type, key);
        if (!known) {
            return refuse_unknown(std::string{piece.type} + "." + key);
        }
        switch (known->kind) {
        case data::MemberKind::denied:
            return refuse_member(key);
        case data::MemberKind::scalar:
            return value.is_structured() ? refuse_unknown(key) : void();
        case data::MemberKind::fixed:
            if (!value.is_object()) {
                return refuse_unknown(key);
            }
            stack_.push_back({known->type, &value, piece.scope});
            return;
        case data::MemberKind::nodes:
            if (!value.is_array()) {
                return node(value, piece.scope, false);
            }
            // Queries of WITH see less than what stands beside them: open_with() took them.
            for (const auto& item : value) {
                if (piece.type != "WithClause") {
                    node(item, piece.scope, true);
                }
            }
        }
    }

    const WithScope* open_with(const Json& members, const WithScope* outer) {
        const auto* with = base::member(members, "withClause");
        if (with == nullptr) {
            return outer;
        }
        std::vector<WithScopes::Piece> queries;
        const auto* inner = scopes_.open(*with, outer, queries);
        for (const auto& query : queries) {
            node(*query.value, query.scope, false);
            const auto* found = base::member(*query.value, "CommonTableExpr");
            if (found != nullptr && base::boolean_member(*with, "recursive").value_or(false)) {
                const auto name = base::string_member(*found, "ctename").value_or("");
                if (!recursion_ends(sql_, *found, name)) {
                    refuse("dos_recursion", std::string{endless}, counted);
                }
            }
        }
        return inner;
    }

    void refuse_type(std::string_view type) {
        const auto family = data::statement_class(type);
        if (family == "dml") {
            refuse("cte_dml", "A part of the statement changes rows.");
        } else if (type == "XmlExpr" || type == "XmlSerialize" || type == "RangeTableFunc") {
            refuse(
                "dos_xml", "XML is not parsed or made here.", "Read the values as text or json."
            );
        } else {
            refuse_unknown(type);
        }
    }

    void refuse_member(const std::string& key) {
        if (key == "intoClause") {
            refuse("select_into", "SELECT INTO makes a table.");
        } else if (key == "lockingClause") {
            refuse("row_lock", "FOR UPDATE and FOR SHARE lock rows.", "Leave the locking out.");
        } else {
            refuse_unknown(key);
        }
    }

    void judge(const Piece& piece) {
        const auto& members = *piece.members;
        if (piece.type == "FuncCall") {
            judge_function(members);
        } else if (piece.type == "RangeVar") {
            judge_relation(members, piece.scope);
        } else if (piece.type == "TypeName") {
            judge_type(members);
        } else if (piece.type == "A_Expr") {
            judge_expression(members);
        } else if (piece.type == "SubLink") {
            judge_operator(base::member(members, "operName"));
        } else if (piece.type == "SortBy") {
            judge_operator(base::member(members, "useOp"));
        } else if (piece.type == "CollateClause") {
            const auto name = dotted(base::member(members, "collname"));
            if (!of_catalog(name) && !no_matter(name)) {
                refuse("operator_cast", "The collation is none of pg_catalog.");
            }
        } else if (piece.type == "RangeTableSample") {
            const auto method = dotted(base::member(members, "method"));
            if (!of_catalog(method) || (method.last != "system" && method.last != "bernoulli")) {
                refuse("fn_user", "The sampling method is none of pg_catalog.");
            }
        } else if (piece.type == "SelectStmt") {
            star_ = star_ || GuardBounds::takes_all(members, "pg_subscription");
        } else if (piece.type == "ColumnRef") {
            judge_column(names_in(base::member(members, "fields")));
        } else if (piece.type == "A_Indirection") {
            for (const auto& field : names_in(base::member(members, "indirection"))) {
                judge_field(field, data::FieldOf::expression);
            }
        } else if (piece.type == "VariableShowStmt") {
            judge_setting(base::string_member(members, "name").value_or(""));
        } else if (piece.type == "RangeFunction") {
            const auto* alias = base::member(members, "alias");
            if (alias != nullptr && !members.contains("coldeflist")) {
                scalars_.push_back(base::string_member(*alias, "aliasname").value_or(""));
            }
        } else if (piece.type == "JoinExpr") {
            note_alias(members);
            const auto names = names_in(base::member(members, "usingClause"));
            by_name_ = by_name_ || members.contains("isNatural") ||
                       std::find(names.begin(), names.end(), "subconninfo") != names.end();
        } else if (piece.type == "ParamRef") {
            parameters = std::max(
                parameters,
                static_cast<std::size_t>(
                    std::max(base::integer_member(members, "number").value_or(1), 1LL)
                )
            );
        }
    }

    void judge_function(const Json& call) {
        const auto name = dotted(base::member(call, "funcname"));
        const auto function = name.last;
        if (of_catalog(name) && data::allowed_function(function)) {
            if (function == "current_setting") {
                judge_setting(GuardBounds::first_text(call));
            }
            return refuse_bounds(bounds_.call(function, call));
        }
        if (name.parts <= 2 && name.first != "pg_catalog" && data::extension_function(function)) {
            extension_functions.push_back(place(call, name));
            return;
        }
        if (no_matter(name) || of_standard(name)) {
            return;
        }
        const bool elsewhere = name.parts > 1 && name.first != "pg_catalog";
        refuse(
            data::function_class(function),
            "Function " + shown(name.text) +
                (elsewhere ? " is none of pg_catalog." : " is not among the allowed ones."),
            "Use functions of pg_catalog that only compute or look; the typed tools cover more."
        );
    }

    static NamePlace place(const Json& call, const DottedName& name) {
        NamePlace found;
        found.schema = name.parts > 1 ? name.first : "";
        found.name = name.last;
        found.offset = offset(call);
        return found;
    }

    static std::size_t offset(const Json& members) {
        return static_cast<std::size_t>(
            std::max(base::integer_member(members, "location").value_or(0), 0LL)
        );
    }

    /// A field may be a function called in another way: t.f is f(t), and (x).f.g is g(f(x)).
    void judge_field(const std::string& name, data::FieldOf of) {
        const auto family = data::field_class(name, of);
        if (!family.empty()) {
            refuse(family, "Field " + shown(name) + " would call the function.");
        }
    }

    /// Settings that hold a password, or print one when they run.
    void judge_setting(const std::string& name) {
        if (data::secret_setting(base::lower_ascii(name))) {
            refuse(
                "secret_catalog",
                "Setting " + shown(name) + " may hold a password.",
                "Ask get_replication how a standby stands."
            );
        }
    }

    void judge_column(const std::vector<std::string>& names) {
        const auto last = names.empty() ? "" : names.back();
        const auto of = names.size() > 1 ? names[names.size() - 2] : "";
        if (!of.empty()) {
            judge_field(last, data::FieldOf::relation);
        }
        columns_.emplace_back(of, last);
    }

    /// A function's alias is its value when that is no row: x.f is f(x) then.
    void check_scalars() {
        for (const auto& [of, name] : columns_) {
            if (std::find(scalars_.begin(), scalars_.end(), of) != scalars_.end()) {
                judge_field(name, data::FieldOf::function);
            }
        }
    }

    void note_alias(const Json& members) {
        if (const auto* alias = base::member(members, "alias")) {
            const auto name = base::string_member(*alias, "aliasname").value_or("");
            aliases_.emplace_back(name, alias->contains("colnames"));
        }
    }

    void judge_relation(const Json& members, const WithScope* scope) {
        NamePlace found;
        found.catalog = base::string_member(members, "catalogname").value_or("");
        found.schema = base::string_member(members, "schemaname").value_or("");
        found.name = base::string_member(members, "relname").value_or("");
        found.offset = offset(members);
        if (found.schema.empty() && visible(scope, found.name)) {
            return;
        }
        const auto family = data::secret_relation(found.schema, found.name);
        if (!family.empty()) {
            return refuse(
                family,
                "Relation " + shown(found.name) + " holds credentials or stored values of others.",
                "Use pg_roles, pg_stats or the typed tools."
            );
        }
        if (found.name == "pg_subscription") {
            subscription_ = true;
            aliases_.emplace_back(found.name, false);
            note_alias(members);
        }
        relations.push_back(std::move(found));
    }

    /// pg_subscription is read for its state, never for the connection string in it.
    void check_subscription() {
        if (!subscription_) {
            return;
        }
        const auto aliased = [&](const std::string& name) {
            return std::any_of(aliases_.begin(), aliases_.end(), [&](const auto& alias) {
                return alias.first == name;
            });
        };
        bool shows = star_ || by_name_ ||
                     std::any_of(aliases_.begin(), aliases_.end(), [](const auto& alias) {
                         return alias.second;
                     });
        for (const auto& [of, column] : columns_) {
            const bool whole_row = aliased(column); // `p` or `p.*`
            const bool called = !of.empty() && aliased(of) && !column.starts_with("sub") &&
                                column != "oid" && column != "xmin" && column != "ctid";
            shows = shows || whole_row || called || column == "subconninfo";
        }
        if (shows) {
            refuse(
                "secret_catalog",
                "The whole of pg_subscription holds connection strings.",
                "Name the columns you need, without subconninfo; pg_stat_subscription has more."
            );
        }
    }

    void judge_type(const Json& members) {
        const auto name = dotted(base::member(members, "names"));
        if (name.last == "xml" && of_catalog(name)) {
            return refuse("dos_xml", "XML is not parsed here.", "Read the values as text or json.");
        }
        if (no_matter(name) || of_standard(name)) {
            return;
        }
        if (!of_catalog(name) || !data::allowed_type(name.last)) {
            return refuse(
                "operator_cast",
                "Type " + shown(name.text) + " is none of the types of pg_catalog.",
                "Cast to text instead."
            );
        }
        refuse_bounds(bounds_.type(name.last, members));
    }

    void judge_operator(const Json* list) {
        const auto name = dotted(list);
        if (!no_matter(name) && name.parts > 0 &&
            (!of_catalog(name) || !data::allowed_operator(name.last))) {
            refuse("operator_cast", "Operator " + shown(name.text) + " is none of pg_catalog.");
        }
    }

    void judge_expression(const Json& members) {
        const auto kind = base::string_member(members, "kind").value_or("");
        if (kind.find("BETWEEN") != std::string::npos) {
            return; // its name is the word itself
        }
        const auto* name = base::member(members, "name");
        judge_operator(name);
        const auto written = dotted(name).last;
        const auto* right = base::member(members, "rexpr");
        if (right == nullptr) {
            return;
        }
        if (written == "^") {
            const Json call{{"args", Json::array({*right})}};
            refuse_bounds(bounds_.call("power", call));
        }
    }

    bool no_matter(const DottedName& name) const {
        return elsewhere_ == Elsewhere::no_matter && name.parts > 1 && name.first != "pg_catalog";
    }

    std::string_view sql_;
    GuardBounds bounds_;
    Elsewhere elsewhere_;
    std::vector<Piece> stack_;
    WithScopes scopes_;
    bool subscription_ = false;
    bool star_ = false;
    bool by_name_ = false; // a join that compares a column nobody wrote
    std::vector<std::pair<std::string, std::string>> columns_; // of what, name
    std::vector<std::string> scalars_;                         // aliases of functions in FROM
    std::vector<std::pair<std::string, bool>> aliases_; // name, and whether it renames columns
};

/// What an option of EXPLAIN is set to; nothing: no truth value.
std::optional<bool> option_value(const Json& option) {
    const auto* argument = base::member(option, "arg");
    if (argument == nullptr) {
        return true;
    }
    if (const auto* integer = base::member(*argument, "Integer")) {
        const auto value = base::integer_member(*integer, "ival").value_or(0);
        return value == 0 || value == 1 ? std::optional{value == 1} : std::nullopt;
    }
    if (const auto* string = base::member(*argument, "String")) {
        const auto text = base::lower_ascii(base::string_member(*string, "sval").value_or(""));
        if (text == "true" || text == "on") {
            return true;
        }
        if (text == "false" || text == "off") {
            return false;
        }
    }
    return std::nullopt;
}

std::optional<GuardVerdict> judge_explain(const Json& explain) {
    bool analyze = false;
    if (const auto* options = base::member(explain, "options"); options && options->is_array()) {
        for (const auto& item : *options) {
            const auto* option = base::member(item, "DefElem");
            const auto name = option ? base::string_member(*option, "defname") : std::nullopt;
            if (!name || !data::allowed_explain_option(*name)) {
                return deny("unknown", "EXPLAIN has an option that the guard does not know.");
            }
            if (*name == "analyze") {
                analyze = option_value(*option).value_or(true); // the last one counts
            }
        }
    }
    if (analyze) {
        return deny(
            "explain_analyze",
            "EXPLAIN ANALYZE runs the statement.",
            "Leave ANALYZE out, or give explain_query a plan that you have."
        );
    }
    const auto* query = base::member(explain, "query");
    if (query == nullptr || !query->contains("SelectStmt")) {
        const auto family = query == nullptr || query->empty()
                                ? std::string_view{"unknown"}
                                : data::statement_class(query->begin().key());
        return deny(family, "EXPLAIN is for a SELECT here.");
    }
    return std::nullopt;
}

std::optional<GuardVerdict> judge_kind(const std::string& type, const Json& statement) {
    if (type == "SelectStmt" || type == "VariableShowStmt") {
        return std::nullopt;
    }
    if (type == "ExplainStmt") {
        return judge_explain(statement);
    }
    const auto set = base::string_member(statement, "name").value_or("");
    const bool transaction =
        type == "VariableSetStmt" && (set.starts_with("TRANSACTION") || set.starts_with("SESSION"));
    return deny(
        transaction ? std::string_view{"txn_control"} : data::statement_class(type),
        "The statement is no read."
    );
}

GuardVerdict judge_error(const base::Error& error, std::string_view family) {
    const auto found = error.code == base::Errc::limit_exceeded ? "dos_parser" : family;
    return deny(found, error.what, error.remedy);
}

/// Words that servers since 16 read and the parser here does not.
bool newer_syntax(std::string_view sql) {
    constexpr auto phrases = std::to_array<std::string_view>(
        {" is json ",
         " is not json ",
         " json_table(",
         " json_value(",
         " json_query(",
         " json_exists(",
         " json_scalar(",
         " json_serialize(",
         " json_array(",
         " json_arrayagg(",
         " json_objectagg("}
    );
    std::string plain = " "; // words apart by one space, a bracket close to its word
    for (const char c : base::lower_ascii(std::string{sql}) + " ") {
        const bool letter = (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9');
        if (c == '(') {
            plain.resize(plain.find_last_not_of(' ') + 1);
            plain += "( ";
        } else if (letter || plain.back() != ' ') {
            plain += letter ? c : ' ';
        }
    }
    return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
        return plain.find(phrase) != std::string::npos;
    });
}

/// Text that is no statement may still be meant to stand behind the word EXPLAIN.
GuardVerdict judge_syntax(std::string_view sql, const base::Error& error) {
    if (error.code == base::Errc::invalid_input) {
        const auto prefixed = parse_sql_tree("explain " + std::string{sql});
        if (prefixed) {
            return deny("explain_prefix_break", "The statement is the end of an EXPLAIN.");
        }
    }
    auto verdict = judge_error(error, "malformed");
    if (verdict.family == "malformed" && newer_syntax(sql)) {
        verdict.reason += " The guard reads the syntax of PostgreSQL 15, and this seems newer.";
        verdict.remedy = "Write it with functions: jsonb_typeof, jsonb_path_query, "
                         "jsonb_to_recordset.";
    }
    return verdict;
}

} // namespace

/// The one place where guarded statements are made.
class Guard {
public:
    /// What is judged, and later sent, has no comments: libpg_query takes them for tokens, so that
    /// one between WITH and ORDINALITY is an error to it and none to the server.
    static GuardAnswer judge(std::string_view sql, Elsewhere elsewhere) {
        GuardSteps::begin();
        for (const auto check : {check_sql_caps, check_sql_shape}) {
            if (const auto checked = check(sql); !checked) {
                return {judge_error(checked.error(), "malformed"), std::nullopt};
            }
        }
        auto text = blank_comments(sql);
        auto tree = parse_sql_tree(text);
        if (!tree) {
            if (auto rewritten = rewrite(sql)) {
                return judge_tree(rewritten->first, rewritten->second, elsewhere);
            }
            return {judge_syntax(text, tree.error()), std::nullopt};
        }
        return judge_tree(text, *tree, elsewhere);
    }

private:
    /// What newer servers read, in words that the parser reads, too; from there on it is the
    /// statement.
    static std::optional<std::pair<std::string, Json>> rewrite(std::string_view sql) {
        constexpr int aliases_max = 16;
        auto text = blank_comments(older_spelling(sql).value_or(std::string{sql}));
        for (int i = 1; i <= aliases_max + 1; ++i) {
            std::size_t error_at = 0;
            auto tree = parse_sql_tree(text, &error_at);
            if (tree) {
                return std::pair{std::move(text), std::move(tree).value()};
            }
            const bool unnamed =
                tree.error().what.find("in FROM must have an alias") != std::string::npos;
            auto named = unnamed ? with_alias(text, error_at, i) : std::nullopt;
            if (!named) {
                return std::nullopt;
            }
            text = std::move(*named);
        }
        return std::nullopt;
    }

    static GuardAnswer judge_tree(std::string_view sql, const Json& tree, Elsewhere elsewhere) {
        const auto* list = base::member(tree, "stmts");
        if (list == nullptr || !list->is_array() || list->empty()) {
            return {deny("malformed", "The text holds no statement."), std::nullopt};
        }
        if (list->size() > 1) {
            return {
                deny("stacked", "The text holds " + std::to_string(list->size()) + " statements."),
                std::nullopt};
        }
        const auto& raw = (*list)[0];
        const auto* statement = base::member(raw, "stmt");
        if (statement == nullptr || statement->size() != 1) {
            return {deny("malformed", "The text holds no statement."), std::nullopt};
        }
        const auto type = statement->begin().key();
        if (auto verdict = judge_kind(type, *statement->begin())) {
            return {std::move(*verdict), std::nullopt};
        }
        Walk walk{sql, elsewhere};
        walk.run(*statement);
        if (walk.denied) {
            // The planner runs functions that call themselves immutable.
            if (type == "ExplainStmt" && walk.denied->family == "fn_user") {
                walk.denied->family = "explain_plan_time";
            }
            return {std::move(*walk.denied), std::nullopt};
        }
        return allow(sql, raw, type, std::move(walk));
    }

    static GuardAnswer
    allow(std::string_view sql, const Json& raw, const std::string& type, Walk walk) {
        const auto start = base::integer_member(raw, "stmt_location").value_or(0);
        const auto length = base::integer_member(raw, "stmt_len").value_or(0);
        const auto from = std::min(static_cast<std::size_t>(start), sql.size());
        const auto bytes = length > 0 ? static_cast<std::size_t>(length) : sql.size();
        GuardedStatement statement;
        statement.text_ = std::string{sql.substr(from, bytes)};
        statement.kind_ = type == "SelectStmt"    ? StatementKind::select
                          : type == "ExplainStmt" ? StatementKind::explain
                                                  : StatementKind::show;
        statement.relations_ = std::move(walk.relations);
        statement.extension_functions_ = std::move(walk.extension_functions);
        statement.parameters_ = walk.parameters;
        for (auto* names : {&statement.relations_, &statement.extension_functions_}) {
            std::sort(names->begin(), names->end(), [](const auto& a, const auto& b) {
                return a.offset < b.offset;
            });
            for (auto& name : *names) {
                name.offset -= std::min(from, name.offset);
            }
        }
        return {
            GuardVerdict{
                .allowed = true,
                .family = "read",
                .reason = "One read, made of what the guard knows.",
                .remedy = ""},
            std::move(statement)};
    }
};

GuardAnswer guard_sql(std::string_view sql) {
    return Guard::judge(sql, Elsewhere::denied);
}

GuardVerdict guard_body(std::string_view sql) {
    return Guard::judge(sql, Elsewhere::no_matter).verdict;
}

namespace {

base::Result<GuardedStatement> judged(const std::string& sql) {
    auto answer = guard_sql(sql);
    if (!answer.statement) {
        return refusal(answer.verdict);
    }
    return std::move(*answer.statement);
}

base::Error not_a_select() {
    return {base::Errc::internal, "Only a SELECT can be made into another statement.", ""};
}

} // namespace

base::Error refusal(const GuardVerdict& verdict) {
    return {
        base::Errc::refused_by_guard,
        verdict.reason + " (class " + verdict.family + ")",
        verdict.remedy};
}

base::Result<GuardedStatement>
with_prefixes(const GuardedStatement& statement, std::vector<Prefix> prefixes) {
    std::sort(prefixes.begin(), prefixes.end(), [](const Prefix& a, const Prefix& b) {
        return a.offset > b.offset;
    });
    auto text = statement.text();
    for (const auto& prefix : prefixes) {
        text.insert(std::min(prefix.offset, text.size()), prefix.text);
    }
    return judged(text);
}

base::Result<GuardedStatement> explained(const GuardedStatement& select) {
    if (select.kind() != StatementKind::select) {
        return not_a_select();
    }
    return judged("explain (format json) " + select.text());
}

base::Result<GuardedStatement> without_rows(const GuardedStatement& select) {
    if (select.kind() != StatementKind::select) {
        return not_a_select();
    }
    return judged("select * from (" + select.text() + "\n) as caller limit 0");
}

// format() writes a value by its type's output function. A cast could be somebody's own function.
base::Result<GuardedStatement> cut_by_server(
    const GuardedStatement& select,
    std::size_t columns,
    std::size_t characters_max,
    std::size_t rows_max
) {
    if (select.kind() != StatementKind::select) {
        return not_a_select();
    }
    std::string cells;
    std::string names;
    for (std::size_t i = 1; i <= columns; ++i) {
        const auto name = "c" + std::to_string(i);
        cells += (cells.empty() ? "" : ", ");
        cells += "case when num_nulls(" + name + ")=0 then left(format('%s'," + name + ")," +
                 std::to_string(characters_max) + ")end";
        names += (names.empty() ? "" : ", ") + name;
    }
    return judged(
        "select " + cells + " from (" + select.text() + "\n) as caller(" + names + ") limit " +
        std::to_string(rows_max)
    );
}

} // namespace interlock::db
