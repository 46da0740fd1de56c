// MCP over Streamable HTTP, and the endpoints of operators: POST /mcp (both eras), DELETE /mcp
// (legacy sessions), GET /healthz, /readyz, /metrics. Routing and status codes only: what a message
// means is protocol.hpp's, sockets are base's.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"
#include "server/handler.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <string>

namespace interlock::server {

/// What the endpoint asks of the program.
struct HttpEndpointParts {
    MessageHandler& handler;
    Protocol& protocol;
    telemetry::Metrics& metrics;
    telemetry::Identity identity;         // of every caller, until requests carry their own
    std::function<std::string()> unready; // "" = ready, else why not
};

/// `address` must be loopback: without authorization any other listener would be open to everybody
/// (refused with permission_denied).
base::Result<std::unique_ptr<base::HttpServer>>
start_http_endpoint(const std::string& address, unsigned short port, HttpEndpointParts parts);

/// Why a listener on `address` is refused.
base::Error not_loopback(const std::string& address);

/// The protocol's view of a request's headers.
RequestHeaders request_headers(const base::HttpRequest& request);
/// The HTTP form of a reply; as server-sent events only for a client that takes nothing else.
base::HttpResponse http_response(const Reply& reply, const base::HttpRequest& request);

} // namespace interlock::server
