// One job from worker to answer: recorded (tool calls), served by its handler unless it is stopped,
// recorded again, rendered, its span, metrics and line of the identity log closed.
//
// Two leaves of the audit log tell of a tool call, and nothing of it leaves before they are on
// disk: no progress, question or task before the first, no answer before both. A tool that only
// reads runs while its first leaf is on its way, so that both share one commit; one that may change
// something waits for it.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "server/audit_calls.hpp"
#include "server/call_guard.hpp"
#include "server/conversations.hpp"
#include "server/dispatch.hpp"
#include "server/handover.hpp"
#include "server/protocol.hpp"
#include "server/request_state.hpp"
#include "server/tasks.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/metrics.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace interlock::server {

struct CallParts {
    const RequestStates& states;
    Tasks& tasks;
    Questions& questions;
    telemetry::AuditWriter* audit = nullptr; // null: calls are not recorded (conformance program)
    telemetry::Metrics& metrics;
    base::Clock& clock;
    base::Random& random;
    CallGuard* guard = nullptr; // null: nobody is stopped or supervised (conformance program)
};

class CallRunner {
public:
    explicit CallRunner(CallParts parts);
    /// The JSON-RPC answer; nullopt when the client gave up and nothing may be sent. Never throws.
    /// A call that becomes a task answers through `outlet` before this returns, and then returns
    /// nullopt with `outlet` finished.
    std::optional<std::string>
    run(Job& job, CallControl& control, const std::shared_ptr<Outlet>& outlet);
    /// False after a call could not be recorded, until one can be again: the program is not ready.
    bool audit_works() const { return audit_works_.load(); }

private:
    struct Ending;
    struct Serving;

    Ending serve(Serving& serving);
    Ending call_tool(Serving& serving);
    Ending serve_job(Serving& serving);
    Ending recorded_call(Serving& serving, const Recording& begun);
    template <class Answer, class Handler>
    Ending converse(Serving& serving, const Handler& handler);
    bool recorded(const base::Status& status);
    void supervise(Serving& serving, const Ending& ending);
    void close(Job& job, const std::string& call_id, const Ending& ending);
    std::optional<std::string> deliver(const Job& job, const std::string& task, Ending ending);

    CallParts parts_;
    std::optional<CallAudit> audit_;
    std::atomic<bool> audit_works_{true};
};

} // namespace interlock::server
