#include "approval/desk/site.hpp"

#include "approval/desk/pages.hpp"
#include "approval/desk/plan_view.hpp"
#include "approval/desk/token.hpp"

#include <algorithm>

namespace interlock::desk {

namespace {

constexpr const char* html = "text/html; charset=utf-8";
constexpr const char* json = "application/json";
constexpr const char* css = "text/css; charset=utf-8";

/// On every answer: no scripts, no frames, no forms, no guessing of types, no copies kept.
base::HttpHeaders safety_headers() {
    return {
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
}

base::HttpResponse respond(unsigned status, const char* type, std::string body) {
    base::HttpResponse response{status, safety_headers(), std::move(body)};
    response.headers.emplace_back("Content-Type", type);
    return response;
}

unsigned status_of(base::Errc code) {
    // Anything but an absent plan is the desk's own trouble, and may pass.
    return code == base::Errc::not_found ? 404 : 503;
}

base::HttpResponse fail(unsigned status, const base::Error& error, bool as_json) {
    return as_json ? respond(status, json, error_json(error))
                   : respond(status, html, error_page(error));
}

base::Error no_such_page() {
    return {base::Errc::not_found, "There is no such page.", "Begin at the list of plans."};
}

} // namespace

Site::Site(const PlanSource& plans, std::string token) : plans_(plans), token_(std::move(token)) {}

base::HttpResponse Site::answer(const base::HttpRequest& request) const {
    if (request.method != "GET") {
        base::HttpResponse response = respond(405, "text/plain", "Only GET is served here.\n");
        response.headers.emplace_back("Allow", "GET");
        return response;
    }
    if (request.path == "/healthz")
        return respond(200, "text/plain", "ok\n");
    if (!carries_token(request, token_)) {
        base::HttpResponse response =
            respond(401, "text/plain", "The desk's token is needed, as Bearer or as password.\n");
        response.headers.emplace_back(
            "WWW-Authenticate", "Basic realm=\"interlock-desk\", charset=\"UTF-8\""
        );
        return response;
    }
    return route(request.path);
}

base::HttpResponse Site::route(const std::string& path) const {
    constexpr std::string_view page_prefix = "/plans/";
    constexpr std::string_view api_prefix = "/api/plans/";
    if (path == "/style.css")
        return respond(200, css, std::string(style_sheet));
    if (path.starts_with(page_prefix))
        return show(path.substr(page_prefix.size()), /*as_json=*/false);
    if (path.starts_with(api_prefix))
        return show(path.substr(api_prefix.size()), /*as_json=*/true);
    if (path == "/brakes" || path == "/api/brakes")
        return show_brakes(path == "/api/brakes");
    const bool as_json = path == "/api/plans";
    if (path != "/" && !as_json)
        return fail(404, no_such_page(), path.starts_with("/api/"));
    auto stored = plans_.list();
    if (!stored.ok())
        return fail(status_of(stored.error().code), stored.error(), as_json);
    std::vector<PlanView> views;
    for (auto& plan : stored.value())
        views.push_back(view_of(std::move(plan)));
    if (as_json)
        return respond(200, json, list_json(views));
    const auto all = plans_.count();
    if (!all.ok())
        return fail(status_of(all.error().code), all.error(), as_json);
    const auto brakes = plans_.brakes();
    if (!brakes.ok())
        return fail(status_of(brakes.error().code), brakes.error(), as_json);
    const std::size_t not_shown = std::max(all.value(), views.size()) - views.size();
    return respond(200, html, queue_page(views, not_shown, brakes->size()));
}

base::HttpResponse Site::show_brakes(bool as_json) const {
    const auto brakes = plans_.brakes();
    if (!brakes.ok())
        return fail(status_of(brakes.error().code), brakes.error(), as_json);
    return as_json ? respond(200, json, brakes_json(*brakes))
                   : respond(200, html, brakes_page(*brakes));
}

base::HttpResponse Site::show(const std::string& plan_id, bool as_json) const {
    auto stored = plans_.get(plan_id);
    if (!stored.ok())
        return fail(status_of(stored.error().code), stored.error(), as_json);
    const PlanView view = view_of(std::move(stored).value());
    return as_json ? respond(200, json, plan_json(view)) : respond(200, html, plan_page(view));
}

} // namespace interlock::desk
