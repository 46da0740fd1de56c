// Facts about a statement from PostgreSQL's own parse tree. The walk keeps its own stack and knows
// every node type it may meet by name: what it does not know it reports, so that a newer grammar
// fails closed.
#include "base/db/sql_text.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>

#include <nlohmann/json.hpp>
#include <pg_query.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
using base::Json;
namespace limits = base::limits;

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

/// The names of WITH that a piece of the tree can see. Scopes form a tree of their own.
struct Scope {
    const Scope* outer = nullptr;
    std::string name;
};

bool visible(const Scope* scope, std::string_view name) {
    for (; scope != nullptr; scope = scope->outer) {
        if (scope->name == name) {
            return true;
        }
    }
    return false;
}

/// Quoted where needed, so that "a.b" in one identifier never looks like b in schema a.
std::string quote(const std::string& identifier) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    const bool digit_first = !identifier.empty() && identifier[0] >= '0' && identifier[0] <= '9';
    if (!identifier.empty() && !digit_first &&
        std::all_of(identifier.begin(), identifier.end(), plain)) {
        return identifier;
    }
    std::string quoted = "\"";
    for (const char c : identifier) {
        quoted.append(c == '"' ? 2U : 1U, c);
    }
    return quoted + '"';
}

struct Name {
    std::string text;
    std::size_t parts = 0;
    std::string first;
    std::string last;
};

/// A list of String nodes as a dotted name.
Name dotted(const Json* list) {
    Name name;
    if (list == nullptr || !list->is_array()) {
        return name;
    }
    for (const auto& item : *list) {
        const auto* string = base::member(item, "String");
        if (string == nullptr) {
            continue;
        }
        const auto part = base::string_member(*string, "sval").value_or("");
        name.last = part;
        if (name.parts++ == 0) {
            name.first = part;
        } else {
            name.text += '.';
        }
        name.text += quote(part);
    }
    return name;
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
    struct Piece {
        const Json* value;
        const Scope* scope;
    };

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
            inner = open_scope(*with, scope);
        }
        members(object, inner);
        for (const auto& [key, value] : object.items()) {
            if (!key.empty() && key[0] >= 'A' && key[0] <= 'Z') {
                node(key, value, inner);
            } else if (is_one_of(key, {"ctes", "lockedRels"})) {
                continue; // done by open_scope; names of FROM items, not relations
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
        std::string text = catalog ? quote(*catalog) + "." : "";
        text += schema ? quote(*schema) + "." : "";
        add(facts_.relations, text + quote(*name));
    }

    /// Operators and types outside pg_catalog run code too: an operator its function, a cast the
    /// type's input function.
    void add_operator(const Json* list) {
        const auto name = dotted(list);
        if (name.parts > 1 && name.first != "pg_catalog") {
            add(facts_.functions, "operator(" + quote(name.first) + "." + name.last + ")");
        }
    }

    void add_type(const Json& value) {
        const auto name = dotted(base::member(value, "names"));
        if (name.parts > 1 && name.first != "pg_catalog") {
            add(facts_.functions, "type(" + name.text + ")");
        }
    }

    /// Walks the WITH queries and returns the scope of what stands beside them. Without RECURSIVE a
    /// query sees only the ones before it.
    const Scope* open_scope(const Json& with, const Scope* outer) {
        const bool recursive = base::boolean_member(with, "recursive").value_or(false);
        const auto* list = base::member(with, "ctes");
        if (list == nullptr || !list->is_array()) {
            return outer;
        }
        const auto* scope = outer;
        std::vector<Piece> queries;
        for (const auto& item : *list) {
            queries.push_back({&item, scope});
            const auto* query = base::member(item, "CommonTableExpr");
            const auto name = query ? base::string_member(*query, "ctename") : std::nullopt;
            scopes_.push_back({scope, name.value_or("")});
            scope = &scopes_.back();
        }
        for (const auto& query : queries) {
            push(*query.value, recursive ? scope : query.scope);
        }
        return scope;
    }

    static void add(std::vector<std::string>& list, const std::string& text) {
        if (std::find(list.begin(), list.end(), text) == list.end()) {
            list.push_back(text);
        }
    }

    StatementFacts& facts_;
    std::vector<Piece> stack_;
    std::deque<Scope> scopes_; // addresses stay
};

struct Parse {
    const char* sql = nullptr;
    std::string tree;
    std::string error;
    int position = 0;
    bool finished = false;
};

void parse(Parse& task) {
    const auto result = pg_query_parse(task.sql);
    if (result.error != nullptr) {
        task.error = result.error->message;
        task.position = result.error->cursorpos;
    } else {
        task.tree = result.parse_tree;
    }
    pg_query_free_parse_result(result);
}

/// The one thread that parses. Its stack is large, because the parser and its tree printer recurse
/// as deep as a statement nests (check_sql_caps bounds that to a few thousand levels). It lives as
/// long as the program, because libpg_query takes a thread-specific key for every thread that ever
/// parsed and never gives it back; a process has 1,024 of them.
class Parser {
public:
    Parser() {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, limits::sql_parse_stack_bytes);
        started_ = pthread_create(&thread_, &attributes, serve, this) == 0;
        pthread_attr_destroy(&attributes);
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() {
        if (!started_) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
        pthread_join(thread_, nullptr);
    }

    base::Status run(Parse& task) {
        if (!started_) {
            return Error{
                Errc::limit_exceeded,
                "No thread could be started to parse SQL.",
                "Start the program again; it is short of memory or threads."};
        }
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return task_ == nullptr; });
        task_ = &task;
        changed_.notify_all();
        changed_.wait(lock, [&] { return task.finished; });
        return base::done;
    }

private:
    static void* serve(void* self) {
        auto& parser = *static_cast<Parser*>(self);
        std::unique_lock lock(parser.mutex_);
        for (;;) {
            parser.changed_.wait(lock, [&] { return parser.ended_ || parser.task_ != nullptr; });
            if (parser.task_ == nullptr) {
                return nullptr;
            }
            Parse& task = *parser.task_;
            lock.unlock();
            parse(task);
            lock.lock();
            task.finished = true;
            parser.task_ = nullptr;
            parser.changed_.notify_all();
        }
    }

    pthread_t thread_{};
    bool started_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    Parse* task_ = nullptr; // the statement being parsed; its owner waits for it
    bool ended_ = false;
};

base::Status parse_on_big_stack(Parse& task) {
    static Parser parser;
    return parser.run(task);
}

} // namespace

base::Result<StatementFacts> statement_facts(std::string_view sql) {
    INTERLOCK_CHECK(check_sql_caps(sql));
    const std::string text{sql};
    Parse task;
    task.sql = text.c_str();
    INTERLOCK_CHECK(parse_on_big_stack(task));
    if (!task.error.empty()) {
        return Error{
            Errc::invalid_input,
            "The statement does not parse: " +
                base::cut_middle(base::sanitize(task.error), limits::database_message_chars_max) +
                " (character " + std::to_string(task.position) + ").",
            "Correct the statement."};
    }
    auto tree = base::parse_json(task.tree, limits::sql_tree_bytes_max, limits::sql_tree_depth_max);
    if (!tree) {
        return Error{
            Errc::limit_exceeded,
            "The statement is nested too deeply or is too large to be examined.",
            "Simplify it."};
    }
    StatementFacts facts;
    const auto* statements = base::member(*tree, "stmts");
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
