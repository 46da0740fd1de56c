// Every tool call in the audit log: one leaf for its begin, one for its end. Nothing of a call
// leaves before the leaves that tell of it are on disk: a result that cannot be recorded is not
// given, and a call that changes something does not happen before its begin is kept.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "server/offer.hpp"
#include "server/protocol.hpp"
#include "telemetry/audit_log.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace interlock::server {

/// How a call ended, for its second leaf.
struct CallOutcome {
    std::string outcome;     // "ok", "cancelled", or the error's stable code
    std::string_view result; // the bytes whose digest is recorded; "" = nothing left
    CallTrail trail = {};
};

/// A leaf on its way to the disk, or why it could not be sent there.
using Recording = base::Result<std::shared_ptr<telemetry::AuditTicket>>;
/// Waits until it is on disk. Thread-safe.
base::Status kept(const Recording& recording);
/// Whether kept() would wait.
bool under_way(const Recording& recording);

class CallAudit {
public:
    explicit CallAudit(telemetry::AuditWriter& writer);
    /// tool.begin: who, from where, about which incident, which tool, the arguments as they came.
    Recording begin(const Job& call, const std::string& call_id);
    /// tool.end: outcome, size and digest of the message that leaves, time taken, the roles that
    /// targets were read with, and which evidence was kept. Lost when `begun` is. To be waited for.
    Recording
    end(const Job& call,
        const std::string& call_id,
        const CallOutcome& outcome,
        base::Duration elapsed,
        const Recording& begun);

private:
    Recording enqueue(
        const char* type,
        const Job& call,
        std::string payload,
        std::shared_ptr<telemetry::AuditTicket> after = {}
    );

    telemetry::AuditWriter& writer_;
};

} // namespace interlock::server
