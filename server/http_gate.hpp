// What is decided about a request from its head alone, before its body costs anything: may this
// page call us at all, who is the caller, is it JSON.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"
#include "server/access.hpp"
#include "server/cross_origin.hpp"
#include "server/http_endpoint.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

inline constexpr std::string_view mcp_path = "/mcp";

class RequestGate {
public:
    RequestGate(const std::string& address, unsigned short port, const HttpEndpointParts& parts);
    /// The real port is known only after binding when 0 was asked for.
    void set_port(unsigned short port) { port_.store(port); }
    /// What to send instead of reading on; nullopt: it may pass.
    std::optional<base::HttpResponse> refuse(const base::HttpRequest& request) const;

private:
    std::optional<base::HttpResponse> judge(const base::HttpRequest& request) const;
    std::optional<base::HttpResponse> refuse_foreign(const base::HttpRequest& request) const;

    Gatekeeper& gatekeeper_;
    std::vector<std::string> hosts_;
    const CrossOrigin pages_;
    std::atomic<unsigned short> port_;
};

/// Why this server must not listen there.
std::optional<base::Error>
refuse_exposure(const std::string& address, const HttpEndpointParts& parts);

/// What `?toolsets=a,b` of the URL leaves of what the caller is shown; nothing else in a query has
/// a meaning.
void narrow_toolsets(Access& access, std::string_view query);

/// A JSON-RPC error without an id: what is wrong lies outside any message.
base::HttpResponse rpc_refusal(unsigned status, std::string message);

} // namespace interlock::server
