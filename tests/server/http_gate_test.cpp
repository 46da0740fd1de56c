#include "server/http_gate.hpp"
#include "server/identity_log.hpp"
#include "tests/server/transport_fixture.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::base::Errc;
using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::Access;
using interlock::server::Gatekeeper;
using interlock::server::HttpEndpointParts;
using interlock::server::narrow_toolsets;
using interlock::server::refuse_exposure;
using interlock::server::RequestGate;
using interlock::test::TransportRoom;

/// Remembers who was asked about; admits those with a token.
class CountingGatekeeper final : public Gatekeeper {
public:
    std::variant<Access, HttpResponse> admit(const HttpRequest& request) override {
        ++asked;
        if (request.header_count("Authorization") == 0) {
            return HttpResponse{401, {}, ""};
        }
        return Access{};
    }
    HttpResponse insufficient_scope(const std::string&, std::string) override { return {}; }
    std::optional<HttpResponse> metadata(const HttpRequest&) override { return std::nullopt; }
    int asked = 0;
};

struct Gates {
    HttpEndpointParts parts(std::vector<std::string> hosts) {
        return {
            .handler = core.handler,
            .sessions = core.room.sessions,
            .metrics = core.room.metrics,
            .gatekeeper = gatekeeper,
            .unready = [] { return ""; },
            .allowed_hosts = std::move(hosts)};
    }
    TransportRoom core;
    CountingGatekeeper gatekeeper;
};

HttpRequest request(HttpHeaders headers, std::string method = "POST", std::string path = "/mcp") {
    HttpRequest made;
    made.method = std::move(method);
    made.path = std::move(path);
    made.headers = std::move(headers);
    return made;
}

unsigned status(const RequestGate& gate, const HttpRequest& asked) {
    const auto refusal = gate.refuse(asked);
    return refusal ? refusal->status : 0;
}

/// The toolsets that are left, comma-separated; "all" when none are named.
std::string left(std::string_view query, std::optional<std::set<std::string>> allowed = {}) {
    Access access;
    access.toolsets = std::move(allowed);
    narrow_toolsets(access, query);
    std::string out = access.toolsets ? "" : "all";
    for (const std::string& name : access.toolsets.value_or(std::set<std::string>{})) {
        out += (out.empty() ? "" : ",") + name;
    }
    return out;
}

} // namespace

TEST_CASE("host and origin come before the token, and the token before the type", "[server]") {
    Gates gates;
    const RequestGate gate("127.0.0.1", 8080, gates.gatekeeper, {}, {});
    CHECK(status(gate, request({{"Host", "evil.test"}})) == 403);
    CHECK(status(gate, request({})) == 403);
    CHECK(status(gate, request({{"Host", "localhost"}, {"Host", "localhost"}})) == 403);
    CHECK(gates.gatekeeper.asked == 0);
    CHECK(status(gate, request({{"Host", "localhost:8080"}})) == 401);
    CHECK(gates.gatekeeper.asked == 1);
    const HttpHeaders admitted{{"Host", "[::1]:8080"}, {"Authorization", "Bearer x"}};
    CHECK(status(gate, request(admitted)) == 415);
    CHECK(status(gate, request(admitted, "GET")) == 0);
    HttpHeaders json = admitted;
    json.emplace_back("Content-Type", "application/json ; charset=utf-8");
    CHECK(status(gate, request(json)) == 0);
    json.emplace_back("Content-Type", "text/plain");
    CHECK(status(gate, request(json)) == 415);
}

TEST_CASE("other paths need no token, but the right host", "[server]") {
    Gates gates;
    const RequestGate gate("127.0.0.1", 8080, gates.gatekeeper, {}, {});
    CHECK(status(gate, request({{"Host", "localhost"}}, "GET", "/healthz")) == 0);
    CHECK(status(gate, request({{"Host", "evil.test"}}, "GET", "/healthz")) == 403);
    // Nor may anybody fill memory there.
    const auto with = [&](const char* name, const char* value) {
        return status(gate, request({{"Host", "localhost"}, {name, value}}, "POST", "/healthz"));
    };
    CHECK(with("Content-Length", "0") == 0);
    CHECK(with("Content-Length", "1") == 413);
    CHECK(with("Transfer-Encoding", "chunked") == 413);
    CHECK(gates.gatekeeper.asked == 0);
}

TEST_CASE("only a loopback listener is known by the names of loopback", "[server]") {
    Gates gates;
    RequestGate gate("192.0.2.1", 0, gates.gatekeeper, {"mcp.example"}, {"https://App.example"});
    CHECK(status(gate, request({{"Host", "localhost"}})) == 403);
    CHECK(status(gate, request({{"Host", "mcp.example"}})) == 401);
    CHECK(status(gate, request({{"Host", "mcp.example:443"}})) == 403);
    gate.set_port(443);
    CHECK(status(gate, request({{"Host", "mcp.example:443"}})) == 401);
    CHECK(
        status(gate, request({{"Host", "mcp.example"}, {"Origin", "https://app.example"}})) == 401
    );
    CHECK(
        status(gate, request({{"Host", "mcp.example"}, {"Origin", "https://app.example:1"}})) == 403
    );
}

TEST_CASE("a query narrows toolsets to those it names", "[server]") {
    CHECK(left("") == "all");
    CHECK(left("toolset=a") == "all");
    CHECK(left("toolsets=b,a,b") == "a,b");
    CHECK(left("x=y&toolsets=a%2Cb%20,,+") == "+,a,b");
    CHECK(left("toolsets=").empty());
    CHECK(left("toolsets=a&toolsets=b").empty());
    CHECK(left("toolsets=a,c", std::set<std::string>{"a", "b"}) == "a");
    CHECK(left("toolsets=c", std::set<std::string>{"a"}).empty());
    CHECK(left("", std::set<std::string>{"a"}) == "a");
    CHECK(left("toolsets=%zz%4") == "%zz%4");
    CHECK(left("&&&toolsets=a&&") == "a");
}

TEST_CASE("what may not be exposed is refused with the way out", "[server]") {
    Gates gates;
    CHECK_FALSE(refuse_exposure("127.0.0.1", gates.parts({})));
    CHECK_FALSE(refuse_exposure("::1", gates.parts({})));
    CHECK_FALSE(refuse_exposure("192.0.2.1", gates.parts({"mcp.example"})));
    const auto nameless = refuse_exposure("192.0.2.1", gates.parts({}));
    REQUIRE(nameless);
    CHECK(nameless->code == Errc::invalid_input);
    CHECK(nameless->remedy.find("allowed_hosts") != std::string::npos);
}

TEST_CASE("one address has a share of the connections, unless it stands for many", "[server]") {
    using interlock::server::connections_per_address;
    namespace limits = interlock::base::limits;
    CHECK(connections_per_address("0.0.0.0", false) == limits::http_connections_per_address_max);
    CHECK(connections_per_address("::", true) == limits::http_connections_per_proxy_max);
    CHECK(connections_per_address("127.0.0.1", false) == limits::http_connections_per_proxy_max);
    CHECK(limits::http_connections_per_address_max <= limits::http_connections_max / 10);
}

TEST_CASE("the protocol sees each header once and trimmed", "[server]") {
    HttpRequest request;
    request.headers = {
        {"mcp-protocol-VERSION", " 2026-07-28 "},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Method", "ping"},
        {"MCP-Param-Region", " eu "}};
    const auto headers = interlock::server::request_headers(request);
    CHECK(headers.version.count == 1);
    CHECK(headers.version.value == "2026-07-28");
    CHECK(headers.method.count == 2);
    CHECK(headers.method.value == "tools/call");
    CHECK(headers.session.count == 0);
    REQUIRE(headers.parameters.size() == 1);
    CHECK(
        headers.parameters.front() == std::pair<std::string, std::string>("mcp-param-region", "eu")
    );
}

TEST_CASE("who is turned away at the door is told of", "[server]") {
    Gates gates;
    interlock::server::TurnedAway away(gates.core.room.metrics, gates.core.room.clock);
    const RequestGate gate("127.0.0.1", 80, gates.gatekeeper, {}, {}, &away);
    CHECK(status(gate, request({{"Host", "localhost"}})) == 401);
    CHECK(
        gates.core.room.metrics.render().find("interlock_turned_away_total{reason=\"no_proof\"} 1"
        ) != std::string::npos
    );
}
