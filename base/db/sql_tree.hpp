// PostgreSQL's own parse tree (libpg_query) as JSON, and what walks over it share. Only for
// base/db: others ask sql_text.hpp for facts and sql_guard.hpp for a verdict.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

/// Parses one text that is within the caps (check_sql_caps). invalid_input carries PostgreSQL's
/// message and position; limit_exceeded: the tree is too deep or too large.
/// `error_at`: set to the byte where the parser stopped.
base::Result<base::Json> parse_sql_tree(std::string_view sql, std::size_t* error_at = nullptr);

/// Quoted where needed, so that "a.b" in one identifier never looks like b in schema a.
std::string quote_identifier(const std::string& identifier);

/// A list of String nodes: a dotted name.
struct DottedName {
    std::string text; // quoted where needed
    std::size_t parts = 0;
    std::string first;
    std::string last;
};
DottedName dotted(const base::Json* list);
/// The same names one by one. What else stands in the list, a star for one, is left out.
std::vector<std::string> names_in(const base::Json* list);

/// The names of WITH that a piece of the tree can see. Scopes form a tree of their own.
struct WithScope {
    const WithScope* outer = nullptr;
    std::string name;
};
bool visible(const WithScope* scope, std::string_view name);

class WithScopes {
public:
    struct Piece {
        const base::Json* value;
        const WithScope* scope;
    };
    /// Opens `with`: returns the scope of what stands beside its queries, and the queries, each
    /// with the scope that it sees. Without RECURSIVE a query sees only the ones before it.
    const WithScope*
    open(const base::Json& with, const WithScope* outer, std::vector<Piece>& queries);

private:
    std::deque<WithScope> scopes_; // addresses stay
};

} // namespace interlock::db
