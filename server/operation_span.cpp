#include "server/operation_span.hpp"

#include "base/digest.hpp"
#include "base/json_string.hpp"
#include "telemetry/redaction.hpp"

#include <cstdint>
#include <string_view>

namespace interlock::server {
namespace {

bool is_servers_own(int code) {
    return code == rpc::internal_error || (code <= -32000 && code >= -32099);
}

} // namespace

std::string identity_context(const telemetry::Identity& identity) {
    constexpr std::size_t names = 64; // and what stands between them
    std::string out;
    out.reserve(
        names + identity.subject.size() + identity.issuer.size() + identity.proof.size() +
        identity.database_role.size()
    );
    const auto member = [&out](std::string_view name, const std::string& value) {
        out.append(out.empty() ? "{" : ",").append(name);
        base::append_json_string(out, value);
    };
    member("\"subject\":", identity.subject);
    member("\"issuer\":", identity.issuer);
    member("\"proof\":", identity.proof);
    if (identity.database_role.empty()) {
        out.append(",\"database_role\":null");
    } else {
        member("\"database_role\":", identity.database_role);
    }
    return out.append("}");
}

void describe_arrival(telemetry::Span& span, const Arrival& arrival) {
    if (!span.recording()) {
        return;
    }
    if (arrival.transport == Transport::http) {
        span.set("network.transport", "tcp");
        span.set("network.protocol.name", "http");
        span.set("network.protocol.version", arrival.http_1_0 ? "1.0" : "1.1");
        if (!arrival.peer.empty()) {
            span.set("client.address", arrival.peer);
            span.set("client.port", static_cast<std::int64_t>(arrival.peer_port));
        }
    } else {
        span.set("network.transport", "pipe");
    }
    span.set("mcp.identity_context", identity_context(arrival.access.identity));
}

void describe_call(
    telemetry::Span& span, const Job& job, const std::string& call_id, std::string_view key
) {
    if (!span.recording()) {
        return;
    }
    span.set("interlock.call.id", call_id);
    if (!job.incident.empty()) {
        span.set("interlock.incident", telemetry::safe_text(job.incident));
    }
    if (job.kind == JobKind::call_tool || job.kind == JobKind::get_prompt) {
        // The text has its keys sorted, so that the same arguments have the same digest.
        span.set("mcp.payload_bytes_in", static_cast<std::int64_t>(job.arguments.size()));
        span.set("interlock.arguments.hmac", base::hex(base::hmac_sha256(key, job.arguments)));
    }
}

void describe_error(telemetry::Span& span, const RpcError& error) {
    if (!span.recording()) {
        return;
    }
    const std::string code = std::to_string(error.code);
    span.set("rpc.response.status_code", code);
    if (is_servers_own(error.code)) {
        span.fail(code, telemetry::safe_text(error.message));
    } else {
        span.set("error.type", code);
    }
}

} // namespace interlock::server
