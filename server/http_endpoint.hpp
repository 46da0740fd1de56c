// MCP over Streamable HTTP, and the endpoints of operators: POST /mcp (both eras), GET and DELETE
// /mcp (legacy sessions), GET /healthz, /readyz, /metrics, and the protected-resource metadata of
// RFC 9728. Routing and status codes only: what a message means is protocol.hpp's, who the caller
// is authorization's, sockets are base's.
#pragma once

#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "server/access.hpp"
#include "server/handler.hpp"
#include "server/sessions.hpp"
#include "telemetry/metrics.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace interlock::server {

class TurnedAway;

/// Decides from headers alone who a caller is (authorization/authorizer.hpp). Runs on the I/O
/// thread: never waits for a network or a disk.
class Gatekeeper {
public:
    virtual ~Gatekeeper() = default;
    /// The caller, or the 401 or 403 to send. Asked twice of one request: before its body is read
    /// and before it is acted on.
    virtual std::variant<Access, base::HttpResponse> admit(const base::HttpRequest& request) = 0;
    /// Who asks, when that is proven although admit() refused: no rule maps them, or no scope is
    /// theirs. The role is "" without a rule.
    virtual std::optional<telemetry::Identity> proven(const base::HttpRequest&) { return {}; }
    /// The 403 for a call that needs `scopes` (space-separated). From any thread.
    virtual base::HttpResponse insufficient_scope(const std::string& scopes, std::string body) = 0;
    /// The metadata document at a well-known path, if this is one; readable without a token.
    virtual std::optional<base::HttpResponse> metadata(const base::HttpRequest& request) = 0;
};

/// Everybody is `identity`, nothing is asked: loopback without authorization.
std::unique_ptr<Gatekeeper> open_gatekeeper(telemetry::Identity identity);

/// What the endpoint asks of the program; all outlive it.
struct HttpEndpointParts {
    MessageHandler& handler;
    Sessions& sessions;
    telemetry::Metrics& metrics;
    Gatekeeper& gatekeeper;
    std::function<std::string()> unready; // "" = ready, else why not
    /// Hosts a client may name (Host, Origin), beside the loopback names of a loopback listener;
    /// "name" or "name:port".
    std::vector<std::string> allowed_hosts = {};
    std::vector<std::string> allowed_origins = {}; // "https://app.example"; beside those hosts
    bool behind_proxy = false;                     // whose address stands for many clients
    std::optional<base::HttpTls> tls = {};
    TurnedAway* turned_away = nullptr; // told of requests without an identity; may be null
    // Shortened in tests.
    std::chrono::milliseconds keep_alive = base::limits::stream_keep_alive;
    std::chrono::milliseconds judge_interval = base::limits::stream_judged_every;
    /// A call that says nothing for so long is answered as a stream: what turns into a task has
    /// done so by then.
    std::chrono::milliseconds silence = base::limits::task_after + std::chrono::seconds(1);
};

/// permission_denied: the open gatekeeper on an address that is not loopback. invalid_input: such
/// an address without allowed_hosts.
base::Result<std::unique_ptr<base::HttpServer>>
start_http_endpoint(const std::string& address, unsigned short port, HttpEndpointParts parts);

} // namespace interlock::server
