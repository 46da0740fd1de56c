#include "server/http_endpoint.hpp"

#include "base/text.hpp"

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

using base::HttpExchange;
using base::HttpRequest;
using base::HttpResponse;

constexpr const char* json_type = "application/json";
constexpr const char* event_stream_type = "text/event-stream";
const std::vector<std::string> loopback_hosts{"127.0.0.1", "localhost", "[::1]"};

HttpResponse plain(unsigned status, std::string text) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text) + "\n"};
}

HttpResponse method_not_allowed(std::string allow) {
    HttpResponse response = plain(405, "This path takes only " + allow + ".");
    response.headers.emplace_back("Allow", std::move(allow));
    return response;
}

/// JSON-RPC without an id: what is wrong lies outside any message.
HttpResponse rpc_refusal(unsigned status, std::string message) {
    return {
        status,
        {{"Content-Type", json_type}},
        render_error({}, {rpc::invalid_request, std::move(message), {}})};
}

HeaderValue header_value(const HttpRequest& request, std::string_view name) {
    HeaderValue value;
    const std::string wanted = base::lower_ascii(name);
    for (const auto& [key, text] : request.headers) {
        if (base::lower_ascii(key) == wanted && value.count++ == 0) {
            value.value = base::trim(text);
        }
    }
    return value;
}

bool is_json(const HttpRequest& request) {
    const auto type = request.header("Content-Type");
    const std::string_view essence =
        type ? std::string_view(*type).substr(0, type->find(';')) : std::string_view{};
    return base::lower_ascii(base::trim(essence)) == json_type;
}

/// Looks at headers before any body is read.
std::optional<HttpResponse> gate(const HttpRequest& request, unsigned short port) {
    if (auto refusal = base::refuse_foreign_host(request, loopback_hosts, port)) {
        return refusal;
    }
    if (request.path == "/mcp" && request.method == "POST" && !is_json(request)) {
        return rpc_refusal(415, "POST /mcp takes Content-Type: application/json.");
    }
    return std::nullopt;
}

bool takes_only_events(const HttpRequest& request) {
    std::string accepted;
    for (const auto& [key, text] : request.headers) {
        if (base::lower_ascii(key) == "accept") {
            accepted += base::lower_ascii(text) + ",";
        }
    }
    const auto names = [&](const char* type) { return accepted.find(type) != std::string::npos; };
    return names(event_stream_type) && !names(json_type) && !names("*/*") &&
           !names("application/*");
}

bool names_modern_version(const HttpRequest& request) {
    const HeaderValue version = header_value(request, "MCP-Protocol-Version");
    return version.value >= modern_version && !is_legacy_version(version.value);
}

/// Routes requests; lives as long as the server that calls it.
class Endpoint {
public:
    explicit Endpoint(HttpEndpointParts parts) : parts_(std::move(parts)) {}

    void take(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpRequest& request = exchange->request();
        if (request.path == "/mcp") {
            take_mcp(exchange);
        } else if (const auto page = operator_page(request)) {
            exchange->respond(*page);
        } else {
            exchange->respond(plain(404, "There is nothing here; MCP is at /mcp."));
        }
    }

private:
    void take_mcp(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpRequest& request = exchange->request();
        if (request.method == "POST") {
            const Arrival arrival{
                Transport::http, parts_.identity, request_headers(request), nullptr};
            parts_.handler.handle(request.body, arrival, exchange->gone(), [exchange](Reply reply) {
                exchange->respond(http_response(reply, exchange->request()));
            });
        } else if (request.method == "DELETE" && !names_modern_version(request)) {
            exchange->respond(end_session(request));
        } else {
            const bool modern = names_modern_version(request);
            exchange->respond(method_not_allowed(modern ? "POST" : "POST, DELETE"));
        }
    }

    HttpResponse end_session(const HttpRequest& request) {
        const HeaderValue session = header_value(request, "Mcp-Session-Id");
        if (session.count != 1) {
            return rpc_refusal(400, "Exactly one Mcp-Session-Id header is required.");
        }
        if (!parts_.protocol.end_session(session.value, parts_.identity.subject)) {
            return rpc_refusal(404, "There is no such session.");
        }
        return {204, {}, {}};
    }

    std::optional<HttpResponse> operator_page(const HttpRequest& request) {
        const bool known =
            request.path == "/healthz" || request.path == "/readyz" || request.path == "/metrics";
        if (!known) {
            return std::nullopt;
        }
        if (request.method != "GET") {
            return method_not_allowed("GET");
        }
        if (request.path == "/healthz") {
            return plain(200, "ok");
        }
        if (request.path == "/readyz") {
            const std::string why_not = parts_.unready();
            return why_not.empty() ? plain(200, "ready") : plain(503, why_not);
        }
        return HttpResponse{
            200, {{"Content-Type", "text/plain; version=0.0.4"}}, parts_.metrics.render()};
    }

    HttpEndpointParts parts_;
};

} // namespace

RequestHeaders request_headers(const HttpRequest& request) {
    return RequestHeaders{
        header_value(request, "MCP-Protocol-Version"),
        header_value(request, "Mcp-Method"),
        header_value(request, "Mcp-Name"),
        header_value(request, "Mcp-Session-Id")};
}

HttpResponse http_response(const Reply& reply, const HttpRequest& request) {
    HttpResponse response;
    response.status = reply.status;
    if (!reply.session.empty()) {
        response.headers.emplace_back("Mcp-Session-Id", reply.session);
    }
    if (reply.retry_after) {
        response.headers.emplace_back("Retry-After", std::to_string(reply.retry_after->count()));
    }
    const bool silent = reply.body.empty();
    if (silent && reply.status == 202) {
        return response;
    }
    // A request that was cancelled has no answer: a stream that ends without one says so.
    if (silent || (reply.status == 200 && takes_only_events(request))) {
        response.headers.emplace_back("Content-Type", event_stream_type);
        response.headers.emplace_back("Cache-Control", "no-store");
        response.headers.emplace_back("X-Accel-Buffering", "no");
        response.body = silent ? std::string{} : "event: message\ndata: " + reply.body + "\n\n";
        return response;
    }
    response.headers.emplace_back("Content-Type", json_type);
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = reply.body;
    return response;
}

base::Error not_loopback(const std::string& address) {
    return {
        base::Errc::permission_denied,
        "Without authorization this server listens on loopback only, and " + address +
            " is not loopback.",
        "Use 127.0.0.1:PORT or [::1]:PORT, behind a proxy or a tunnel that authenticates."};
}

base::Result<std::unique_ptr<base::HttpServer>>
start_http_endpoint(const std::string& address, unsigned short port, HttpEndpointParts parts) {
    if (!base::is_loopback(address)) {
        return not_loopback(address);
    }
    // The gate needs the real port, which is known only after binding when 0 was asked for.
    const auto bound_port = std::make_shared<std::atomic<unsigned short>>(port);
    const auto endpoint = std::make_shared<Endpoint>(std::move(parts));
    base::HttpServerOptions options;
    options.address = address;
    options.port = port;
    options.gate = [bound_port](const HttpRequest& request) {
        return gate(request, bound_port->load());
    };
    options.handler = [endpoint](std::shared_ptr<HttpExchange> exchange) {
        endpoint->take(exchange);
    };
    auto server = base::HttpServer::start(std::move(options));
    if (server) {
        bound_port->store(server.value()->port());
    }
    return server;
}

} // namespace interlock::server
