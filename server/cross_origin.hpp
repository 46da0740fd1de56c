// Pages of other origins (CORS): those of the origins that the operator allowed by name may use the
// endpoint from a browser and read what it answers. No other origin is ever named, and never `*`.
#pragma once

#include "base/http_server.hpp"

#include <string>
#include <vector>

namespace interlock::server {

class CrossOrigin {
public:
    explicit CrossOrigin(const std::vector<std::string>& allowed_origins);
    /// Whether a page of an allowed origin asks.
    bool allows(const base::HttpRequest& request) const;
    /// Whether it is a browser's question before such a page's request: it carries neither a token
    /// nor a body.
    bool is_preflight(const base::HttpRequest& request) const;
    base::HttpResponse answer_preflight(const base::HttpRequest& request) const;
    /// What every answer to this request carries besides; nothing on paths that pages have no
    /// business with.
    base::HttpHeaders headers(const base::HttpRequest& request) const;

private:
    std::vector<std::string> origins_; // lower-case
};

} // namespace interlock::server
