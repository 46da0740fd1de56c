#include "cli/audit_asking.hpp"

#include "cli/audit_incident.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// "00-<trace id>-<span id>-<flags>"
std::string trace_id(const std::string& traceparent) {
    return traceparent.size() == 55 ? traceparent.substr(3, 32) : "";
}

std::string text(const base::Json& object, const char* name) {
    return base::string_member(object, name).value_or("");
}

std::optional<AskingCall> read_call(
    std::uint64_t index,
    const std::string& time,
    const std::string& actor,
    const base::Json& payload
) {
    AskingCall call;
    call.call = text(payload, "call");
    if (call.call.empty())
        return std::nullopt;
    call.begin = index;
    call.at = time;
    call.subject = actor;
    call.tool = text(payload, "tool");
    call.transport = text(payload, "transport");
    call.trace = text(payload, "trace");
    if (const auto* identity = base::member(payload, "identity")) {
        call.issuer = text(*identity, "issuer");
        call.proof = text(*identity, "proof");
        call.client = text(*identity, "client");
        call.database_role = text(*identity, "database_role");
        if (const auto* claims = base::member(*identity, "claims"))
            call.claims = base::render_json(*claims);
    }
    call.incident = incident_of(payload);
    return call;
}

bool may_have_asked(const AskingCall& call, const Submitted& submitted) {
    return call.subject == submitted.requester && call.tool == "propose_plan" &&
           call.begin < submitted.index && (!call.end || *call.end > submitted.index);
}

} // namespace

void AskingCalls::take(
    std::uint64_t index,
    const std::string& time,
    const std::string& type,
    const std::string& actor,
    const base::Json& payload
) {
    if (type == "tool.begin") {
        auto call = read_call(index, time, actor, payload);
        if (!call || !by_id_.emplace(call->call, calls_.size()).second)
            return;
        by_trace_.emplace(trace_id(call->trace), calls_.size());
        calls_.push_back(std::move(*call));
        return;
    }
    const auto begun = by_id_.find(text(payload, "call"));
    if (type != "tool.end" || begun == by_id_.end() || calls_[begun->second].end)
        return;
    calls_[begun->second].end = index;
    calls_[begun->second].outcome = text(payload, "outcome");
}

const AskingCall* AskingCalls::that_asked(const Submitted& submitted) const {
    const auto trace = trace_id(submitted.trace_parent);
    const AskingCall* found = nullptr;
    const auto [first, last] = by_trace_.equal_range(trace);
    for (auto at = first; at != last && !trace.empty(); ++at) {
        const auto& call = calls_[at->second];
        if (!may_have_asked(call, submitted))
            continue;
        if (call.trace == submitted.trace_parent)
            return &call;
        if (found == nullptr || call.begin > found->begin)
            found = &call;
    }
    return found;
}

} // namespace interlock::cli
