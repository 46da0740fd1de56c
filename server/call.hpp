// One job from worker to answer: recorded (tool calls), served by its handler unless it is stopped,
// rendered, recorded again, its span, metrics and line of the identity log closed. The worker is
// done when the second record is on its way; who waits for it is somebody else.
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
#include <functional>
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

/// A job that its handler has served.
struct Served {
    /// The JSON-RPC answer; nullopt when the client gave up and nothing may be sent, and for a
    /// task. To be called once, by any thread; the job and the runner are used until it returns.
    /// Never throws.
    std::function<std::optional<std::string>()> answer;
    /// Whether it would wait for the audit log.
    bool waits = false;
};

class CallRunner {
public:
    explicit CallRunner(CallParts parts);
    /// Never throws. A call that becomes a task answers through `outlet` before this returns.
    Served run(Job& job, CallControl& control, const std::shared_ptr<Outlet>& outlet);
    /// False after a call could not be recorded, until one can be again: the program is not ready.
    bool audit_works() const { return audit_works_.load(); }

private:
    struct Ending;
    struct Serving;

    Ending serve(Serving& serving);
    Ending call_tool(Serving& serving);
    Ending serve_job(Serving& serving);
    Ending recorded_call(Serving& serving, const std::shared_ptr<const Recording>& begun);
    template <class Answer, class Handler>
    Ending converse(Serving& serving, const Handler& handler);
    bool recorded(const base::Status& status);
    void supervise(Serving& serving, const Ending& ending);
    void withhold_unrecorded(const Job& job, Ending& ending);
    std::optional<std::string> finish(Job& job, const std::string& call_id, Ending& ending);
    void close(Job& job, const std::string& call_id, const Ending& ending);
    std::optional<std::string> deliver(const Job& job, Ending& ending);

    CallParts parts_;
    std::string arguments_key_; // of this process: of digests that spans have of arguments
    std::optional<CallAudit> audit_;
    std::atomic<bool> audit_works_{true};
};

} // namespace interlock::server
