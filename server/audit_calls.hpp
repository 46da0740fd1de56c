// Every tool call in the audit log: one leaf before any work, one before its result leaves. A call
// that cannot be recorded does not happen; a result that cannot be recorded is not given.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "server/protocol.hpp"
#include "telemetry/audit_log.hpp"

#include <cstdint>
#include <string>

namespace interlock::server {

/// How a call ended, for its second leaf.
struct CallOutcome {
    std::string outcome; // "ok", "cancelled", or the error's stable code
    std::string result;  // the bytes whose digest is recorded; "" = nothing left
};

class CallAudit {
public:
    explicit CallAudit(telemetry::AuditWriter& writer);
    /// tool.begin: who, from where, which tool, the arguments as they came.
    base::Status begin(const Job& call, const std::string& call_id);
    /// tool.end: outcome, size and digest of the result, time taken.
    base::Status
    end(const Job& call,
        const std::string& call_id,
        const CallOutcome& outcome,
        base::Duration elapsed);

private:
    base::Status append(const char* type, const Job& call, std::string payload);

    telemetry::AuditWriter& writer_;
};

} // namespace interlock::server
