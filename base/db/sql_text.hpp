// PostgreSQL's own lexer and parser (libpg_query) over SQL text: masking of literals, and the
// facts a policy needs about a statement. Length, token and comment-depth caps come before either,
// because the lexer is quadratic and the parser recursive on hostile input.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

/// Caps of base/limits.hpp, NUL and UTF-8. limit_exceeded or invalid_input.
base::Status check_sql_caps(std::string_view sql);

/// For text within the caps: nothing in it looks like what it is not (controls, marks that turn the
/// direction, letters and spaces that only look like ASCII), and its brackets nest less deep than
/// limits::sql_brackets_max. invalid_input or limit_exceeded.
base::Status check_sql_shape(std::string_view sql);

/// For text within the caps: comments become spaces, so that every other byte stays where it is.
/// Text that cannot be lexed is given back as it is.
std::string blank_comments(std::string_view sql);

/// Query text with every literal replaced by $n and comments removed, by lexing: works on text cut
/// in the middle. Text that cannot be lexed becomes "<unreadable statement>". Never throws.
std::string mask_literals(std::string_view sql);

/// The same for a reader who must tell a literal from a parameter: a text with literals ends in
/// "/* literals masked from $3 on */".
std::string mask_literals_visibly(std::string_view sql);
/// Whether a text carries that remark, and so has parameters in the place of values.
bool tells_masked_literals(std::string_view sql);

/// pg_stat_statements writes $n where a constant was, also where PostgreSQL's grammar takes nothing
/// but a constant. Such places in a form that it takes: `interval $1 day` becomes
/// `$1::interval day`, `extract($1 from x)` a call of pg_catalog.extract. Other text, and text past
/// the caps, is given back as it is.
std::string cast_parameters(std::string_view sql);

/// What a statement is, from its parse tree.
struct StatementFacts {
    int statements = 0; // how many the text holds
    std::string kind;   // node type of the first: "SelectStmt", "VacuumStmt", ...
    // Called, as written and quoted where needed: "pg_catalog.pg_terminate_backend". Operators and
    // types outside pg_catalog run code too and stand here as "operator(app.+)", "type(app.t)".
    std::vector<std::string> functions;
    // Read or written, as written: "pg_catalog.pg_stat_activity". Names of WITH are not relations.
    std::vector<std::string> relations;
    bool writes_rows = false;         // DML anywhere, also in a CTE, or SELECT INTO
    bool locks_rows = false;          // FOR UPDATE/SHARE
    std::vector<std::string> unknown; // node types this code does not know: policy must deny
};

/// Parses one text. invalid_input carries PostgreSQL's message and position.
base::Result<StatementFacts> statement_facts(std::string_view sql);

} // namespace interlock::db
