// Whether a query of WITH RECURSIVE comes to an end, as far as its words tell: a condition that its
// own counting fails, data that run out, a text that is taken apart, or a UNION whose values are
// few.
#pragma once

#include "base/json.hpp"

#include <string_view>

namespace interlock::db {

/// A query that does not name itself ends.
bool recursion_ends(std::string_view sql, const base::Json& query, std::string_view name);

} // namespace interlock::db
