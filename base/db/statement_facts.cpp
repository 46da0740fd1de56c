// Facts about a statement from PostgreSQL's own parse tree. The walk keeps its own stack and knows
// every node type it may meet by name: what it does not know it reports, so that a newer grammar
// fails closed.
#include "base/db/sql_text.hpp"
#include "base/db/sql_tree.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;

/// Node types whose members the walk understands: nothing in them can run code, read or write
/// without being noticed. Types that carry SQL or XML as text, define objects, or name objects in
/// other ways than by RangeVar are missing on purpose.
constexpr auto known_types = std::to_array<std::string_view>({
    "A_ArrayExpr",
    "A_Const",
    "A_Expr",
    "A_Indices",
    "A_Indirection",
    "A_Star",
    "AlterSystemStmt",
    "BitString",
    "BoolExpr",
    "Boolean",
    "BooleanTest",
    "CallStmt",
    "CaseExpr",
    "CaseWhen",
    "CheckPointStmt",
    "CoalesceExpr",
    "CollateClause",
    "ColumnDef",
    "ColumnRef",
    "CommonTableExpr",
    "CreateTableAsStmt",
    "DefElem",
    "DeleteStmt",
    "ExplainStmt",
    "Float",
    "FuncCall",
    "GroupingFunc",
    "GroupingSet",
    "IndexElem",
    "IndexStmt",
    "InsertStmt",
    "Integer",
    "JoinExpr",
    "List",
    "LockingClause",
    "MergeStmt",
    "MergeWhenClause",
    "MinMaxExpr",
    "MultiAssignRef",
    "NamedArgExpr",
    "NullTest",
    "ParamRef",
    "RangeFunction",
    "RangeSubselect",
    "RangeVar",
    "ReindexStmt",
    "ResTarget",
    "RowExpr",
    "SQLValueFunction",
    "SelectStmt",
    "SetToDefault",
    "SortBy",
    "String",
    "SubLink",
    "TransactionStmt",
    "TruncateStmt",
    "TypeCast",
    "TypeName",
    "UpdateStmt",
    "VacuumRelation",
    "VacuumStmt",
    "VariableSetStmt",
    "VariableShowStmt",
    "WindowDef",
});

bool is_one_of(std::string_view type, std::initializer_list<std::string_view> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

class Walk {
public:
    explicit Walk(StatementFacts& facts) : facts_(facts) {}

    void run(const Json& statement) {
        stack_.push_back({&statement, nullptr});
        while (!stack_.empty()) {
            const auto piece = stack_.back();
            stack_.pop_back();
            if (piece.value->is_array()) {
                for (const auto& item : *piece.value) {
                    push(item, piece.scope);
                }
            } else if (piece.value->is_object()) {
                visit(*piece.value, piece.scope);
            }
        }
    }

private:
    using Scope = WithScope;
    using Piece = WithScopes::Piece;

    void push(const Json& value, const Scope* scope) {
        if (value.is_structured()) {
            stack_.push_back({&value, scope});
        }
    }

    /// Objects are either {"NodeType": {members}} or, where the grammar fixes the type, the members
    /// alone. Members are lower-case.
    void visit(const Json& object, const Scope* scope) {
        const auto* inner = scope;
        if (const auto* with = base::member(object, "withClause")) {
            std::vector<Piece> queries;
            inner = scopes_.open(*with, scope, queries);
            for (const auto& query : queries) {
                push(*query.value, query.scope);
            }
        }
        members(object, inner);
        for (const auto& [key, value] : object.items()) {
            if (!key.empty() && key[0] >= 'A' && key[0] <= 'Z') {
                node(key, value, inner);
            } else if (is_one_of(key, {"ctes", "lockedRels"})) {
                continue; // queries of WITH, pushed above; names of FROM items, not relations
            } else if (is_one_of(key, {"relation", "rel"})) {
                target(value, inner);
            } else {
                push(value, inner);
            }
        }
    }

    void node(const std::string& type, const Json& value, const Scope* scope) {
        if (std::find(known_types.begin(), known_types.end(), type) == known_types.end()) {
            add(facts_.unknown, type);
        }
        if (is_one_of(
                type,
                {"InsertStmt",
                 "UpdateStmt",
                 "DeleteStmt",
                 "MergeStmt",
                 "TruncateStmt",
                 "CreateTableAsStmt"}
            )) {
            facts_.writes_rows = true;
        }
        if (type == "CopyStmt" && base::boolean_member(value, "is_from").value_or(false)) {
            facts_.writes_rows = true;
        }
        if (type == "LockingClause") {
            facts_.locks_rows = true;
        }
        if (type == "A_Expr") {
            add_operator(base::member(value, "name"));
        }
        if (type == "TypeName") {
            add_type(value);
        }
        push(value, scope);
    }

    /// What an object tells by its members, whether or not its type is written.
    void members(const Json& object, const Scope* scope) {
        if (const auto* name = base::member(object, "funcname"); name != nullptr) {
            add(facts_.functions, dotted(name).text);
        }
        if (base::member(object, "intoClause") != nullptr) {
            facts_.writes_rows = true;
        }
        add_operator(base::member(object, "operName"));
        add_operator(base::member(object, "useOp"));
        if (const auto* type = base::member(object, "typeName"); type && type->is_object()) {
            add_type(*type);
        }
        add_relation(object, scope);
    }

    /// `relation` and `rel` name what a statement works on: never a name of WITH.
    void target(const Json& value, const Scope* scope) {
        if (value.is_object() && value.contains("relname")) {
            add_relation(value, nullptr);
        } else {
            push(value, scope);
        }
    }

    void add_relation(const Json& object, const Scope* scope) {
        const auto name = base::string_member(object, "relname");
        if (!name) {
            return;
        }
        const auto schema = base::string_member(object, "schemaname");
        const auto catalog = base::string_member(object, "catalogname");
        if (!schema && visible(scope, *name)) {
            return;
        }
        std::string text = catalog ? quote_identifier(*catalog) + "." : "";
        text += schema ? quote_identifier(*schema) + "." : "";
        add(facts_.relations, text + quote_identifier(*name));
    }

    /// Operators and types outside pg_catalog run code too: an operator its function, a cast the
    /// type's input function.
    void add_operator(const Json* list) {
        const auto name = dotted(list);
        if (name.parts > 1 && name.first != "pg_catalog") {
            add(facts_.functions,
                "operator(" + quote_identifier(name.first) + "." + name.last + ")");
        }
    }

    void add_type(const Json& value) {
        const auto name = dotted(base::member(value, "names"));
        if (name.parts > 1 && name.first != "pg_catalog") {
            add(facts_.functions, "type(" + name.text + ")");
        }
    }

    static void add(std::vector<std::string>& list, const std::string& text) {
        if (std::find(list.begin(), list.end(), text) == list.end()) {
            list.push_back(text);
        }
    }

    StatementFacts& facts_;
    std::vector<Piece> stack_;
    WithScopes scopes_;
};

} // namespace

base::Result<StatementFacts> statement_facts(std::string_view sql) {
    INTERLOCK_CHECK(check_sql_caps(sql));
    INTERLOCK_TRY(const auto tree, parse_sql_tree(sql));
    StatementFacts facts;
    const auto* statements = base::member(tree, "stmts");
    if (statements == nullptr || !statements->is_array()) {
        return facts;
    }
    facts.statements = static_cast<int>(statements->size());
    Walk walk{facts};
    for (const auto& item : *statements) {
        const auto* statement = base::member(item, "stmt");
        if (statement == nullptr || !statement->is_object() || statement->empty()) {
            facts.unknown.emplace_back("(empty statement)");
            continue;
        }
        if (facts.kind.empty()) {
            facts.kind = statement->begin().key();
        }
        walk.run(*statement);
    }
    return facts;
}

} // namespace interlock::db
