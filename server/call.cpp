#include "server/call.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "tools/run.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr const char* tool_error = "tool_error";

/// The stable code of an error output.
std::string error_code(const tools::Output& output) {
    const auto structured = base::parse_json(output.structured, output.structured.size());
    const Json* error = structured ? base::member(structured.value(), "error") : nullptr;
    return error != nullptr ? base::string_member(*error, "code").value_or(tool_error) : tool_error;
}

base::Duration since(const base::Clock& clock, base::Ticks then) {
    return std::chrono::duration_cast<base::Duration>(clock.ticks() - then);
}

std::string unknown_tool(const ToolCall& call) {
    const std::string shown = base::cut_middle(base::sanitize(call.name), 64);
    return render_error(
        call.id, {rpc::invalid_params, "There is no tool `" + shown + "`; see tools/list.", {}}
    );
}

/// A tool that was stopped only knows that it was; the caller is told why.
void explain_stop(tools::Output& output, StopReason reason) {
    if (reason == StopReason::deadline) {
        output = tools::error_output(
            {Errc::timeout,
             "The call was stopped after " +
                 std::to_string(base::limits::tool_call_deadline.count()) + " seconds.",
             "Narrow it with its arguments, or call again when the target is less busy."}
        );
    } else if (reason == StopReason::shutdown) {
        output = tools::error_output(
            {Errc::cancelled,
             "The call was stopped because the server is stopping.",
             "Call again when it is back."}
        );
    }
}

} // namespace

/// What became of a call. No `answer`: the client gave up and hears nothing more.
struct CallRunner::Finished {
    std::optional<std::string> answer;
    std::string outcome = "ok";
    std::string error; // error.type of span and metrics; "" = none
    std::string message = {};
};

CallRunner::CallRunner(tools::Context& context, const ToolBox& tools, telemetry::AuditWriter& audit)
    : context_(context), tools_(tools), audit_(audit) {}

std::optional<std::string> CallRunner::run(ToolCall& call, const CallControl& control) {
    Finished finished;
    try {
        const std::string call_id = base::new_id(context_.random, "call");
        call.span.set("interlock.call.id", call_id);
        if (const auto begun = audit_.begin(call, call_id); !recorded(begun)) {
            const Error refusal{
                Errc::io,
                "The call was not made, because the audit log cannot be written: " +
                    begun.error().what,
                "Ask the operator to mend the state directory; then call again."};
            finished.answer =
                render_result(call.id, call_result(tools::error_output(refusal), call.era));
            finished.error = tool_error;
        } else {
            finished = execute(call, control, call_id);
        }
    } catch (const std::exception& problem) {
        base::log_error("call.exception", {{"what", problem.what()}});
        finished = {
            render_error(call.id, {rpc::internal_error, "The call failed inside Interlock.", {}}),
            "internal",
            std::to_string(rpc::internal_error)};
    }
    close(call, finished);
    return std::move(finished.answer);
}

CallRunner::Finished
CallRunner::execute(ToolCall& call, const CallControl& control, const std::string& call_id) {
    Finished finished;
    const tools::Tool* tool = tools_.find(call.name);
    if (tool == nullptr) {
        finished.answer = unknown_tool(call);
        finished.outcome = "unknown_tool";
        finished.error = std::to_string(rpc::invalid_params);
    } else {
        const std::string name(tool->name);
        context_.metrics.observe(
            telemetry::Histogram::payload_bytes,
            {name, "in"},
            static_cast<double>(call.arguments.size())
        );
        const auto arguments = base::parse_json(call.arguments);
        tools::Output output = tools::run_tool(
            context_,
            *tool,
            arguments ? arguments.value() : Json::object(),
            {.identity = call.identity,
             .stop = control.stop(),
             .parent = call.span.context(),
             .id = call_id}
        );
        const StopReason reason = control.reason();
        if (output.is_error) {
            explain_stop(output, reason);
        }
        if (output.is_error) {
            finished.outcome = error_code(output);
            finished.error = tool_error;
            finished.message = output.text;
        }
        finished.answer = render_result(call.id, call_result(output, call.era));
        if (reason == StopReason::cancelled || reason == StopReason::client_gone) {
            finished.answer.reset();
            finished.outcome = "cancelled";
        }
    }
    const CallOutcome outcome{finished.outcome, finished.answer.value_or("")};
    const auto ended = audit_.end(call, call_id, outcome, since(context_.clock, call.received));
    if (!recorded(ended) && finished.answer) {
        const Error withheld{
            Errc::io,
            "The call ran, but its result is withheld, because the audit log cannot be written: " +
                ended.error().what,
            "Ask the operator to mend the state directory; a plan that was proposed may exist."};
        finished.answer =
            render_result(call.id, call_result(tools::error_output(withheld), call.era));
        finished.error = tool_error;
    }
    return finished;
}

bool CallRunner::recorded(const base::Status& status) {
    const bool works = status.ok();
    if (!works) {
        context_.metrics.count(telemetry::Counter::audit_failures, {});
        base::log_error("audit.append_failed", {{"what", base::to_text(status.error())}});
    }
    audit_works_.store(works);
    return works;
}

void CallRunner::close(ToolCall& call, const Finished& finished) {
    if (!finished.error.empty()) {
        call.span.fail(finished.error, finished.message);
    }
    call.span.end();
    const tools::Tool* tool = tools_.find(call.name);
    const std::string name(tool != nullptr ? tool->name : "");
    const std::chrono::duration<double> took = context_.clock.ticks() - call.received;
    context_.metrics.observe(
        telemetry::Histogram::operation_seconds, {"tools/call", name, finished.error}, took.count()
    );
}

} // namespace interlock::server
