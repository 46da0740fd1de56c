#include "server/operator_pages.hpp"

#include <atomic>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

using base::HttpExchange;
using base::HttpRequest;
using base::HttpResponse;

constexpr const char* health_path = "/healthz";
constexpr const char* ready_path = "/readyz";
constexpr const char* metrics_path = "/metrics";

} // namespace

HttpResponse plain_answer(unsigned status, std::string text) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text) + "\n"};
}

HttpResponse method_not_allowed(std::string allow) {
    HttpResponse response = plain_answer(405, "This path takes only " + allow + ".");
    response.headers.emplace_back("Allow", std::move(allow));
    return response;
}

OperatorPages::OperatorPages(telemetry::Metrics& metrics, std::function<std::string()> unready)
    : metrics_(metrics), unready_(std::move(unready)) {}

std::optional<HttpResponse>
OperatorPages::answer(const HttpRequest& request, const std::function<bool()>& sees_inside) const {
    if (request.path != health_path && request.path != ready_path && request.path != metrics_path) {
        return std::nullopt;
    }
    if (request.method != "GET") {
        return method_not_allowed("GET");
    }
    if (request.path == health_path) {
        return plain_answer(200, "ok");
    }
    if (request.path == ready_path) {
        const std::string why_not = unready_();
        return why_not.empty() ? plain_answer(200, "ready")
                               : plain_answer(503, sees_inside() ? why_not : "not ready");
    }
    if (!sees_inside()) {
        return plain_answer(
            403, "Metrics are for callers with the scope `interlock`, and on `admin_listen`."
        );
    }
    return HttpResponse{200, {{"Content-Type", "text/plain; version=0.0.4"}}, metrics_.render()};
}

base::Result<std::unique_ptr<base::HttpServer>>
start_operator_endpoint(const std::string& address, unsigned short port, OperatorPages pages) {
    if (!base::is_loopback(address)) {
        return base::Error{
            base::Errc::permission_denied,
            "The operators' listener asks nobody who they are, and " + address +
                " is not loopback.",
            "Use 127.0.0.1:PORT or [::1]:PORT."};
    }
    const auto bound = std::make_shared<std::atomic<unsigned short>>(port);
    base::HttpServerOptions options;
    options.address = address;
    options.port = port;
    options.body_bytes_max = 0;
    options.gate = [bound](const HttpRequest& request) {
        // A page that reaches loopback by another name must not read it either.
        return base::refuse_foreign_host(
            request, {"127.0.0.1", "localhost", "[::1]"}, bound->load()
        );
    };
    options.handler = [pages = std::move(pages)](const std::shared_ptr<HttpExchange>& exchange) {
        auto answer = pages.answer(exchange->request(), [] { return true; });
        exchange->respond(
            answer ? *std::move(answer) : plain_answer(404, "There is nothing here.")
        );
    };
    auto server = base::HttpServer::start(std::move(options));
    if (server) {
        bound->store(server.value()->port());
    }
    return server;
}

} // namespace interlock::server
