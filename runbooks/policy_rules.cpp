#include "runbooks/policy_rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace interlock::runbooks {
namespace {

constexpr std::array<std::string_view, 21> harmless_functions{
    "pg_catalog.age",
    "pg_catalog.array_length",
    "pg_catalog.bool_and",
    "pg_catalog.bool_or",
    "pg_catalog.cardinality",
    "pg_catalog.clock_timestamp",
    "pg_catalog.count",
    "pg_catalog.current_database",
    "pg_catalog.current_setting",
    "pg_catalog.extract",
    "pg_catalog.lower",
    "pg_catalog.max",
    "pg_catalog.min",
    "pg_catalog.mxid_age",
    "pg_catalog.now",
    "pg_catalog.pg_backend_pid",
    "pg_catalog.pg_blocking_pids",
    "pg_catalog.pg_is_in_recovery",
    "pg_catalog.pg_wal_lsn_diff",
    "pg_catalog.statement_timestamp",
    "pg_catalog.sum",
};

constexpr std::array<std::string_view, 2> signalling_functions{
    "pg_catalog.pg_cancel_backend",
    "pg_catalog.pg_terminate_backend",
};

constexpr std::array<std::string_view, 13> secret_relations{
    "pg_catalog.pg_authid",
    "pg_catalog.pg_file_settings",
    "pg_catalog.pg_foreign_server",
    "pg_catalog.pg_hba_file_rules",
    "pg_catalog.pg_ident_file_mappings",
    "pg_catalog.pg_largeobject",
    "pg_catalog.pg_shadow",
    "pg_catalog.pg_statistic",
    "pg_catalog.pg_statistic_ext_data",
    "pg_catalog.pg_stats",
    "pg_catalog.pg_subscription",
    "pg_catalog.pg_user_mapping",
    "pg_catalog.pg_user_mappings",
};

constexpr std::array<std::string_view, 4> bindable_types{"int4", "int8", "text", "timestamptz"};

constexpr std::array<std::string_view, 1> step_kinds{"SelectStmt"};
constexpr std::array<std::string_view, 1> read_kinds{"SelectStmt"};

/// Kinds that no contract can ever ask for, with the reason people read. Every other kind that is
/// not allowed above is denied as well, because nobody has judged it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 19> never{{
    {"AlterSystemStmt", "changes the server's configuration files"},
    {"CallStmt", "runs a procedure whose body this policy cannot see"},
    {"CopyStmt", "moves data in or out of files and programs"},
    {"CreateFunctionStmt", "defines code whose body this policy cannot see"},
    {"DeleteStmt", "deletes rows"},
    {"DoStmt", "runs code that this policy cannot see"},
    {"DropRoleStmt", "drops a role"},
    {"DropStmt", "drops an object"},
    {"DropdbStmt", "drops a database"},
    {"ExecuteStmt", "runs a prepared statement that this policy cannot see"},
    {"GrantStmt", "changes privileges"},
    {"InsertStmt", "inserts rows"},
    {"LockStmt", "takes a table lock"},
    {"MergeStmt", "changes rows"},
    {"PrepareStmt", "prepares a statement for later"},
    {"TransactionStmt", "ends or begins the executor's own transaction"},
    {"TruncateStmt", "empties a table"},
    {"UpdateStmt", "updates rows"},
    {"VariableSetStmt", "changes a setting of the executor's session"},
}};

template <class List>
bool contains(const List& list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

template <class List>
void append(std::string& out, std::string_view title, const List& list) {
    out += title;
    for (const auto& name : list) {
        out += ' ';
        out += name;
    }
    out += '\n';
}

} // namespace

FunctionRule function_rule(std::string_view name) {
    if (contains(harmless_functions, name)) {
        return FunctionRule::harmless;
    }
    return contains(signalling_functions, name) ? FunctionRule::signals : FunctionRule::unknown;
}

std::string kind_denial(std::string_view kind, Place place) {
    for (const auto& [denied, why] : never) {
        if (kind == denied) {
            return std::string(kind) + ": it " + std::string(why);
        }
    }
    const bool allowed =
        place == Place::step ? contains(step_kinds, kind) : contains(read_kinds, kind);
    return allowed ? "" : std::string(kind) + ": no plan may hold a statement of this kind";
}

bool is_secret_relation(std::string_view name) {
    return contains(secret_relations, name);
}

bool is_bindable_type(std::string_view type) {
    return contains(bindable_types, type);
}

std::string rules_text() {
    std::string out = "policy " + std::to_string(policy_version) + "\n";
    append(out, "step kinds", step_kinds);
    append(out, "read kinds", read_kinds);
    append(out, "harmless functions", harmless_functions);
    append(out, "signalling functions", signalling_functions);
    append(out, "secret relations", secret_relations);
    append(out, "bindable types", bindable_types);
    return out;
}

} // namespace interlock::runbooks
