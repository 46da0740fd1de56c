// The desk's routes: a request in, a response out, no sockets. GET only, and GET changes nothing.
#pragma once

#include "approval/desk/plan_source.hpp"
#include "base/http_server.hpp"

#include <string>

namespace interlock::desk {

class Site {
public:
    /// An empty token lets nobody in.
    Site(const PlanSource& plans, std::string token);
    /// /healthz is open; everything else takes the token.
    base::HttpResponse answer(const base::HttpRequest& request) const;

private:
    base::HttpResponse route(const std::string& path) const;
    base::HttpResponse show_brakes(bool as_json) const;
    base::HttpResponse show(const std::string& plan_id, bool as_json) const;
    const PlanSource& plans_;
    std::string token_;
};

} // namespace interlock::desk
