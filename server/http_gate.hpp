// What is decided about a request from its head alone, before its body costs anything: may this
// page call us at all, who is the caller, is it JSON.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"
#include "server/access.hpp"
#include "server/cross_origin.hpp"
#include "server/http_endpoint.hpp"

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

inline constexpr std::string_view mcp_path = "/mcp";

class RequestGate {
public:
    /// `hosts`, `origins` and `turned_away`: as in HttpEndpointParts. `gatekeeper` outlives this.
    RequestGate(
        const std::string& address,
        unsigned short port,
        Gatekeeper& gatekeeper,
        std::vector<std::string> hosts,
        const std::vector<std::string>& origins,
        TurnedAway* turned_away = nullptr
    );
    /// The real port is known only after binding when 0 was asked for.
    void set_port(unsigned short port) { port_.store(port); }
    /// What to send instead of reading on; nullopt: it may pass.
    std::optional<base::HttpResponse> refuse(const base::HttpRequest& request) const;

private:
    std::optional<base::HttpResponse> judge(const base::HttpRequest& request) const;
    std::optional<base::HttpResponse> refuse_foreign(const base::HttpRequest& request) const;

    Gatekeeper& gatekeeper_;
    TurnedAway* const turned_away_;
    std::vector<std::string> hosts_;
    const CrossOrigin pages_;
    std::atomic<unsigned short> port_;
};

/// How many connections one address may hold: many where it stands for many clients, as that of a
/// proxy does, and where all are of this machine.
std::size_t connections_per_address(const std::string& address, bool behind_proxy);

/// Why this server must not listen there.
std::optional<base::Error>
refuse_exposure(const std::string& address, const HttpEndpointParts& parts);

/// What `?toolsets=a,b` of the URL leaves of what the caller is shown; nothing else in a query has
/// a meaning.
void narrow_toolsets(Access& access, std::string_view query);

/// The value of a header, trimmed, and how often it came; `name` in lower case.
HeaderValue header_value(const base::HttpRequest& request, std::string_view name);
/// The protocol's view of a request's headers.
RequestHeaders request_headers(const base::HttpRequest& request);

/// A JSON-RPC error without an id: what is wrong lies outside any message.
base::HttpResponse rpc_refusal(unsigned status, std::string message);

} // namespace interlock::server
