// The only way a tool runs: validate the arguments, run, check the answer against the tool's own
// output schema (in the program a sample of them: AnswerChecks), count and time it. Never throws;
// whatever happens is an Output.
#pragma once

#include "base/json.hpp"
#include "tools/tool.hpp"

#include <optional>
#include <stop_token>
#include <string>

namespace interlock::tools {

struct CallRequest {
    const telemetry::Identity& identity;
    std::stop_token stop;
    /// Of the operation that the call serves: what the tool tells becomes its attributes and
    /// children. Null: the call has a span of its own.
    telemetry::Span* span = nullptr;
    std::string id; // call id, also in the audit
    Progress progress = {};
    CallCost* cost = nullptr;
};

Output run_tool(
    Context& context, const Tool& tool, const base::Json& arguments, const CallRequest& request
);

/// Names the packet, stores it whole and renders it cut. A whole that could not be kept is told in
/// not_examined; the answer is given all the same.
Output publish(Context& context, const Call& call, Evidence evidence);

/// Keeps `whole` for the caller, under the id that follows from it (evidence_id()): that takes the
/// place of `evidence.id`, which stood for it in `whole` and `output`. Empty: kept; else why not.
std::string keep_whole(
    Context& context, const Call& call, Evidence& evidence, std::string& whole, Output& output
);

} // namespace interlock::tools
