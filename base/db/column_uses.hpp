// Which columns of which tables a statement's conditions and order could be served by with an
// index: read from its parse tree, without a catalog. What an index of columns cannot serve
// (expressions over a column, OR, patterns) is left out.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

struct OrderedColumn {
    std::string name;
    bool descending = false;
    friend bool operator==(const OrderedColumn&, const OrderedColumn&) = default;
};

/// One table at one level of a statement. Names are as PostgreSQL would look them up, unquoted.
struct ColumnUses {
    std::string schema; // "" = not written
    std::string table;
    std::vector<std::string> equality; // compared with =, IN or = ANY, to values or other tables
    std::vector<std::string> range;    // <, >, <=, >=, BETWEEN
    std::vector<OrderedColumn> order;  // all of ORDER BY, where LIMIT lets a reader stop early
};

/// A column that names no table stands with each table of its level: it is of the one that has it.
base::Result<std::vector<ColumnUses>> column_uses(std::string_view sql);

} // namespace interlock::db
