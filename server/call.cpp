#include "server/call.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/identity_log.hpp"
#include "server/offered_tools.hpp"
#include "server/operation_span.hpp"
#include "server/requests.hpp"
#include "server/results.hpp"
#include "server/sameness.hpp"
#include "tools/tool.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr const char* tool_error = "tool_error";
constexpr std::size_t shown_name_chars = 64;
constexpr std::size_t arguments_key_bytes = 32;

std::string shown(const std::string& name) {
    return base::cut_middle(base::sanitize(name), shown_name_chars);
}

ToolAnswer error_answer(const Error& error) {
    return answer_of(tools::error_output(error));
}

/// Handlers that were stopped only know that they were; the caller is told why. nullopt: it is the
/// caller's own doing, or nothing was stopped.
std::optional<Error> why_stopped(StopReason reason, bool is_task) {
    if (reason == StopReason::deadline) {
        const auto deadline =
            is_task ? base::limits::task_deadline : base::limits::tool_call_deadline;
        return Error{
            Errc::timeout,
            "The call was stopped after " + std::to_string(deadline.count()) + " seconds.",
            "Narrow it with its arguments, or call again when the target is less busy."};
    }
    if (reason == StopReason::shutdown) {
        return Error{
            Errc::cancelled,
            "The call was stopped because the server is stopping.",
            "Call again when it is back."};
    }
    return std::nullopt;
}

/// The brake that stopped a call was lifted before the call had ended.
Barred lifted_meanwhile() {
    return {
        false,
        {Errc::suspended,
         "The call was stopped by a kill switch or a suspension that is lifted by now.",
         "Call again."}};
}

/// In the order of their declaration. An RpcError names the required one that is missing.
std::variant<PromptValues, RpcError>
prompt_values(const OfferedPrompt& prompt, const std::string& arguments) {
    const auto given = base::parse_json(arguments);
    PromptValues values;
    for (const PromptArgument& argument : prompt.arguments) {
        const auto value = given ? base::string_member(given.value(), argument.name) : std::nullopt;
        if (value) {
            values.emplace_back(argument.name, *value);
        } else if (argument.required) {
            return rpc_error(
                rpc::invalid_params, "The prompt needs the argument `" + argument.name + "`."
            );
        }
    }
    return values;
}

/// What a handler of the offer says is not there, in the words of the era.
RpcError for_era(RpcError error, Era era) {
    if (error.code == resource_missing) {
        error.code = era == Era::modern ? rpc::invalid_params : rpc::resource_not_found;
    }
    return error;
}

/// Lets nothing out before the call's first leaf is on disk. The answer waits for both elsewhere.
class RecordedOutlet final : public Outlet {
public:
    RecordedOutlet(std::shared_ptr<Outlet> outlet, std::shared_ptr<const Recording> begun)
        : outlet_(std::move(outlet)), begun_(std::move(begun)) {}
    bool push(std::string message) override {
        return kept(*begun_).ok() && outlet_->push(std::move(message));
    }
    void finish(Reply reply) override { outlet_->finish(std::move(reply)); }
    void pause(std::chrono::milliseconds retry) override { outlet_->pause(retry); }
    void keep_alive() override { outlet_->keep_alive(); }

private:
    const std::shared_ptr<Outlet> outlet_;
    const std::shared_ptr<const Recording> begun_;
};

/// What a stopped call is told.
RpcError barred_error(const base::Error& error) {
    const Json data{{"error", {{"code", base::name(error.code)}}}};
    return {rpc::invalid_request, base::to_text(error), base::render_json(data)};
}

RpcError no_such_tool(const Job& job) {
    return rpc_error(
        rpc::invalid_params, "There is no tool `" + shown(job.name) + "`; see tools/list."
    );
}

/// A tool that there is not changes nothing either.
bool only_reads(const Job& job) {
    const OfferedTool* tool = job.offer->tool(job.name, job.access);
    return tool == nullptr || tool->read_only;
}

} // namespace

/// What became of a job.
struct CallRunner::Ending {
    /// A result (JSON text) or an error; nullopt: the client gave up and hears nothing more.
    std::optional<std::variant<std::string, RpcError>> said;
    std::string outcome = "ok"; // for the audit
    std::string error = {};     // error.type of span and metrics; "" = none
    std::string message = {};
    std::string seen = {};        // fingerprint of the result, for the supervisor
    base::Duration database = {}; // for the supervisor
    CallTrail trail = {};         // for the audit and the identity log
    std::string task = {};        // its id; "" = it stayed a call
    std::string rendered = {};    // what leaves, once it was asked for
    // The leaves of a call that was served; none for other jobs.
    std::shared_ptr<const Recording> begun = {};
    std::optional<Recording> ended = {};

    /// A call that may not be made, or not go on.
    static Ending barred(const Job& job, const Barred& barred) {
        if (barred.no_such_tool) {
            return refused(no_such_tool(job), "tool_killed");
        }
        return job.kind == JobKind::call_tool
                   ? of(job, error_answer(barred.error))
                   : refused(barred_error(barred.error), base::name(barred.error.code));
    }
    static Ending refused(RpcError why, std::string outcome) {
        Ending ending;
        ending.outcome = std::move(outcome);
        ending.error = std::to_string(why.code);
        ending.message = why.message;
        ending.said = std::move(why);
        return ending;
    }
    static Ending of(const Job& job, const ToolAnswer& answer) {
        Ending ending;
        ending.said = render_answer(job, answer);
        if (answer.is_error) {
            ending.outcome = answer.error_code.empty() ? tool_error : answer.error_code;
            ending.error = tool_error;
            ending.message = ending.outcome;
        }
        return ending;
    }
    static Ending failed_inside() {
        return refused(
            rpc_error(rpc::internal_error, "The call failed inside Interlock."), "internal"
        );
    }
    /// The bytes whose digest is recorded: what leaves, or what the task keeps.
    std::string_view bytes(const Job& job) {
        if (!said) {
            return {};
        }
        const auto* result = std::get_if<std::string>(&*said);
        if (result != nullptr && !task.empty()) {
            return *result;
        }
        if (rendered.empty()) {
            rendered = result != nullptr ? render_result(job.id, *result)
                                         : render_error(job.id, std::get<RpcError>(*said));
        }
        return rendered;
    }
};

/// A job while it is served.
struct CallRunner::Serving {
    Job& job;
    CallControl& control;
    std::shared_ptr<Handover> handover; // shared with the clock's action, which may come too late
    ServedConversation& conversation;
    CallGuard::Passage* passage; // null without a guard
};

CallRunner::CallRunner(CallParts parts)
    : parts_(parts), arguments_key_(parts.random.bytes(arguments_key_bytes)) {
    if (parts_.audit != nullptr) {
        audit_.emplace(*parts_.audit);
    }
}

Served CallRunner::run(Job& job, CallControl& control, const std::shared_ptr<Outlet>& outlet) {
    std::shared_ptr<Handover> handover;
    const auto ending = std::make_shared<Ending>();
    const std::string call_id = base::new_id(parts_.random, "call");
    Served served{[this, &job, call_id, ending] { return finish(job, call_id, *ending); }};
    try {
        describe_call(job.span, job, call_id, arguments_key_);
        std::shared_ptr<const Recording> begun;
        std::shared_ptr<Outlet> way = outlet;
        std::function<bool()> may_leave;
        const auto stopped =
            parts_.guard != nullptr ? parts_.guard->barred(job.access.identity) : std::nullopt;
        if (stopped && !parts_.guard->records_barred()) {
            *ending = Ending::barred(job, *stopped);
            return served;
        }
        if (job.kind == JobKind::call_tool && audit_) {
            begun = std::make_shared<const Recording>(audit_->begin(job, call_id));
            way = std::make_shared<RecordedOutlet>(outlet, begun);
            may_leave = [begun] { return kept(*begun).ok(); };
        }
        handover = std::make_shared<Handover>(job, parts_.tasks, control, outlet, may_leave);
        ConversationParts said{
            job, call_id, std::move(way), control.stop(), parts_.clock, *handover};
        const auto conversation = job.era == Era::modern
                                      ? modern_conversation(std::move(said), parts_.tasks)
                                      : legacy_conversation(std::move(said), parts_.questions);
        std::optional<CallGuard::Passage> passage;
        if (parts_.guard != nullptr) {
            passage.emplace(*parts_.guard, job, call_id, control.stopper(StopReason::braked));
        }
        Serving serving{job, control, handover, *conversation, passage ? &*passage : nullptr};
        *ending = begun ? recorded_call(serving, begun) : serve(serving);
    } catch (const std::exception& problem) {
        base::log_error("call.exception", {{"what", problem.what()}});
        *ending = Ending::failed_inside();
    }
    ending->task = handover ? handover->settle() : std::string();
    served.waits = ending->ended && under_way(*ending->ended);
    return served;
}

// --- Handlers ------------------------------------------------------------------------------------

/// Runs a handler until it has an answer, in as many rounds as a task's questions take.
template <class Answer, class Handler>
CallRunner::Ending CallRunner::converse(Serving& serving, const Handler& handler) {
    Job& job = serving.job;
    Outcome<Answer> outcome{InputRequired{}};
    try {
        do {
            outcome = handler();
        } while (std::holds_alternative<InputRequired>(outcome) && serving.conversation.next_round()
        );
    } catch (const std::exception& problem) {
        base::log_error("call.exception", {{"what", problem.what()}});
        outcome = rpc_error(rpc::internal_error, "The call failed inside Interlock.");
    }
    const bool is_task = !serving.handover->settle().empty();
    const StopReason reason = serving.control.reason();
    // What it cost the target counts, however it ended.
    base::Duration database{};
    if constexpr (requires(const Answer& answer) { answer.database; }) {
        if (const auto* answer = std::get_if<Answer>(&outcome)) {
            database = answer->database;
        }
    }
    if (reason == StopReason::cancelled || reason == StopReason::client_gone) {
        Ending ending;
        ending.outcome = "cancelled";
        ending.database = database;
        return ending;
    }
    if (reason == StopReason::braked && serving.passage != nullptr) {
        // Whatever it found at the last moment stays here.
        const auto barred = serving.passage->barred();
        Ending ending = Ending::barred(job, barred ? *barred : lifted_meanwhile());
        ending.database = database;
        return ending;
    }
    if (const auto* answer = std::get_if<Answer>(&outcome)) {
        Ending ending;
        if constexpr (std::is_same_v<Answer, ToolAnswer>) {
            const auto why = answer->is_error ? why_stopped(reason, is_task) : std::nullopt;
            ending = Ending::of(job, why ? error_answer(*why) : *answer);
            ending.database = database;
            ending.trail = answer->trail;
            if (parts_.guard != nullptr && parts_.guard->judges()) {
                ending.seen = result_fingerprint(*answer);
            }
            return ending;
        }
        ending.said = render_answer(job, *answer);
        ending.database = database;
        return ending;
    }
    const auto why = why_stopped(reason, is_task);
    if (why && job.kind == JobKind::call_tool) {
        return Ending::of(job, error_answer(*why));
    }
    if (why) {
        return Ending::refused(
            rpc_error(rpc::internal_error, base::to_text(*why)), base::name(why->code)
        );
    }
    if (const auto* error = std::get_if<RpcError>(&outcome)) {
        const bool internal = error->code == rpc::internal_error;
        return Ending::refused(for_era(*error, job.era), internal ? "internal" : "refused");
    }
    if (is_task && !serving.conversation.pending().empty()) {
        return Ending::of(
            job,
            error_answer(
                {Errc::timeout,
                 "The call needed answers that did not come in time.",
                 "Call again and answer what the task asks."}
            )
        );
    }
    auto required = render_input_required(job, serving.conversation, parts_.states);
    if (is_task || !required) {
        base::log_error("call.nothing_required", {{"method", job.method}});
        return Ending::refused(
            rpc_error(rpc::internal_error, "The call failed inside Interlock."), "internal"
        );
    }
    return {.said = std::move(*required), .outcome = "input_required"};
}

CallRunner::Ending CallRunner::call_tool(Serving& serving) {
    Job& job = serving.job;
    const OfferedTool* tool = job.offer->tool(job.name, job.access);
    if (tool == nullptr) {
        return Ending::refused(no_such_tool(job), "unknown_tool");
    }
    parts_.metrics.observe(
        telemetry::Histogram::payload_bytes,
        {tool->name, "in"},
        static_cast<double>(job.arguments.size())
    );
    const bool wanted = tool->tasks == TaskSupport::always || tool->tasks == TaskSupport::required;
    if (wanted && !serving.handover->move() && tool->tasks == TaskSupport::required) {
        return Ending::refused(
            rpc_error(
                rpc::internal_error,
                job.client.tasks ? "There are too many tasks; try again later."
                                 : "This tool runs as a task only."
            ),
            "busy"
        );
    }
    if (tool->tasks == TaskSupport::when_slow && job.era == Era::modern && job.client.tasks) {
        serving.control.when_slow(base::limits::task_after, [handover = serving.handover] {
            handover->move();
        });
    }
    const Json* given = base::member(*job.params, "arguments");
    const Json none = Json::object();
    const Json& arguments = given != nullptr && given->is_object() ? *given : none;
    return converse<ToolAnswer>(serving, [&] {
        return tool->run(serving.conversation, arguments);
    });
}

CallRunner::Ending CallRunner::serve(Serving& serving) {
    if (serving.passage == nullptr) {
        return serve_job(serving);
    }
    if (const auto barred = serving.passage->begin()) {
        return Ending::barred(serving.job, *barred);
    }
    Ending ending = serve_job(serving);
    supervise(serving, ending);
    return ending;
}

/// Completions and prompts come from people who type: what they cost counts, not what they repeat.
void CallRunner::supervise(Serving& serving, const Ending& ending) {
    const Job& job = serving.job;
    const OfferedTool* tool =
        job.kind == JobKind::call_tool ? job.offer->tool(job.name, job.access) : nullptr;
    CallResult result;
    result.outcome = ending.outcome;
    result.seen = ending.seen;
    result.waits = tool != nullptr && tool->waits;
    result.judged = job.kind == JobKind::call_tool || job.kind == JobKind::read_resource;
    result.database = ending.database;
    if (ending.said && std::holds_alternative<std::string>(*ending.said)) {
        const auto& said = std::get<std::string>(*ending.said);
        result.bytes = said.size();
        if (job.kind == JobKind::read_resource && parts_.guard->judges()) {
            result.seen = text_fingerprint(said);
        }
    }
    serving.passage->end(result);
}

CallRunner::Ending CallRunner::serve_job(Serving& serving) {
    Job& job = serving.job;
    const Offer& offer = job.offer->offer();
    switch (job.kind) {
    case JobKind::call_tool:
        return call_tool(serving);
    case JobKind::read_resource:
        return converse<ResourceAnswer>(serving, [&]() -> Outcome<ResourceAnswer> {
            if (!offer.read) {
                return resource_not_found(job.name);
            }
            return offer.read(serving.conversation, job.name);
        });
    case JobKind::get_prompt: {
        const OfferedPrompt* prompt = job.offer->prompt(job.name);
        return converse<PromptAnswer>(serving, [&]() -> Outcome<PromptAnswer> {
            if (prompt == nullptr) {
                return rpc_error(
                    rpc::invalid_params,
                    "There is no prompt `" + shown(job.name) + "`; see prompts/list."
                );
            }
            auto values = prompt_values(*prompt, job.arguments);
            if (auto* missing = std::get_if<RpcError>(&values)) {
                return std::move(*missing);
            }
            return prompt->run(serving.conversation, std::get<PromptValues>(values));
        });
    }
    case JobKind::complete:
        break;
    }
    return converse<Completion>(serving, [&]() -> Outcome<Completion> {
        auto request = read_completion(*job.params);
        if (auto* malformed = std::get_if<RpcError>(&request)) {
            return std::move(*malformed);
        }
        if (!offer.complete) {
            return Completion{};
        }
        return offer.complete(serving.conversation, std::get<CompletionRequest>(request));
    });
}

// --- The record ----------------------------------------------------------------------------------

CallRunner::Ending
CallRunner::recorded_call(Serving& serving, const std::shared_ptr<const Recording>& begun) {
    Job& job = serving.job;
    const std::string& call_id = serving.conversation.call_id();
    if (!*begun || !only_reads(job)) {
        if (const auto status = kept(*begun); !recorded(status)) {
            return Ending::of(
                job,
                error_answer(
                    {Errc::io,
                     "The call was not made, because the audit log cannot be written: " +
                         status.error().what,
                     "Ask the operator to mend the state directory; then call again."}
                )
            );
        }
    }
    Ending ending = serve(serving);
    ending.task = serving.handover->settle();
    const CallOutcome outcome{ending.outcome, ending.bytes(job), ending.trail};
    const auto took =
        std::chrono::duration_cast<base::Duration>(parts_.clock.ticks() - job.received);
    ending.begun = begun;
    ending.ended = audit_->end(job, call_id, outcome, took, *begun);
    return ending;
}

/// Waits until both leaves are on disk; nothing of the call leaves when one of them cannot be.
void CallRunner::withhold_unrecorded(const Job& job, Ending& ending) {
    // Leaves are written in their order: who waits for the second first waits but once.
    base::Status status = kept(*ending.ended);
    if (status) {
        status = kept(*ending.begun);
    }
    if (recorded(status) || !ending.said) {
        return;
    }
    Ending withheld = Ending::of(
        job,
        error_answer(
            {Errc::io,
             "The call ran, but its result is withheld, because the audit log cannot be written: " +
                 status.error().what,
             "Ask the operator to mend the state directory; a plan that was proposed may exist."}
        )
    );
    withheld.task = std::move(ending.task);
    ending = std::move(withheld);
}

bool CallRunner::recorded(const base::Status& status) {
    const bool works = status.ok();
    if (!works) {
        parts_.metrics.count(telemetry::Counter::audit_failures, {});
        base::log_error("audit.append_failed", {{"what", base::to_text(status.error())}});
    }
    audit_works_.store(works);
    return works;
}

void CallRunner::close(Job& job, const std::string& call_id, const Ending& ending) {
    log_identity(
        {.call = call_id,
         .method = job.method,
         .name = job.name,
         .transport = job.transport == Transport::http ? "http" : "stdio",
         .outcome = ending.outcome,
         .database_roles = ending.trail.database_roles,
         .incident = job.incident},
        job.access.identity
    );
    const auto* refusal = ending.said ? std::get_if<RpcError>(&*ending.said) : nullptr;
    if (refusal != nullptr) {
        parts_.metrics.count(telemetry::Counter::protocol_errors, {ending.error});
        describe_error(job.span, *refusal);
    } else if (!ending.error.empty()) {
        job.span.fail(ending.error, ending.message);
    }
    if (const auto* result = ending.said ? std::get_if<std::string>(&*ending.said) : nullptr) {
        job.span.set("mcp.payload_bytes", static_cast<std::int64_t>(result->size()));
    }
    job.span.end();
    const bool ours =
        job.kind == JobKind::call_tool && job.offer->tool(job.name, job.access) != nullptr;
    const std::chrono::duration<double> took = parts_.clock.ticks() - job.received;
    parts_.metrics.observe(
        telemetry::Histogram::operation_seconds,
        {std::string(method_label(job.method)), ours ? job.name : "", ending.error},
        took.count()
    );
}

/// All that is left once the handler has ended, on whichever thread.
std::optional<std::string>
CallRunner::finish(Job& job, const std::string& call_id, Ending& ending) {
    try {
        if (ending.ended) {
            withhold_unrecorded(job, ending);
        }
    } catch (const std::exception& problem) {
        base::log_error("call.exception", {{"what", problem.what()}});
        std::string task = std::move(ending.task);
        ending = Ending::failed_inside();
        ending.task = std::move(task);
    }
    close(job, call_id, ending);
    return deliver(job, ending);
}

std::optional<std::string> CallRunner::deliver(const Job& job, Ending& ending) {
    if (!ending.said) {
        return std::nullopt; // of a task tasks/cancel has said what became of it
    }
    if (ending.task.empty()) {
        ending.bytes(job);
        return std::move(ending.rendered);
    }
    if (const auto* error = std::get_if<RpcError>(&*ending.said)) {
        parts_.tasks.fail(ending.task, *error);
    } else {
        parts_.tasks.complete(ending.task, std::get<std::string>(std::move(*ending.said)));
    }
    return std::nullopt;
}

} // namespace interlock::server
