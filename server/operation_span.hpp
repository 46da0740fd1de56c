// What the spans of MCP operations say, after OpenTelemetry's conventions for MCP and GenAI, and
// what those lack: who asked, how much went in and out, which arguments (as a digest; the audit log
// has them verbatim).
#pragma once

#include "server/protocol.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/span.hpp"

#include <string>
#include <string_view>

namespace interlock::server {

/// Transport and caller: network.*, client.*, mcp.identity_context.
void describe_arrival(telemetry::Span& span, const Arrival& arrival);
/// What a worker knows of its job: the call's id, its incident, and of its arguments the size and a
/// digest under `key`, so that nobody can try out what they were. (The tool shows them masked:
/// tools/run.cpp.)
void describe_call(
    telemetry::Span& span, const Job& job, const std::string& call_id, std::string_view key
);
/// error.type and rpc.response.status_code. The status is ERROR only for what a server answers for
/// itself: -32603 and -32000 to -32099; the others are the caller's mistakes.
void describe_error(telemetry::Span& span, const RpcError& error);

/// Who authorised an operation, how that was proven, and the database role it maps to (null: the
/// login's own), as a JSON object.
std::string identity_context(const telemetry::Identity& identity);

} // namespace interlock::server
