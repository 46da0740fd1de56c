// Bloat of tables and indexes: the estimate from statistics that each tool reads, measured where
// pgstattuple is installed and the object small, and judged alike.
//
// A bloat table has the columns oid, bytes, wasted_bytes, wasted_percent (null: not known), unknown
// (why: "locked", "never analyzed", "old" or "widths") and exact, beside the one that names the
// object.
#pragma once

#include "tools/assess.hpp"

#include <string>
#include <string_view>

namespace interlock::tools {

/// A function of the extension pgstattuple: what it is called on is its one argument.
struct BloatMeasure {
    std::string_view function; // "pgstattuple_approx"
    std::string_view wasted;   // bytes, from its row s
    std::string_view bytes;
};

/// Replaces estimates in `bloat`, and in the packet's rows `section`, by what is measured.
base::Status measure_bloat(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const BloatMeasure& measure,
    const Section& section,
    db::Table& bloat,
    Evidence& evidence
);

/// Findings, and a gap for what could not be estimated. `kind` is "table" or "index", and the
/// column that names the object is `named`.
void judge_bloat(
    const db::Table& bloat,
    std::string_view kind,
    std::string_view named,
    const std::string& meaning,
    Evidence& evidence
);

} // namespace interlock::tools
