#include "executor/status_server.hpp"

#include "base/json.hpp"

#include <nlohmann/json.hpp>

namespace interlock::executor {

namespace {

using base::HttpResponse;
using base::Json;

constexpr std::size_t status_body_bytes_max = 1024; // requests have none

HttpResponse json_answer(unsigned status, const Json& body) {
    return {status, {{"Content-Type", "application/json"}}, base::render_json(body)};
}

} // namespace

HttpResponse answer_status(
    const base::HttpRequest& request,
    const telemetry::Metrics& metrics,
    const std::optional<std::string>& problem
) {
    if (request.method != "GET") {
        return {405, {{"Allow", "GET"}}, ""};
    }
    if (request.path == "/healthz") {
        return problem ? json_answer(503, {{"status", "frozen"}, {"why", *problem}})
                       : json_answer(200, {{"status", "ok"}});
    }
    if (request.path == "/metrics") {
        return {200, {{"Content-Type", "text/plain; version=0.0.4"}}, metrics.render()};
    }
    return json_answer(404, {{"error", "There is /healthz and /metrics here, nothing else."}});
}

base::Result<std::unique_ptr<base::HttpServer>> start_status_server(
    const std::string& listen,
    const telemetry::Metrics& metrics,
    std::function<std::optional<std::string>()> problem
) {
    INTERLOCK_TRY(const auto address, base::parse_listen_address(listen));
    base::HttpServerOptions options;
    options.address = address.first;
    options.port = address.second;
    options.body_bytes_max = status_body_bytes_max;
    options.handler = [&metrics,
                       ask = std::move(problem)](const std::shared_ptr<base::HttpExchange>& exchange
                      ) { exchange->respond(answer_status(exchange->request(), metrics, ask())); };
    return base::HttpServer::start(std::move(options));
}

} // namespace interlock::executor
