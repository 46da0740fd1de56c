#include "base/http_client.hpp"
#include "server/http_endpoint.hpp"
#include "tests/server/transport_fixture.hpp"

#include <atomic>
#include <mutex>

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using interlock::base::Errc;
using interlock::base::http_call;
using interlock::base::HttpCall;
using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::Access;
using interlock::server::DispatcherOptions;
using interlock::server::Gatekeeper;
using interlock::server::start_http_endpoint;
using interlock::test::RawClient;
using interlock::test::TransportRoom;
using interlock::test::protocol::modern_meta;

const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
const std::string modern_version = "2026-07-28";

std::string hello(const std::string& version = "2025-11-25") {
    return R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" +
           version + R"(","capabilities":{"elicitation":{}},)" +
           R"("clientInfo":{"name":"c","version":"1"}}})";
}

/// A tools/call without arguments; `more` is spliced into params.
std::string call_of(const std::string& tool, const std::string& more = {}) {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":")" + tool + "\"" +
           (more.empty() ? "" : "," + more) + "}}";
}

HttpHeaders modern(const std::string& method, const std::string& name = {}) {
    HttpHeaders headers{{"MCP-Protocol-Version", modern_version}, {"Mcp-Method", method}};
    if (!name.empty()) {
        headers.emplace_back("Mcp-Name", name);
    }
    return headers;
}

std::string header(const HttpResponse& response, const std::string& name) {
    HttpRequest view;
    view.headers = response.headers;
    return view.header(name).value_or("");
}

/// Knows alice, bob and poor (who has no scope) by their tokens.
class TokenGatekeeper final : public Gatekeeper {
public:
    std::variant<Access, HttpResponse> admit(const HttpRequest& request) override {
        const std::string token = request.header("Authorization").value_or("");
        ++asked;
        const std::lock_guard lock(mutex);
        if (token != "Bearer alice" && token != "Bearer bob" && token != "Bearer poor" &&
            token != "Bearer all") {
            return HttpResponse{401, {{"WWW-Authenticate", "Bearer"}}, ""};
        }
        Access access;
        access.identity.subject = token.substr(7);
        access.identity.issuer = "test";
        access.scopes = {"interlock:triage"};
        access.expires = expires;
        access.identity.database_role = role;
        if (token != "Bearer poor") {
            access.scopes->insert("interlock:postgres");
        }
        if (token == "Bearer all") {
            access.scopes->insert("interlock");
        }
        return access;
    }
    HttpResponse insufficient_scope(const std::string& scopes, std::string body) override {
        return {
            403,
            {{"WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"" + scopes + "\""},
             {"Content-Type", "application/json"}},
            std::move(body)};
    }
    std::optional<HttpResponse> metadata(const HttpRequest& request) override {
        if (request.path != "/.well-known/oauth-protected-resource/mcp") {
            return std::nullopt;
        }
        return HttpResponse{200, {}, "the document"};
    }
    /// From now on tokens map to this role.
    void map_to(std::string other) {
        const std::lock_guard lock(mutex);
        role = std::move(other);
    }
    std::optional<interlock::base::Time> expires;
    std::atomic<int> asked{0};
    std::mutex mutex;
    std::string role = "reader";
};

struct Setup {
    bool tokens = false;
    std::vector<std::string> hosts = {};
    std::vector<std::string> origins = {};
    std::chrono::milliseconds keep_alive = 1h;
    std::chrono::milliseconds silence = 1h;
    DispatcherOptions dispatcher = {};
    bool behind_proxy = false;
    std::chrono::milliseconds judge_interval = 1h;
};

/// An endpoint on a loopback port of the system's choice.
struct Serving {
    explicit Serving(const Setup& setup = {}) : core(setup.dispatcher) {
        auto started = start_http_endpoint(
            "127.0.0.1",
            0,
            {.handler = core.handler,
             .sessions = core.room.sessions,
             .metrics = core.room.metrics,
             .gatekeeper = setup.tokens ? static_cast<Gatekeeper&>(tokens) : *open,
             .unready = [this] { return unready; },
             .allowed_hosts = setup.hosts,
             .allowed_origins = setup.origins,
             .behind_proxy = setup.behind_proxy,
             .keep_alive = setup.keep_alive,
             .judge_interval = setup.judge_interval,
             .silence = setup.silence}
        );
        REQUIRE(started.ok());
        server = std::move(started).value();
        core.room.sessions.on_end([this](const auto& id) { core.handler.session_ended(id); });
    }
    ~Serving() {
        core.end();
        core.room.sessions.on_end({});
        server->stop(1s);
    }
    std::string port() const { return std::to_string(server->port()); }

    HttpResponse call(
        const std::string& method,
        const std::string& path,
        HttpHeaders headers = {},
        const std::string& body = {}
    ) const {
        HttpCall request;
        request.method = method;
        request.url = "http://127.0.0.1:" + port() + path;
        request.headers = std::move(headers);
        request.body = body;
        request.timeout = 20s;
        auto response = http_call(request);
        INFO((response ? std::string() : interlock::base::to_text(response.error())));
        REQUIRE(response.ok());
        return std::move(response).value();
    }
    HttpResponse post(
        const std::string& body, HttpHeaders headers = {}, const std::string& path = "/mcp"
    ) const {
        headers.emplace_back("Content-Type", "application/json");
        headers.emplace_back("Accept", "application/json, text/event-stream");
        return call("POST", path, std::move(headers), body);
    }
    /// Opens a session; its id as a header.
    HttpHeaders open_session(HttpHeaders headers = {}, const std::string& version = "2025-11-25") {
        const auto opened = post(hello(version), headers);
        REQUIRE(opened.status == 200);
        headers.emplace_back("Mcp-Session-Id", header(opened, "Mcp-Session-Id"));
        post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", headers);
        return headers;
    }
    /// A request whose answer is read piece by piece.
    void
    say(RawClient& client,
        const std::string& method,
        const HttpHeaders& headers,
        const std::string& body = {}) const {
        std::string text = method + " /mcp HTTP/1.1\r\nHost: 127.0.0.1:" + port() +
                           "\r\nAccept: application/json, text/event-stream\r\n" +
                           "Content-Type: application/json\r\n";
        for (const auto& [name, value] : headers) {
            text.append(name).append(": ").append(value).append("\r\n");
        }
        client.say(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    /// A stream of news about the list of tools; it has begun.
    void listen(RawClient& client, const std::string& authorization) const {
        HttpHeaders headers = modern("subscriptions/listen");
        headers.emplace_back("Authorization", authorization);
        say(client,
            "POST",
            headers,
            R"({"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{)"
            R"("notifications":{"toolsListChanged":true},)" +
                modern_meta() + "}}");
        client.read_until("event: message\n");
    }

    std::string unready;
    std::unique_ptr<Gatekeeper> open =
        interlock::server::open_gatekeeper({"loopback:anonymous", "loopback", "none", "", "", {}});
    TokenGatekeeper tokens;
    TransportRoom core;
    std::unique_ptr<interlock::base::HttpServer> server;
};

/// An event stream's own line, up to its end.
std::string event(RawClient& client) {
    return client.read_until("\n\n");
}

} // namespace

TEST_CASE("each kind of request gets the status that the protocol gives it", "[server]") {
    Serving serving;
    const HttpHeaders json{{"Content-Type", "application/json"}};
    CHECK(serving.post("{").status == 400);
    CHECK(serving.post("[]").status == 400);
    CHECK(serving.post(ping).status == 400);
    CHECK(serving.post(ping, {{"Mcp-Session-Id", "unknown"}}).status == 404);
    CHECK(serving.post(ping, {{"MCP-Protocol-Version", "1999-01-01"}}).status == 400);
    CHECK(serving.call("POST", "/mcp", {{"Content-Type", "text/plain"}}, ping).status == 415);
    CHECK(serving.call("POST", "/mcp", {}, ping).status == 415);
    CHECK(
        serving.call("POST", "/mcp", {{"Content-Type", "Application/JSON; charset=utf-8"}}, hello())
            .status == 200
    );
    CHECK(serving.call("POST", "/elsewhere", json).status == 404);
    const std::string discover =
        R"({"jsonrpc":"2.0","id":1,"method":"server/discover","params":{)" + modern_meta() + "}}";
    CHECK(serving.post(discover, modern("server/discover")).status == 200);
    CHECK(serving.post(discover).status == 400);
    CHECK(header(serving.call("PUT", "/mcp"), "Allow") == "POST, GET, DELETE");
    for (const char* method : {"GET", "DELETE", "PUT"}) {
        const auto refused =
            serving.call(method, "/mcp", {{"MCP-Protocol-Version", modern_version}});
        CHECK(refused.status == 405);
        CHECK(header(refused, "Allow") == "POST");
    }
}

TEST_CASE("a legacy session lives from initialize to DELETE", "[server]") {
    Serving serving;
    const auto opened = serving.post(hello());
    CHECK(opened.status == 200);
    CHECK(header(opened, "Content-Type") == "application/json");
    const HttpHeaders session{{"Mcp-Session-Id", header(opened, "Mcp-Session-Id")}};
    CHECK(serving.post(ping, session).status == 200);
    const auto told =
        serving.post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", session);
    CHECK(told.status == 202);
    CHECK(told.body.empty());
    CHECK(serving.post(R"({"jsonrpc":"2.0","id":"no such","result":{}})", session).status == 202);
    CHECK(serving.call("DELETE", "/mcp").status == 400);
    CHECK(serving.call("DELETE", "/mcp", session).status == 204);
    CHECK(serving.call("DELETE", "/mcp", session).status == 404);
    CHECK(serving.post(ping, session).status == 404);
}

TEST_CASE("a GET opens a stream only for a session and a client that takes events", "[server]") {
    Serving serving;
    const HttpHeaders session = serving.open_session();
    const auto get = [&](HttpHeaders headers) {
        headers.insert(headers.end(), session.begin(), session.end());
        return serving.call("GET", "/mcp", std::move(headers)).status;
    };
    CHECK(serving.call("GET", "/mcp", {{"Accept", "text/event-stream"}}).status == 400);
    CHECK(
        serving
            .call("GET", "/mcp", {{"Accept", "text/event-stream"}, {"Mcp-Session-Id", "unknown"}})
            .status == 404
    );
    CHECK(get({{"Accept", "application/json"}}) == 406);
    CHECK(get({{"Accept", "text/event-stream"}, {"MCP-Protocol-Version", "1999-01-01"}}) == 400);
    CHECK(get({{"Accept", "text/event-stream"}, {"Last-Event-ID", "9-9"}}) == 400);
    CHECK(get({{"Accept", "text/event-stream"}, {"Last-Event-ID", ""}}) == 400);
}

TEST_CASE("a foreign Host or Origin is refused before anything is read", "[server]") {
    Serving serving;
    const std::string port = ":" + serving.port();
    for (const HttpHeaders& foreign :
         {HttpHeaders{{"Host", "evil.example.com"}, {"Origin", "http://evil.example.com"}},
          HttpHeaders{{"Host", "evil.test"}},
          HttpHeaders{{"Origin", "http://localhost.evil.test"}},
          HttpHeaders{{"Origin", "null"}},
          HttpHeaders{{"Host", "127.0.0.1.nip.io" + port}}}) {
        CHECK(serving.post(hello(), foreign).status == 403);
    }
    CHECK(serving.post(hello(), {{"Origin", "http://127.0.0.1" + port}}).status == 200);
    CHECK(serving.post(hello(), {{"Host", "localhost" + port}}).status == 200);
    CHECK(serving.call("GET", "/metrics", {{"Host", "evil.test"}}).status == 403);

    RawClient client(serving.server->port());
    client.say("POST /mcp HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 1000000\r\n\r\n");
    CHECK(client.read_until("\r\n") == "HTTP/1.1 403 Forbidden\r\n");
}

TEST_CASE("hosts and origins that were allowed by name pass, and no others", "[server]") {
    Serving serving(Setup{
        .hosts = {"mcp.example", "proxy.example:8443"}, .origins = {"https://app.example"}});
    CHECK(serving.post(hello(), {{"Host", "mcp.example"}}).status == 200);
    CHECK(serving.post(hello(), {{"Host", "Proxy.Example:8443"}}).status == 200);
    CHECK(serving.post(hello(), {{"Host", "proxy.example"}}).status == 403);
    CHECK(serving.post(hello(), {{"Origin", "https://APP.example"}}).status == 200);
    CHECK(serving.post(hello(), {{"Origin", "https://mcp.example"}}).status == 200);
    CHECK(serving.post(hello(), {{"Origin", "http://app.example"}}).status == 403);
    CHECK(serving.post(hello(), {{"Origin", "https://app.example.evil.test"}}).status == 403);
    CHECK(serving.post(hello(), {{"Origin", "https://app.example"}, {"Host", "x"}}).status == 403);
    CHECK(
        serving.post(
                   hello(), {{"Origin", "https://app.example"}, {"Origin", "https://evil.test"}}
        ).status == 403
    );
}

TEST_CASE("without a token nothing is read, and the metadata can be", "[server]") {
    Serving serving(Setup{.tokens = true});
    const auto refused = serving.post(hello());
    CHECK(refused.status == 401);
    CHECK(header(refused, "WWW-Authenticate") == "Bearer");
    CHECK(serving.call("GET", "/mcp").status == 401);
    CHECK(serving.post(hello(), {{"Authorization", "Bearer alice"}}).status == 200);
    const std::string known = "/.well-known/oauth-protected-resource/mcp";
    CHECK(serving.call("GET", known).body == "the document");
    CHECK(serving.call("GET", known, {{"Host", "evil.test"}}).status == 403);

    RawClient client(serving.server->port());
    serving.say(client, "POST", {{"Expect", "100-continue"}}, "");
    CHECK(client.read_until("\r\n").starts_with("HTTP/1.1 401"));
}

TEST_CASE("a call that needs more scopes gets the gatekeeper's challenge", "[server]") {
    Serving serving(Setup{.tokens = true});
    auto headers = modern("tools/call", "guarded");
    headers.emplace_back("Authorization", "Bearer poor");
    const std::string body = call_of("guarded", modern_meta());
    const auto refused = serving.post(body, headers);
    CHECK(refused.status == 403);
    CHECK(
        header(refused, "WWW-Authenticate") ==
        R"(Bearer error="insufficient_scope", scope="interlock:postgres")"
    );
    headers.back().second = "Bearer alice";
    CHECK(serving.post(body, headers).status == 200);
}

TEST_CASE("a session belongs to who opened it", "[server]") {
    Serving serving(Setup{.tokens = true});
    HttpHeaders session = serving.open_session({{"Authorization", "Bearer alice"}});
    CHECK(serving.post(ping, session).status == 200);
    session.front().second = "Bearer bob";
    CHECK(serving.post(ping, session).status == 404);
    CHECK(serving.call("GET", "/mcp", session).status == 404);
    CHECK(serving.call("DELETE", "/mcp", session).status == 404);
    session.front().second = "Bearer alice";
    CHECK(serving.post(ping, session).status == 200);
}

TEST_CASE("the URL can narrow what is offered and cannot widen it", "[server]") {
    Serving serving;
    const auto names = [&](const std::string& query) {
        const auto listed = serving.post(
            R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)" + modern_meta() + "}}",
            modern("tools/list"),
            "/mcp" + query
        );
        std::string seen;
        for (const char* name : {"echo", "guarded", "talks"}) {
            seen += listed.body.find("\"name\":\"" + std::string(name) + "\"") != std::string::npos
                        ? std::string(name) + " "
                        : "";
        }
        return seen;
    };
    CHECK(names("") == "echo guarded talks ");
    CHECK(names("?toolsets=triage") == "echo talks ");
    CHECK(names("?x=1&toolsets=triage,postgres") == "echo guarded talks ");
    CHECK(names("?toolsets=postgres%2c%20triage&y") == "echo guarded talks ");
    CHECK(names("?toolsets=") == "talks ");
    CHECK(names("?toolsets=unknown%zz%") == "talks ");
    CHECK(names("?toolsets=triage&toolsets=triage,postgres") == "echo talks ");
    CHECK(names("?mytoolsets=triage") == "echo guarded talks ");
}

TEST_CASE("a full queue answers 503 and when to come back", "[server]") {
    Serving serving(Setup{.dispatcher = {.workers = 1, .queue_max = 0}});
    const auto response =
        serving.post(call_of("waits", modern_meta()), modern("tools/call", "waits"));
    CHECK(response.status == 503);
    CHECK(header(response, "Retry-After") == "1");
}

TEST_CASE("a modern call that says nothing before its answer is answered in JSON", "[server]") {
    Serving serving;
    const auto response =
        serving.post(call_of("echo", modern_meta()), modern("tools/call", "echo"));
    CHECK(response.status == 200);
    CHECK(header(response, "Content-Type") == "application/json");
    CHECK(response.body.find(R"("text":"echoed")") != std::string::npos);
}

const std::string logging = R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                            R"("io.modelcontextprotocol/clientCapabilities":{},)"
                            R"("io.modelcontextprotocol/logLevel":"debug"})";

TEST_CASE("a modern call that talks is answered as a stream without ids", "[server]") {
    Serving serving(Setup{.keep_alive = 1ms, .silence = 1ms});
    RawClient client(serving.server->port());
    serving.say(client, "POST", modern("tools/call", "talks"), call_of("talks", logging));
    const std::string head = client.read_until("\r\n\r\n");
    CHECK(head.starts_with("HTTP/1.1 200"));
    CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
    CHECK(head.find("X-Accel-Buffering: no\r\n") != std::string::npos);
    CHECK(head.find("Cache-Control: no-store\r\n") != std::string::npos);
    CHECK(client.read_until("first").ends_with("first")); // perhaps kept alive before
    event(client);
    CHECK(client.read_until(":\n\n").find("data") == std::string::npos); // kept alive
    serving.core.go_on.come();
    const std::string rest = client.read_stream();
    CHECK(rest.find("second") < rest.find("talked"));
    CHECK(rest.find("\"id\":7") != std::string::npos);
    CHECK((head + rest).find("\nid:") == std::string::npos);
}

TEST_CASE("a client that takes only JSON gets its answer and nothing before it", "[server]") {
    Serving serving;
    serving.core.go_on.come();
    HttpHeaders headers = modern("tools/call", "talks");
    headers.emplace_back("Accept", "application/json");
    headers.emplace_back("Content-Type", "application/json");
    const auto response = serving.call("POST", "/mcp", headers, call_of("talks", logging));
    CHECK(header(response, "Content-Type") == "application/json");
    CHECK(response.body.find("talked") != std::string::npos);
    CHECK(response.body.find("first") == std::string::npos);
}

TEST_CASE("a modern client that goes away cancels its call", "[server]") {
    Serving serving;
    RawClient client(serving.server->port());
    serving.say(client, "POST", modern("tools/call", "waits"), call_of("waits", modern_meta()));
    REQUIRE(serving.core.waiting.wait());
    client.close();
    CHECK(serving.core.stopped.wait());
}

TEST_CASE("a legacy call survives its connection and its client misses nothing", "[server]") {
    Serving serving;
    HttpHeaders session = serving.open_session();
    serving.post(
        R"({"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}})",
        session
    );
    RawClient client(serving.server->port());
    serving.say(client, "POST", session, call_of("talks"));
    client.read_until("id: ");
    client.read_until("data:\n\n"); // the priming event
    client.read_until("id: ");
    const std::string seen = client.read_until("\n");
    CHECK(event(client).find("first") != std::string::npos);
    client.close();
    serving.core.go_on.come();

    session.emplace_back("Last-Event-ID", seen.substr(0, seen.size() - 1));
    RawClient back(serving.server->port());
    serving.say(back, "GET", session);
    const std::string rest = back.read_stream();
    CHECK(rest.find("first") == std::string::npos);
    CHECK(rest.find("second") < rest.find("talked"));
    CHECK(rest.ends_with("0\r\n\r\n"));
}

TEST_CASE("an older client's stream has no ids", "[server]") {
    Serving serving;
    serving.core.go_on.come();
    const HttpHeaders session = serving.open_session({}, "2025-06-18");
    serving.post(
        R"({"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}})",
        session
    );
    const auto answer = serving.post(call_of("talks"), session);
    CHECK(header(answer, "Content-Type") == "text/event-stream");
    CHECK(answer.body.starts_with("event: message\ndata: {"));
    CHECK(answer.body.find("id: ") == std::string::npos);
    CHECK(answer.body.find("second") < answer.body.find("talked"));
}

TEST_CASE("a call that pauses its stream is picked up again", "[server]") {
    Serving serving;
    HttpHeaders session = serving.open_session();
    RawClient client(serving.server->port());
    serving.say(client, "POST", session, call_of("pauses"));
    client.read_until("id: ");
    const std::string id = client.read_until("\n");
    CHECK(client.read_stream().find("retry: 7\n\n") != std::string::npos);
    serving.core.go_on.come();
    session.emplace_back("Last-Event-ID", id.substr(0, id.size() - 1));
    RawClient back(serving.server->port());
    serving.say(back, "GET", session);
    CHECK(back.read_stream().find("after the pause") != std::string::npos);
}

TEST_CASE(
    "a question goes out on the call's stream and its answer comes by another POST", "[server]"
) {
    Serving serving;
    const HttpHeaders session = serving.open_session();
    RawClient client(serving.server->port());
    serving.say(client, "POST", session, call_of("asks"));
    client.read_until("event: message\n");
    const std::string question = event(client);
    CHECK(question.find("elicitation/create") != std::string::npos);
    const auto begin = question.find("\"id\":") + 5;
    const std::string id = question.substr(begin, question.find_first_of(",}", begin) - begin);
    const auto told = serving.post(
        R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"action":"accept","content":{}}})", session
    );
    CHECK(told.status == 202);
    CHECK(client.read_stream().find(R"("text":"answered")") != std::string::npos);
}

TEST_CASE("news go to the stream of the last GET, and DELETE ends it", "[server]") {
    Serving serving;
    const HttpHeaders session = serving.open_session();
    RawClient first(serving.server->port());
    serving.say(first, "GET", session);
    first.read_until("data:\n\n");
    RawClient second(serving.server->port());
    serving.say(second, "GET", session);
    second.read_until("data:\n\n");
    CHECK(first.read_stream().find("event:") == std::string::npos); // it has ended

    auto offer = serving.core.talking_offer();
    offer.tools.pop_back();
    serving.core.room.catalogue.replace(interlock::test::protocol::compiled(std::move(offer)));
    second.read_until("event: message\n");
    CHECK(event(second).find("notifications/tools/list_changed") != std::string::npos);
    CHECK(serving.call("DELETE", "/mcp", session).status == 204);
    CHECK(second.read_stream().ends_with("0\r\n\r\n"));
}

TEST_CASE("a modern client hears what it listens to", "[server]") {
    Serving serving;
    RawClient client(serving.server->port());
    serving.say(
        client,
        "POST",
        modern("subscriptions/listen"),
        R"({"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{)"
        R"("notifications":{"toolsListChanged":true},)" +
            modern_meta() + "}}"
    );
    client.read_until("event: message\n");
    CHECK(event(client).find("notifications/subscriptions/acknowledged") != std::string::npos);
    auto offer = serving.core.talking_offer();
    offer.tools.pop_back();
    serving.core.room.catalogue.replace(interlock::test::protocol::compiled(std::move(offer)));
    client.read_until("event: message\n");
    CHECK(event(client).find("notifications/tools/list_changed") != std::string::npos);
    serving.core.hub.close();
    CHECK(client.read_stream().find("\"result\"") != std::string::npos);
}

TEST_CASE("streams end with the token that opened them, however quiet they are", "[server]") {
    Serving serving(Setup{.tokens = true});
    const HttpHeaders session = serving.open_session({{"Authorization", "Bearer alice"}});
    serving.tokens.expires = interlock::base::SystemClock().now() + 300ms;
    RawClient standing(serving.server->port());
    serving.say(standing, "GET", session);
    standing.read_until("data:\n\n");
    RawClient listening(serving.server->port());
    serving.listen(listening, "Bearer alice");
    CHECK(standing.read_stream().ends_with("0\r\n\r\n"));
    CHECK(listening.read_stream().ends_with("0\r\n\r\n"));
}

TEST_CASE("streams end when the right to them changes, and no other stream does", "[server]") {
    Serving serving(Setup{.tokens = true, .judge_interval = 5ms});
    const HttpHeaders session = serving.open_session({{"Authorization", "Bearer alice"}});
    RawClient standing(serving.server->port());
    serving.say(standing, "GET", session);
    standing.read_until("data:\n\n");
    RawClient listening(serving.server->port());
    serving.listen(listening, "Bearer bob");
    // While nothing changes they stay: news still arrive after many looks.
    const int asked = serving.tokens.asked.load();
    REQUIRE(interlock::base::eventually([&] { return serving.tokens.asked.load() > asked + 20; }));
    auto offer = serving.core.talking_offer();
    offer.tools.pop_back();
    serving.core.room.catalogue.replace(interlock::test::protocol::compiled(std::move(offer)));
    standing.read_until("list_changed");
    listening.read_until("list_changed");
    serving.tokens.map_to("less");
    CHECK(standing.read_stream().ends_with("0\r\n\r\n"));
    CHECK(listening.read_stream().ends_with("0\r\n\r\n"));
}

TEST_CASE("the end of a session stops its calls", "[server]") {
    Serving serving;
    const HttpHeaders session = serving.open_session();
    RawClient client(serving.server->port());
    serving.say(client, "POST", session, call_of("waits"));
    REQUIRE(serving.core.waiting.wait());
    CHECK(serving.call("DELETE", "/mcp", session).status == 204);
    CHECK(serving.core.stopped.wait());
}

TEST_CASE("metrics are for this machine, or for callers who may do everything", "[server]") {
    {
        Serving serving;
        CHECK(serving.call("GET", "/metrics").status == 200);
        for (const char* name : {"Forwarded", "X-Forwarded-For", "Via"}) {
            CHECK(serving.call("GET", "/metrics", {{name, "for=192.0.2.1"}}).status == 403);
        }
    }
    {
        Serving serving(Setup{.behind_proxy = true});
        serving.unready = "the audit log cannot be written";
        CHECK(serving.call("GET", "/metrics").status == 403);
        CHECK(serving.call("GET", "/readyz").body == "not ready\n");
        CHECK(serving.call("GET", "/healthz").status == 200);
    }
    Serving serving(Setup{.tokens = true});
    CHECK(serving.call("GET", "/metrics").status == 403);
    CHECK(serving.call("GET", "/metrics", {{"Authorization", "Bearer alice"}}).status == 403);
    CHECK(serving.call("GET", "/metrics", {{"Authorization", "Bearer all"}}).status == 200);
    serving.unready = "the audit log cannot be written";
    CHECK(serving.call("GET", "/readyz").body == "not ready\n");
    const auto told = serving.call("GET", "/readyz", {{"Authorization", "Bearer all"}});
    CHECK(told.body == "the audit log cannot be written\n");
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
    CHECK(serving.call("POST", "/healthz").status == 405);
    CHECK(serving.call("POST", "/healthz", {}, "x").status == 413);
}

TEST_CASE(
    "a listener that is not loopback needs authorization and the names of hosts", "[server]"
) {
    TransportRoom core;
    TokenGatekeeper tokens;
    const auto open = interlock::server::open_gatekeeper({});
    const auto start = [&](Gatekeeper& gatekeeper, std::vector<std::string> hosts) {
        return start_http_endpoint(
            "0.0.0.0",
            0,
            {.handler = core.handler,
             .sessions = core.room.sessions,
             .metrics = core.room.metrics,
             .gatekeeper = gatekeeper,
             .unready = [] { return ""; },
             .allowed_hosts = std::move(hosts)}
        );
    };
    const auto without_authorization = start(*open, {"mcp.example"});
    REQUIRE_FALSE(without_authorization.ok());
    CHECK(without_authorization.error().code == Errc::permission_denied);
    const auto without_names = start(tokens, {});
    REQUIRE_FALSE(without_names.ok());
    CHECK(without_names.error().code == Errc::invalid_input);
}

TEST_CASE("a silent legacy call is picked up again where its connection was lost", "[server]") {
    Serving serving({.silence = 20ms});
    const HttpHeaders session = serving.open_session();
    RawClient client(serving.server->port());
    serving.say(client, "POST", session, call_of("holds"));
    const std::string head = client.read_until("\r\n\r\n");
    CHECK_THAT(head, Catch::Contains("text/event-stream"));
    const std::string priming = event(client);
    const auto begin = priming.find("id: ") + 4;
    const std::string id = priming.substr(begin, priming.find('\n', begin) - begin);
    client.close();
    serving.core.go_on.come();
    HttpHeaders back = session;
    back.emplace_back("Last-Event-ID", id);
    // A stream that is silent for so short a time ends again, as often as the answer takes.
    std::string heard;
    CHECK(interlock::base::eventually([&] {
        RawClient again(serving.server->port());
        serving.say(again, "GET", back);
        heard = again.read_stream();
        return heard.find("held") != std::string::npos;
    }));
    INFO(heard);
}

TEST_CASE("a page of an allowed origin can use the endpoint, and no other page", "[server]") {
    Serving serving({.tokens = true, .origins = {"https://app.example"}});
    const HttpHeaders page{{"Origin", "https://app.example"}};
    HttpHeaders asking = page;
    asking.emplace_back("Access-Control-Request-Method", "POST");
    asking.emplace_back("Access-Control-Request-Headers", "authorization,mcp-session-id");
    const auto preflight = serving.call("OPTIONS", "/mcp", asking);
    CHECK(preflight.status == 204);
    CHECK(header(preflight, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK(header(preflight, "Access-Control-Allow-Headers") == "authorization, mcp-session-id");
    // The challenge can be read, and so can the metadata it names.
    const auto refused = serving.post(hello(), page);
    CHECK(refused.status == 401);
    CHECK(header(refused, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK_THAT(
        header(refused, "Access-Control-Expose-Headers"), Catch::Contains("WWW-Authenticate")
    );
    const std::string document = "/.well-known/oauth-protected-resource/mcp";
    CHECK(
        header(serving.call("GET", document, page), "Access-Control-Allow-Origin") ==
        "https://app.example"
    );
    HttpHeaders alice = page;
    alice.emplace_back("Authorization", "Bearer alice");
    const auto opened = serving.post(hello(), alice);
    CHECK(opened.status == 200);
    CHECK(header(opened, "Access-Control-Allow-Origin") == "https://app.example");
    CHECK(header(opened, "Vary") == "Origin");
    // Others are refused as before, and are told nothing.
    for (auto& [name, value] : asking) {
        value = name == "Origin" ? "https://evil.example" : value;
    }
    const auto foreign = serving.call("OPTIONS", "/mcp", asking);
    CHECK(foreign.status == 403);
    CHECK(header(foreign, "Access-Control-Allow-Origin").empty());
    // Without an origin nothing is named.
    const auto plain = serving.post(hello(), {{"Authorization", "Bearer alice"}});
    CHECK(plain.status == 200);
    CHECK(header(plain, "Access-Control-Allow-Origin").empty());
}
