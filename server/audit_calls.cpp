#include "server/audit_calls.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::size_t name_chars_max = 128; // of a tool that may not exist

Json identity_json(const telemetry::Identity& identity) {
    return Json{
        {"subject", identity.subject},
        {"issuer", identity.issuer},
        {"proof", identity.proof},
        {"client", identity.client},
        {"database_role", identity.database_role},
        {"claims", identity.claims}};
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

CallAudit::CallAudit(telemetry::AuditWriter& writer) : writer_(writer) {}

Recording CallAudit::begin(const Job& call, const std::string& call_id) {
    const auto arguments = base::parse_json(call.arguments);
    const Json payload{
        {"call", call_id},
        {"tool", safe_name(call.name)},
        {"arguments", arguments ? arguments.value() : Json(call.arguments)},
        {"identity", identity_json(call.access.identity)},
        {"transport", call.transport == Transport::http ? "http" : "stdio"},
        {"protocol_version", call.version},
        {"session", call.session ? call.session->id() : std::string{}},
        {"request_id", call.id},
        {"trace", telemetry::format_traceparent(call.span.context())}};
    return enqueue("tool.begin", call, base::render_json(payload));
}

Recording CallAudit::end(
    const Job& call,
    const std::string& call_id,
    const CallOutcome& outcome,
    base::Duration elapsed,
    const Recording& begun
) {
    INTERLOCK_TRY(const auto after, begun);
    Json payload{
        {"call", call_id},
        {"tool", safe_name(call.name)},
        {"outcome", outcome.outcome},
        {"elapsed_us", elapsed.count()},
        {"result_bytes", outcome.result.size()}};
    if (!outcome.result.empty()) {
        payload["result_digest"] = base::hex(base::sha256(outcome.result));
    }
    return enqueue("tool.end", call, base::render_json(payload), after);
}

Recording CallAudit::enqueue(
    const char* type,
    const Job& call,
    std::string payload,
    std::shared_ptr<telemetry::AuditTicket> after
) {
    return writer_.enqueue(
        {.type = type,
         .actor = call.access.identity.subject,
         .plan_digest = {},
         .payload = std::move(payload),
         .after = std::move(after)}
    );
}

} // namespace interlock::server
