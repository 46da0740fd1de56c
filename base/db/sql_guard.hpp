// The guard of SQL that callers wrote. It allows one SELECT (VALUES and TABLE too), SHOW, or
// EXPLAIN of a SELECT without ANALYZE, made of nothing but node types, functions, operators and
// types that it knows; unknown means no. It knows no server: what only a catalog can tell (foreign
// tables, what views call) is for the caller, who finds here which names to ask about.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

struct GuardVerdict {
    bool allowed = false;
    // "read", or the class of attack: "stacked", "fn_file", ... (docs/guard.md lists them)
    std::string family;
    std::string reason; // one sentence
    std::string remedy; // one sentence; "" when allowed
};

enum class StatementKind { select, explain, show };

/// A name that stands for something of the target, and where its first byte stands in the text.
struct NamePlace {
    std::string catalog; // "" = not written
    std::string schema;  // "" = not written
    std::string name;
    std::size_t offset = 0;
};

/// A statement that the guard allowed: only the guard makes one.
class GuardedStatement {
public:
    /// Without what surrounded it: no semicolon, no text behind it.
    const std::string& text() const { return text_; }
    StatementKind kind() const { return kind_; }
    /// Read from, but for the names of WITH.
    const std::vector<NamePlace>& relations() const { return relations_; }
    /// Called, and known to belong to extensions: the caller makes sure that they do.
    const std::vector<NamePlace>& extension_functions() const { return extension_functions_; }
    bool has_parameters() const { return parameters_ > 0; } // $1 and the like
    std::size_t parameters() const { return parameters_; }  // the highest number

private:
    friend class Guard;
    GuardedStatement() = default;

    std::string text_;
    StatementKind kind_ = StatementKind::select;
    std::vector<NamePlace> relations_;
    std::vector<NamePlace> extension_functions_;
    std::size_t parameters_ = 0;
};

struct GuardAnswer {
    GuardVerdict verdict;
    std::optional<GuardedStatement> statement; // if allowed
};

/// Never throws; what could not be examined is denied.
GuardAnswer guard_sql(std::string_view sql);

/// The same for what a target runs in a caller's stead: the body of a view, the condition of a
/// policy. Names outside pg_catalog are no matter here: the target's catalog tells about them.
GuardVerdict guard_body(std::string_view sql);

/// The verdict as an error: refused_by_guard.
base::Error refusal(const GuardVerdict& verdict);

/// Where to write what in front of a name of `statement`, as "schema." in quotes.
struct Prefix {
    std::size_t offset = 0;
    std::string text;
};

// A statement made of a guarded one goes through the guard again, as a whole.

/// With names qualified, because no schema but pg_catalog is searched when it runs.
base::Result<GuardedStatement>
with_prefixes(const GuardedStatement& statement, std::vector<Prefix> prefixes);
/// EXPLAIN (FORMAT JSON) of a SELECT.
base::Result<GuardedStatement> explained(const GuardedStatement& select);
/// No row: what columns a SELECT has.
base::Result<GuardedStatement> without_rows(const GuardedStatement& select);
/// The first rows of a SELECT of so many columns, each cell as text of at most `characters_max`.
base::Result<GuardedStatement> cut_by_server(
    const GuardedStatement& select,
    std::size_t columns,
    std::size_t characters_max,
    std::size_t rows_max
);

} // namespace interlock::db
