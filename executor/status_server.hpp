// GET /healthz and GET /metrics of the executor. Nothing else: nobody talks an executor into work.
#pragma once

#include "base/http_server.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace interlock::executor {

/// `problem`: why the executor does nothing, or nullopt; asked from the server's thread.
base::Result<std::unique_ptr<base::HttpServer>> start_status_server(
    const std::string& listen,
    const telemetry::Metrics& metrics,
    std::function<std::optional<std::string>()> problem
);

/// The answer to one request; for the server and for tests.
base::HttpResponse answer_status(
    const base::HttpRequest& request,
    const telemetry::Metrics& metrics,
    const std::optional<std::string>& problem
);

} // namespace interlock::executor
