#include "server/audit_calls.hpp"

#include "base/digest.hpp"
#include "base/json_object.hpp"
#include "base/json_string.hpp"
#include "base/text.hpp"

namespace interlock::server {
namespace {

constexpr std::size_t name_chars_max = 128; // of a tool that may not exist

std::string identity_json(const telemetry::Identity& identity) {
    std::string claims = "{";
    for (const auto& [name, value] : identity.claims) {
        claims += claims.size() == 1 ? "" : ",";
        base::append_json_string(claims, name);
        claims += ':';
        base::append_json_string(claims, value);
    }
    return base::JsonObject()
        .json("claims", claims + "}")
        .text("client", identity.client)
        .text("database_role", identity.database_role)
        .text("issuer", identity.issuer)
        .text("proof", identity.proof)
        .text("subject", identity.subject)
        .take();
}

std::string safe_name(const std::string& name) {
    return base::cut_middle(base::sanitize(name), name_chars_max);
}

} // namespace

base::Status kept(const Recording& recording) {
    INTERLOCK_TRY(const auto ticket, recording);
    INTERLOCK_TRY([[maybe_unused]] const auto index, ticket->wait());
    return base::done;
}

bool under_way(const Recording& recording) {
    return recording && !recording.value()->known();
}

CallAudit::CallAudit(telemetry::AuditWriter& writer) : writer_(writer) {}

Recording CallAudit::begin(const Job& call, const std::string& call_id) {
    base::JsonObject payload;
    payload.json("arguments", call.arguments)
        .text("call", call_id)
        .json("identity", identity_json(call.access.identity));
    if (!call.incident.empty()) {
        payload.text("incident", call.incident);
    }
    payload.text("protocol_version", call.version)
        .text("request_id", call.id)
        .text("session", call.session ? call.session->id() : std::string{})
        .text("tool", safe_name(call.name))
        .text("trace", telemetry::format_traceparent(call.span.context()))
        .text("transport", call.transport == Transport::http ? "http" : "stdio");
    return enqueue("tool.begin", call, payload.take());
}

Recording CallAudit::end(
    const Job& call,
    const std::string& call_id,
    const CallOutcome& outcome,
    base::Duration elapsed,
    const Recording& begun
) {
    INTERLOCK_TRY(const auto after, begun);
    base::JsonObject payload;
    payload.text("call", call_id);
    if (!outcome.trail.database_roles.empty()) {
        payload.text("database_role", outcome.trail.database_roles);
    }
    payload.number("elapsed_us", elapsed.count());
    if (!outcome.trail.evidence_id.empty()) {
        payload.text("evidence", outcome.trail.evidence_id)
            .text("evidence_digest", outcome.trail.evidence_digest);
    }
    if (!call.incident.empty()) {
        payload.text("incident", call.incident);
    }
    payload.text("outcome", outcome.outcome)
        .number("result_bytes", static_cast<long long>(outcome.result.size()));
    if (!outcome.result.empty()) {
        payload.text("result_digest", base::hex(base::sha256(outcome.result)));
    }
    payload.text("tool", safe_name(call.name));
    return enqueue("tool.end", call, payload.take(), after);
}

Recording CallAudit::enqueue(
    const char* type,
    const Job& call,
    std::string payload,
    std::shared_ptr<telemetry::AuditTicket> after
) {
    const bool is_end = after != nullptr;
    return writer_.enqueue(
        {.type = type,
         .actor = call.access.identity.subject,
         .plan_digest = {},
         .payload = std::move(payload),
         .after = std::move(after),
         .awaited = is_end}
    );
}

} // namespace interlock::server
