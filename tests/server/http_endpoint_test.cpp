#include "base/http_client.hpp"
#include "server/http_endpoint.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::base::http_call;
using interlock::base::HttpCall;
using interlock::base::HttpHeaders;
using interlock::base::HttpResponse;
using interlock::server::DispatcherOptions;
using interlock::server::start_http_endpoint;
using interlock::test::Core;
using interlock::test::modern_meta;

const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
const std::string hello =
    R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})";

/// An endpoint on a loopback port of the system's choice.
struct Serving {
    explicit Serving(DispatcherOptions options = {}) : core(options) {
        auto started = start_http_endpoint(
            "127.0.0.1",
            0,
            {core.handler,
             core.protocol,
             core.metrics,
             Core::http().identity,
             [this] { return unready; }}
        );
        REQUIRE(started.ok());
        server = std::move(started).value();
    }
    ~Serving() {
        core.dispatcher.drain(std::chrono::milliseconds(0));
        server->stop(std::chrono::milliseconds(500));
    }
    HttpResponse call(
        const std::string& method,
        const std::string& path,
        HttpHeaders headers = {},
        const std::string& body = {}
    ) {
        HttpCall request;
        request.method = method;
        request.url = "http://127.0.0.1:" + std::to_string(server->port()) + path;
        request.headers = std::move(headers);
        request.body = body;
        auto response = http_call(request);
        INFO((response ? std::string() : interlock::base::to_text(response.error())));
        REQUIRE(response.ok());
        return std::move(response).value();
    }
    HttpResponse post(const std::string& body, HttpHeaders headers = {}) {
        headers.emplace_back("Content-Type", "application/json");
        headers.emplace_back("Accept", "application/json, text/event-stream");
        return call("POST", "/mcp", std::move(headers), body);
    }

    Core core;
    std::string unready;
    std::unique_ptr<interlock::base::HttpServer> server;
};

std::string header(const HttpResponse& response, const std::string& name) {
    interlock::base::HttpRequest view;
    view.headers = response.headers;
    return view.header(name).value_or("");
}

} // namespace

TEST_CASE("each kind of request gets the status that the protocol gives it", "[server]") {
    Serving serving;
    const HttpHeaders json{{"Content-Type", "application/json"}};
    const HttpHeaders modern{
        {"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "server/discover"}};
    CHECK(serving.post("{").status == 400);
    CHECK(serving.post("[]").status == 400);
    CHECK(serving.post(ping).status == 400);
    CHECK(serving.post(ping, {{"Mcp-Session-Id", "unknown"}}).status == 404);
    CHECK(serving.post(ping, {{"MCP-Protocol-Version", "1999-01-01"}}).status == 400);
    CHECK(serving.call("POST", "/mcp", {{"Content-Type", "text/plain"}}, ping).status == 415);
    CHECK(serving.call("POST", "/mcp", {}, ping).status == 415);
    CHECK(
        serving.call("POST", "/mcp", {{"Content-Type", "Application/JSON; charset=utf-8"}}, hello)
            .status == 200
    );
    CHECK(serving.call("POST", "/elsewhere", json, ping).status == 404);
    const std::string discover =
        R"({"jsonrpc":"2.0","id":1,"method":"server/discover","params":{)" + modern_meta() + "}}";
    CHECK(serving.post(discover, modern).status == 200);
    CHECK(serving.post(discover).status == 400);
    const auto get = serving.call("GET", "/mcp");
    CHECK(get.status == 405);
    CHECK(header(get, "Allow") == "POST, DELETE");
    const auto modern_get = serving.call("GET", "/mcp", {{"MCP-Protocol-Version", "2026-07-28"}});
    CHECK(modern_get.status == 405);
    CHECK(header(modern_get, "Allow") == "POST");
    CHECK(serving.call("DELETE", "/mcp", {{"MCP-Protocol-Version", "2026-07-28"}}).status == 405);
}

TEST_CASE("a legacy session lives from initialize to DELETE", "[server]") {
    Serving serving;
    const auto opened = serving.post(hello);
    CHECK(opened.status == 200);
    CHECK(header(opened, "Content-Type") == "application/json");
    const HttpHeaders session{{"Mcp-Session-Id", header(opened, "Mcp-Session-Id")}};
    CHECK(serving.post(ping, session).status == 200);
    const auto told =
        serving.post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", session);
    CHECK(told.status == 202);
    CHECK(told.body.empty());
    CHECK(serving.call("DELETE", "/mcp").status == 400);
    CHECK(serving.call("DELETE", "/mcp", session).status == 204);
    CHECK(serving.call("DELETE", "/mcp", session).status == 404);
    CHECK(serving.post(ping, session).status == 404);
}

TEST_CASE("a foreign Host or Origin is refused before anything is read", "[server]") {
    Serving serving;
    const std::string port = ":" + std::to_string(serving.server->port());
    for (const HttpHeaders& foreign :
         {HttpHeaders{{"Host", "evil.example.com"}, {"Origin", "http://evil.example.com"}},
          HttpHeaders{{"Host", "evil.test"}},
          HttpHeaders{{"Origin", "http://localhost.evil.test"}},
          HttpHeaders{{"Origin", "null"}},
          HttpHeaders{{"Host", "127.0.0.1.nip.io" + port}}}) {
        CHECK(serving.post(hello, foreign).status == 403);
    }
    CHECK(serving.post(hello, {{"Origin", "http://127.0.0.1" + port}}).status == 200);
    CHECK(serving.post(hello, {{"Host", "localhost" + port}}).status == 200);
    CHECK(serving.call("GET", "/metrics", {{"Host", "evil.test"}}).status == 403);
}

TEST_CASE("a full queue answers 503 and when to come back", "[server]") {
    Serving serving(DispatcherOptions{.workers = 1, .queue_max = 0});
    const std::string call =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"waits",)" +
        modern_meta() + "}}";
    const auto response = serving.post(
        call,
        {{"MCP-Protocol-Version", "2026-07-28"},
         {"Mcp-Method", "tools/call"},
         {"Mcp-Name", "waits"}}
    );
    CHECK(response.status == 503);
    CHECK(header(response, "Retry-After") == "1");
}

TEST_CASE("a call is answered over a real socket", "[server]") {
    Serving serving;
    const auto response = serving.post(
        R"({"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo",)"
        R"("arguments":{"text":"over a socket"},)" +
            modern_meta() + "}}",
        {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "echo"}}
    );
    CHECK(response.status == 200);
    CHECK(
        response.body.find(R"("structuredContent":{"text":"over a socket"})") != std::string::npos
    );
}

TEST_CASE("operators see health, readiness and metrics", "[server]") {
    Serving serving;
    CHECK(serving.call("GET", "/healthz").status == 200);
    CHECK(serving.call("GET", "/readyz").status == 200);
    serving.unready = "the audit log cannot be written";
    const auto unready = serving.call("GET", "/readyz");
    CHECK(unready.status == 503);
    CHECK(unready.body.find("audit") != std::string::npos);
    serving.post("{");
    const auto metrics = serving.call("GET", "/metrics");
    CHECK(
        metrics.body.find(R"(interlock_protocol_errors_total{code="-32700"} 1)") !=
        std::string::npos
    );
    CHECK(serving.call("POST", "/healthz", {}, "x").status == 405);
}

TEST_CASE("only a client that takes nothing else gets server-sent events", "[server]") {
    using interlock::server::http_response;
    interlock::base::HttpRequest request;
    request.headers = {{"accept", "text/event-stream"}};
    const auto events = http_response({200, "", "{\"a\":1}", {}}, request);
    CHECK(events.body == "event: message\ndata: {\"a\":1}\n\n");
    CHECK(header(events, "X-Accel-Buffering") == "no");
    request.headers = {{"Accept", "application/json, text/event-stream"}};
    CHECK(http_response({200, "", "{}", {}}, request).body == "{}");
    const auto cancelled = http_response({200, "", "", {}}, request);
    CHECK(header(cancelled, "Content-Type") == "text/event-stream");
    CHECK(cancelled.body.empty());
    CHECK(http_response({202, "", "", {}}, request).headers.empty());
}

TEST_CASE("a listener that is not loopback is refused", "[server]") {
    Core core;
    const auto started = start_http_endpoint(
        "0.0.0.0",
        0,
        {core.handler, core.protocol, core.metrics, Core::http().identity, [] { return ""; }}
    );
    REQUIRE_FALSE(started.ok());
    CHECK(started.error().code == interlock::base::Errc::permission_denied);
}
