// Planning a caller's SELECT on a target without running it, and once more with an index that
// nobody builds, through the extension HypoPG.
#pragma once

#include "base/db/sql_guard.hpp"
#include "tools/lane.hpp"
#include "tools/postgres/plan_reader.hpp"

#include <string>
#include <string_view>

namespace interlock::tools {

/// The schema of HypoPG's function, in quotes; no row where this role has none to call.
extern const db::Sql hypopg_sql;

/// A statement that is planned; the query points into it.
struct PlanText {
    std::string text;
    std::size_t parameters = 0;

    /// EXPLAIN of the statement; with parameters the lane prepares it, on every version: EXPLAIN
    /// (GENERIC_PLAN) takes none over the extended protocol.
    db::Query query() const;
};
base::Result<PlanText> plan_text(const db::GuardedStatement& statement);

/// The plan in a result; a refusal says how to come to it all the same. `has_parameters`: of a
/// statement in whose text types may not show.
base::Result<Plan> plan_of(base::Result<db::Rows>& result, bool has_parameters);

struct IndexTrial {
    base::Result<db::Rows> names; // what the target says of the statement's names now
    base::Result<Plan> without;
    base::Result<Plan> with;
    std::string index; // as HypoPG calls it
    Source source;
};

/// Plans `statement` without and with the index that `index` would create. `names` asks about the
/// statement's names, in the same transaction. invalid_arguments: HypoPG did not take the index.
base::Result<IndexTrial> try_index(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const db::Query& names,
    const db::GuardedStatement& statement,
    const std::string& schema,
    const std::string& index
);

} // namespace interlock::tools
