// Rows as cells: what every SQL database hands us, in text form, before anything gives it meaning.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

/// A value in the database's text format, or SQL NULL.
using Cell = std::optional<std::string>;

/// A named statement. The name is the span name, the metric label and what logs say.
struct Sql {
    std::string_view name;
    std::string_view text; // parameters are $1, $2, ... only
};

struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<Cell>> rows;
    long long affected = 0; // rows changed, for statements that change rows

    bool empty() const { return rows.empty(); }
    /// Index of a column; asserts that it exists (a name is code, not input).
    std::size_t column(std::string_view name) const;
    const Cell& at(std::size_t row, std::string_view name) const;
    std::string text(std::size_t row, std::string_view name, std::string_view fallback = {}) const;
    std::optional<long long> integer(std::size_t row, std::string_view name) const;
    std::optional<double> real(std::size_t row, std::string_view name) const;
    /// PostgreSQL's t/f and SQLite's 1/0.
    std::optional<bool> boolean(std::size_t row, std::string_view name) const;
};

} // namespace interlock::db
