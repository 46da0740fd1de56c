// Outbound HTTP over libcurl: fixed URL, no redirects, time and size caps, TLS verified.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

namespace interlock::base {

/// Which addresses a call may reach. Asked of the address that is connected to, after the name was
/// looked up, so that a name cannot point elsewhere between the check and its use. Other than
/// `any`, proxies are not used: a proxy looks names up itself.
enum class HttpReach {
    any,
    loopback, // nothing else
    network,  // all but loopback, link-local (cloud metadata), multicast and unspecified ones
    internet, // `network` without private ones
};
/// `address` is numeric; what is not an address is within no reach but `any`.
bool is_within(HttpReach reach, std::string_view address);

struct HttpCall {
    std::string method = "GET";
    std::string url;
    HttpHeaders headers;
    std::string body;
    std::chrono::milliseconds timeout{10'000};
    std::size_t response_bytes_max = std::size_t{4} << 20;
    HttpReach reach = HttpReach::any;
    std::string authorities = {}; // PEM file trusted instead of this machine's; "" = this machine's
    std::stop_token stop = {};    // gives the call up, within a second
};

/// The response whatever its status; an Error only when there was none.
Result<HttpResponse> http_call(const HttpCall& call);

} // namespace interlock::base
