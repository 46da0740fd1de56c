// The head of an HTTP/1.1 answer as bytes. Framing headers are ours alone, and nothing that a
// handler puts into a header can end the line it stands on.
#pragma once

#include "base/clock.hpp"
#include "base/http_server.hpp"

#include <string>

namespace interlock::base {

/// What the request and the connection say about how to answer.
struct HttpFraming {
    bool http_1_0 = false;
    bool head_only = false; // HEAD: no body follows
    bool close = false;     // say so; the connection ends after this answer
};

/// Status line, headers and Content-Length: what comes before the body of a whole answer.
std::string render_head(const HttpResponse& response, const HttpFraming& framing, Time now);
/// Whether the body follows: not to HEAD, nor with a status that has none.
bool sends_body(const HttpResponse& response, const HttpFraming& framing);
/// The head of a chunked answer; of one that ends with the connection for HTTP/1.0.
std::string render_stream_head(
    unsigned status, const HttpHeaders& headers, const HttpFraming& framing, Time now
);
/// One chunk of it.
std::string render_chunk(std::string_view bytes, const HttpFraming& framing);
/// What ends it.
std::string render_stream_end(const HttpFraming& framing);

} // namespace interlock::base
