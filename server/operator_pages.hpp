// What operators and their machines look at: /healthz, /readyz and /metrics. Clients' listeners
// serve them with reserve; a listener of their own, on loopback only, shows everything to whoever
// is on this machine and nothing else.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace interlock::server {

class OperatorPages {
public:
    /// `unready`: "" = ready, else why not. Both outlive this.
    OperatorPages(telemetry::Metrics& metrics, std::function<std::string()> unready);
    /// nullopt: the path is none of ours. `sees_inside`, asked only when it matters: whether this
    /// caller may see metrics, and why the server is not ready.
    std::optional<base::HttpResponse>
    answer(const base::HttpRequest& request, const std::function<bool()>& sees_inside) const;

private:
    telemetry::Metrics& metrics_;
    const std::function<std::string()> unready_;
};

/// A listener for these pages alone. permission_denied unless `address` is loopback.
base::Result<std::unique_ptr<base::HttpServer>>
start_operator_endpoint(const std::string& address, unsigned short port, OperatorPages pages);

/// Text, ended by a line end.
base::HttpResponse plain_answer(unsigned status, std::string text);
/// 405, and which methods a path takes.
base::HttpResponse method_not_allowed(std::string allow);

} // namespace interlock::server
