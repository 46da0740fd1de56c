#include "server/call_guard.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/sameness.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using approval::Brake;
using approval::BrakeKind;
using approval::BrakeOrigin;
using base::Errc;

constexpr const char* program = "interlock-server";
constexpr std::size_t tool_chars_max = 64; // of a tool that may not exist

bool is_budget(const std::string& cause) {
    return cause == "calls" || cause == "result_bytes" || cause == "database_time";
}

/// Proof of the operating system is one identity, whichever way it came in.
std::string issuer_of(const telemetry::Identity& identity) {
    return identity.issuer == "os" || identity.issuer == "loopback" ? "" : identity.issuer;
}

base::Error everything_stopped(const Brake& brake) {
    return {
        Errc::suspended,
        "All calls are stopped by " + brake.who + ": " + brake.reason,
        "Stop calling and tell the person you work for. Only a person can lift this."};
}

base::Error identity_stopped(const Brake& brake) {
    const bool by_person = brake.origin == BrakeOrigin::person;
    return {
        is_budget(brake.cause) ? Errc::budget_exhausted : Errc::suspended,
        (by_person ? "This identity is suspended by " + brake.who + ": "
                   : std::string("This identity is suspended by the supervisor: ")) +
            brake.reason,
        "Stop calling and tell the person you work for what you tried. Only a person can lift this "
        "(interlock kill lift identity)."};
}

base::Error tool_stopped(const Brake& brake) {
    return {
        Errc::suspended,
        "The tool was switched off by " + brake.who + ": " + brake.reason,
        "Go on without it; tools/list shows what there is."};
}

/// For a person to read, as the call's span has them.
std::string shown_arguments(const Job& job) {
    const base::Json* arguments = base::member(*job.params, "arguments");
    if (arguments == nullptr || !arguments->is_object() || arguments->empty()) {
        return "{}";
    }
    const OfferedTool* tool =
        job.kind == JobKind::call_tool ? job.offer->tool(job.name, job.access) : nullptr;
    if (tool == nullptr || !tool->shown_arguments) {
        return R"({"[undeclared]":)" + std::to_string(arguments->size()) + "}";
    }
    return base::cut_middle(
        tool->shown_arguments(*arguments), base::limits::transcript_arguments_chars
    );
}

} // namespace

CallGuard::CallGuard(CallGuardParts parts) : parts_(parts) {
    // Series that begin at 0, so that the first of a kind is a rise that an alert sees.
    for (const char* cause : {"failures", "loop", "calls", "result_bytes", "database_time"}) {
        parts_.metrics.count(telemetry::Counter::suspensions, {cause}, 0);
    }
    parts_.metrics.set(telemetry::Gauge::supervised_identities, {}, 0);
}

bool CallGuard::records_barred() {
    const std::lock_guard lock(mutex_);
    const base::Ticks now = parts_.clock.ticks();
    if (now - minute_ >= std::chrono::minutes(1)) {
        minute_ = now;
        barred_in_minute_ = 0;
    }
    return ++barred_in_minute_ <= base::limits::barred_recorded_per_minute;
}

// --- A call --------------------------------------------------------------------------------------

CallGuard::Passage::Passage(
    CallGuard& guard, const Job& job, std::string call_id, std::function<void()> stop
)
    : guard_(guard), job_(job), call_id_(std::move(call_id)), stop_(std::move(stop)) {
    // Known first and asked afterwards: a brake that comes in between finds it.
    const std::lock_guard lock(guard_.mutex_);
    guard_.under_way_.emplace(this, &job_);
}

CallGuard::Passage::~Passage() {
    {
        const std::lock_guard lock(guard_.mutex_);
        guard_.under_way_.erase(this);
    }
    if (counted_) {
        end({.outcome = "cancelled", .seen = {}, .judged = false});
    }
}

std::optional<Barred> CallGuard::Passage::begin() {
    if (auto stopped = barred()) {
        return stopped;
    }
    const telemetry::Identity& identity = job_.access.identity;
    if (guard_.parts_.spending != nullptr) {
        guard_.parts_.spending->introduce(identity);
    }
    const auto begun =
        guard_.parts_.supervisor.begin(session_owner(identity), guard_.parts_.clock.ticks());
    if (!begun) {
        return Barred{false, begun.error()};
    }
    if (*begun) {
        guard_.suspend(identity, **begun);
        if (auto stopped = barred()) {
            return stopped;
        }
        // The brake could not be taken: refused all the same.
        return Barred{
            false,
            {base::Errc::budget_exhausted,
             (*begun)->reason,
             "Stop calling and tell the person you work for."}};
    }
    counted_ = true;
    guard_.parts_.metrics.set(
        telemetry::Gauge::supervised_identities,
        {},
        static_cast<double>(guard_.parts_.supervisor.identities())
    );
    return std::nullopt;
}

std::optional<Barred> CallGuard::Passage::barred() const {
    return why(*guard_.parts_.brakes.current(), job_);
}

void CallGuard::Passage::end(const CallResult& result) {
    if (!std::exchange(counted_, false)) {
        return;
    }
    const base::Ticks now = guard_.parts_.clock.ticks();
    const bool is_tool = job_.kind == JobKind::call_tool;
    FinishedCall call;
    call.identity = session_owner(job_.access.identity);
    // Names of resources and prompts are arguments, too; whoever does not judge pays for nothing.
    const std::string tool = is_tool ? job_.name : job_.method;
    if (guard_.judges()) {
        call.fingerprint = call_fingerprint(tool, job_.name + '\n' + job_.arguments);
        call.line.arguments = shown_arguments(job_);
        call.line.arguments_digest = text_fingerprint(job_.arguments);
        call.line.at = base::format_time(guard_.parts_.clock.now());
    }
    call.seen = result.seen;
    call.waits = result.waits;
    call.judged = result.judged;
    call.began = job_.received;
    call.database = result.database;
    call.line.call = call_id_;
    call.line.incident = job_.incident;
    call.line.tool = base::cut_middle(base::sanitize(tool), tool_chars_max);
    call.line.outcome = result.outcome;
    call.line.elapsed = std::chrono::duration_cast<base::Duration>(now - job_.received);
    call.line.result_bytes = result.bytes;
    if (const auto breach = guard_.parts_.supervisor.end(call, now)) {
        guard_.suspend(job_.access.identity, *breach);
    }
}

// --- What is in force ----------------------------------------------------------------------------

std::optional<Barred> CallGuard::why(const BrakesInForce& brakes, const Job& job) {
    if (auto stopped = why(brakes, job.access.identity)) {
        return stopped;
    }
    const Brake* brake = job.kind == JobKind::call_tool ? brakes.tool(job.name) : nullptr;
    return brake != nullptr ? std::optional(Barred{true, tool_stopped(*brake)}) : std::nullopt;
}

std::optional<Barred> CallGuard::barred(const telemetry::Identity& identity) const {
    return why(*parts_.brakes.current(), identity);
}

std::optional<Barred>
CallGuard::why(const BrakesInForce& brakes, const telemetry::Identity& identity) {
    if (const Brake* brake = brakes.all()) {
        return Barred{false, everything_stopped(*brake)};
    }
    const Brake* brake = brakes.identity(identity);
    return brake != nullptr ? std::optional(Barred{false, identity_stopped(*brake)}) : std::nullopt;
}

void CallGuard::apply(const BrakesInForce& before, const BrakesInForce& now) {
    std::vector<std::function<void()>> stops;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [passage, job] : under_way_) {
            if (why(now, *job)) {
                stops.push_back(passage->stop_);
            }
        }
    }
    for (const auto& stop : stops) {
        stop();
    }
    // Nothing is counted of who is stopped: whoever was, and is lifted, starts anew, on every
    // server that counted.
    for (const Brake& brake : before.list()) {
        if (brake.kind == BrakeKind::identity) {
            parts_.supervisor.forget(brake.issuer, brake.name);
        }
    }
}

void CallGuard::suspend(const telemetry::Identity& identity, const Breach& breach) {
    Brake brake;
    brake.kind = BrakeKind::identity;
    brake.name = identity.subject;
    brake.issuer = issuer_of(identity);
    brake.origin = BrakeOrigin::supervisor;
    brake.cause = breach.cause;
    brake.who = program;
    brake.reason = breach.reason;
    base::log_error(
        "identity.suspended",
        {{"subject", identity.subject},
         {"issuer", identity.issuer},
         {"cause", breach.cause},
         {"reason", breach.reason},
         {"then", "interlock kill list --json shows its last calls; a person lifts it"}}
    );
    parts_.metrics.count(telemetry::Counter::suspensions, {breach.cause});
    parts_.brakes.suspend(brake, render_transcript(breach.transcript));
}

} // namespace interlock::server
