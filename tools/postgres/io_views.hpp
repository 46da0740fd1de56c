// Views of get_io beside the rates of the whole server: which tables and indexes are read from
// disk, what each session reads and writes, what takes the disks' space.
#pragma once

#include "base/result.hpp"
#include "tools/assess.hpp"
#include "tools/lane.hpp"
#include "tools/schema.hpp"

#include <vector>

namespace interlock::tools {

/// The rows of these views, and the statements behind them.
std::vector<RowsShape> io_view_shapes();
std::vector<ToolStatement> io_view_statements();

/// Each reads, judges and sums up into `evidence`.
base::Status look_at_relations(
    Context& context, const Call& call, const LaneRequest& request, Evidence& evidence
);
base::Status look_at_sessions(
    Context& context, const Call& call, const LaneRequest& request, Evidence& evidence
);
/// `more` is read beside databases and tablespaces; its tables, in order.
base::Result<std::vector<std::optional<db::Table>>> look_at_space(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    std::vector<SectionRequest> more,
    Evidence& evidence
);

} // namespace interlock::tools
