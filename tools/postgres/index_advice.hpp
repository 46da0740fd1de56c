// Which index a table lacks that statements read whole: candidates from the conditions and orders
// of the costliest statements in pg_stat_statements, without those that an index has already, each
// planned with and without it where HypoPG is installed. A few tables, statements and plannings,
// within a bounded time.
#pragma once

#include "tools/assess.hpp"

#include <string>
#include <vector>

namespace interlock::tools {

/// Rows of the packet and its fixed statements.
extern const Section candidates_section;
std::vector<ToolStatement> advice_statements();

/// `relations`: schema.table in quotes where needed, worst first. Adds rows, findings and what
/// could not be looked at to `evidence`.
void advise_indexes(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::vector<std::string>& relations,
    Evidence& evidence
);

} // namespace interlock::tools
