#include "base/http_client.hpp"
#include "server/operator_pages.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::base::Errc;
using interlock::base::http_call;
using interlock::base::HttpCall;
using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::OperatorPages;
using interlock::server::start_operator_endpoint;
using interlock::telemetry::Metrics;

HttpRequest get(const std::string& path) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    return request;
}

} // namespace

TEST_CASE("who does not see inside learns only whether the server is ready", "[server]") {
    Metrics metrics;
    std::string why_not;
    const OperatorPages pages(metrics, [&] { return why_not; });
    const auto outside = [] { return false; };
    const auto inside = [] { return true; };
    CHECK(pages.answer(get("/healthz"), outside)->body == "ok\n");
    CHECK(pages.answer(get("/readyz"), outside)->status == 200);
    why_not = "target shop is down";
    CHECK(pages.answer(get("/readyz"), outside)->status == 503);
    CHECK(pages.answer(get("/readyz"), outside)->body == "not ready\n");
    CHECK(pages.answer(get("/readyz"), inside)->body == "target shop is down\n");
    CHECK(pages.answer(get("/metrics"), outside)->status == 403);
    CHECK(pages.answer(get("/metrics"), inside)->status == 200);
    CHECK_FALSE(pages.answer(get("/mcp"), inside));
    HttpRequest write = get("/metrics");
    write.method = "POST";
    CHECK(pages.answer(write, inside)->status == 405);
}

TEST_CASE("the operators' own listener shows everything, on this machine only", "[server]") {
    Metrics metrics;
    const auto exposed = start_operator_endpoint("0.0.0.0", 0, {metrics, [] { return ""; }});
    REQUIRE_FALSE(exposed.ok());
    CHECK(exposed.error().code == Errc::permission_denied);

    const auto server =
        start_operator_endpoint("127.0.0.1", 0, {metrics, [] { return "no keys"; }});
    REQUIRE(server.ok());
    const auto call = [&](const std::string& path, HttpHeaders headers = {}) {
        HttpCall request;
        request.method = "GET";
        request.url = "http://127.0.0.1:" + std::to_string(server.value()->port()) + path;
        request.headers = std::move(headers);
        auto response = http_call(request);
        REQUIRE(response.ok());
        return std::move(response).value();
    };
    CHECK(call("/metrics").body.find("interlock_") != std::string::npos);
    CHECK(call("/readyz").body == "no keys\n");
    CHECK(call("/healthz").status == 200);
    CHECK(call("/mcp").status == 404);
    CHECK(call("/metrics", {{"Host", "evil.test"}}).status == 403);
    CHECK(call("/metrics", {{"Origin", "https://evil.test"}}).status == 403);
}
