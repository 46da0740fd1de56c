// Outbound HTTP over libcurl: fixed URL, no redirects, time and size caps, TLS verified.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"

#include <chrono>
#include <string>

namespace interlock::base {

struct HttpCall {
    std::string method = "GET";
    std::string url;
    HttpHeaders headers;
    std::string body;
    std::chrono::milliseconds timeout{10'000};
    std::size_t response_bytes_max = std::size_t{4} << 20;
};

/// The response whatever its status; an Error only when there was none.
Result<HttpResponse> http_call(const HttpCall& call);

} // namespace interlock::base
