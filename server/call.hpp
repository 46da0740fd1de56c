// One tools/call from worker to answer: recorded, run through the tools' own pipeline, recorded
// again, rendered, its span and metrics closed.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "server/audit_calls.hpp"
#include "server/dispatch.hpp"
#include "server/mcp_tools.hpp"
#include "server/protocol.hpp"
#include "tools/tool.hpp"

#include <atomic>
#include <optional>
#include <string>

namespace interlock::server {

class CallRunner {
public:
    CallRunner(tools::Context& context, const ToolBox& tools, telemetry::AuditWriter& audit);
    /// The JSON-RPC answer; nullopt when the client gave up and nothing may be sent. Never throws.
    std::optional<std::string> run(ToolCall& call, const CallControl& control);
    /// False after a call could not be recorded, until one can be again: the program is not ready.
    bool audit_works() const { return audit_works_.load(); }

private:
    struct Finished;
    Finished execute(ToolCall& call, const CallControl& control, const std::string& call_id);
    bool recorded(const base::Status& status);
    void close(ToolCall& call, const Finished& finished);

    tools::Context& context_;
    const ToolBox& tools_;
    CallAudit audit_;
    std::atomic<bool> audit_works_{true};
};

} // namespace interlock::server
