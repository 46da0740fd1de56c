// What the guard of sql_guard.hpp knows, as data: node types with their members, functions, types,
// operators, relations. Whatever does not stand here is denied.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace interlock::db::guard_data {

/// What a member of a node holds.
enum class MemberKind {
    scalar, // no tree below it
    nodes,  // a node or a list of nodes, each {"Type": {...}}
    fixed,  // a node of one type, its members alone
    denied, // no allowed statement has it
};

struct Member {
    MemberKind kind = MemberKind::scalar;
    std::string_view type; // of a fixed one
};

/// Whether a node type may stand in an allowed statement.
bool allowed_node(std::string_view type);
/// Nothing: this type has no such member.
std::optional<Member> member_of(std::string_view type, std::string_view member);

/// Of pg_catalog, harmless whatever its arguments are but for size.
bool allowed_function(std::string_view name);
/// A function or type of information_schema, as harmless.
bool standard_name(std::string_view name);
/// Of an extension for diagnosis.
bool extension_function(std::string_view name);
/// The class of attack that a function which is not allowed belongs to; "fn_user" if it is not one
/// of those that are known to do harm.
std::string_view function_class(std::string_view name);

bool allowed_type(std::string_view name);
bool allowed_operator(std::string_view name);
bool allowed_explain_option(std::string_view name);

/// Relations that hold credentials, other people's data or the server's files; "" for none.
std::string_view secret_relation(std::string_view schema, std::string_view name);
/// What a field stands behind: `t.f`, where f is most likely a column, also of what a function
/// returns, or `(x).f`.
enum class FieldOf { relation, function, expression };
/// "" or the class of the function that a field of this name would call.
std::string_view field_class(std::string_view name, FieldOf of);
/// Aggregates that keep every row they see.
bool collecting_aggregate(std::string_view name);
bool aggregate(std::string_view name);   // functions of windows, too
bool makes_text(std::string_view name);  // of a length that their second argument says
bool joins_text(std::string_view name);  // or lists, or documents
bool splits(std::string_view name);      // one value into rows
bool asks_target(std::string_view name); // a number or moment that the target tells
bool many_rows(std::string_view name);   // hundreds, whatever it is called with
/// Whether a setting holds a password, or a command that prints one.
bool secret_setting(std::string_view name);
bool begins_secret_setting(std::string_view prefix);
/// Functions whose result shows a text in another shape, so that nobody recognises it.
bool reshapes_text(std::string_view name);
/// Views of one row, which a query may join to anything.
bool one_row_view(std::string_view name);

/// The class of a statement by its node type: "ddl", "copy", ...
std::string_view statement_class(std::string_view type);

} // namespace interlock::db::guard_data
