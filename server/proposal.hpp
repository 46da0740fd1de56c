// What stands between an agent's proposal and the queue: is the runbook meant for this cause, does
// the cited evidence exist, is it the caller's, is it about this target, does it say what is
// claimed. Every reason is collected, so that an agent mends all of them in one go.
#pragma once

#include "runbooks/contract.hpp"
#include "runbooks/plan.hpp"
#include "tools/tool.hpp"

#include <string>
#include <vector>

namespace interlock::server {

struct ProposedWith {
    std::string cause;
    std::string target;                // resolved name
    std::vector<std::string> evidence; // ids, as cited
};

/// Empty: nothing speaks against it.
std::vector<std::string> objections(
    tools::Context& context,
    const telemetry::Identity& identity,
    const runbooks::Contract& contract,
    const ProposedWith& proposed
);

/// Which server `target` is at this moment, through the reader lane.
base::Result<runbooks::TargetFingerprint>
read_fingerprint(tools::Context& context, const tools::Call& call, const std::string& target);

} // namespace interlock::server
