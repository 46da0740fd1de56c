// What one method makes of its request; conversations of several are in tests/wire.
#include "base/limits.hpp"
#include "server/protocol.hpp"
#include "tests/server/protocol_fixture.hpp"

#include <algorithm>
#include <stop_token>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Arrival;
using interlock::server::Deferred;
using interlock::server::Era;
using interlock::server::Job;
using interlock::server::JobKind;
using interlock::server::Listen;
using interlock::server::Reaction;
using interlock::server::StateBinding;
using interlock::server::TaskSupport;
using interlock::test::protocol::error_code;
using interlock::test::protocol::full_offer;
using interlock::test::protocol::job_of;
using interlock::test::protocol::modern_headers;
using interlock::test::protocol::modern_meta;
using interlock::test::protocol::plain_offer;
using interlock::test::protocol::request;
using interlock::test::protocol::Room;
using interlock::test::protocol::shown;

const std::string knows_tasks = R"({"extensions":{"io.modelcontextprotocol/tasks":{}}})";

/// A modern request on stdio.
Reaction modern(
    Room& room,
    const std::string& method,
    const std::string& params = {},
    const std::string& capabilities = "{}",
    const std::string& more_meta = {}
) {
    const auto all =
        params + (params.empty() ? "" : ",") + modern_meta("2026-07-28", capabilities, more_meta);
    return room.protocol.receive(request(method, all), room.stdio());
}

/// A legacy request in a session on HTTP.
struct Legacy {
    Room room;
    std::string session;
    explicit Legacy(
        interlock::server::Offer offer = full_offer(), const std::string& version = "2025-11-25"
    )
        : room(std::move(offer)), session(room.open_session(version, R"({"sampling":{}})")) {}
    Reaction operator()(const std::string& method, const std::string& params = {}) {
        return room.protocol.receive(request(method, params), room.in_session(session));
    }
};

Json required(const Reaction& reaction) {
    CHECK(reaction.status == 400);
    CHECK(error_code(reaction) == -32021);
    return shown(reaction)["error"]["data"]["requiredCapabilities"];
}

} // namespace

TEST_CASE("a call over modern HTTP ends with its request, all others by name", "[server]") {
    Room room;
    const auto over_http = room.protocol.receive(
        request("tools/call", R"("name":"echo",)" + modern_meta()),
        Room::http(modern_headers("tools/call", "echo"))
    );
    CHECK(job_of(over_http).key.empty());
    CHECK(job_of(over_http).cancel_on_disconnect);
    CHECK(job_of(over_http).session == nullptr);

    const auto on_stdio = modern(room, "tools/call", R"("name":"echo")");
    CHECK_FALSE(job_of(on_stdio).cancel_on_disconnect);
    const auto cancel = room.protocol.receive(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})",
        room.stdio()
    );
    REQUIRE(cancel.cancelled.size() == 1);
    CHECK(cancel.cancelled.front().key == job_of(on_stdio).key);

    Legacy legacy;
    const auto in_session = legacy("tools/call", R"("name":"echo")");
    CHECK_FALSE(job_of(in_session).cancel_on_disconnect);
    const auto other = legacy.room.open_session("2025-11-25");
    const auto notification =
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})";
    const auto elsewhere =
        legacy.room.protocol.receive(notification, legacy.room.in_session(other));
    CHECK(elsewhere.cancelled.front().key != job_of(in_session).key);
    const auto here =
        legacy.room.protocol.receive(notification, legacy.room.in_session(legacy.session));
    CHECK(here.cancelled.front().key == job_of(in_session).key);
    CHECK(here.status == 202);
}

TEST_CASE("a job knows who asked, how, and under which offer", "[server]") {
    Room room;
    const auto reaction = modern(
        room,
        "tools/call",
        R"("name":"echo","arguments":{"text":"hi"},"task":{"ttl":1},"inputResponses":{"k":{}})",
        R"({"elicitation":{},"roots":{}})",
        R"("progressToken":"p","io.modelcontextprotocol/logLevel":"error",)"
        R"("io.modelcontextprotocol/clientInfo":{"name":"c","version":"2"})"
    );
    const Job& job = job_of(reaction);
    CHECK(job.kind == JobKind::call_tool);
    CHECK(job.method == "tools/call");
    CHECK(job.era == Era::modern);
    CHECK(job.version == "2026-07-28");
    CHECK(job.name == "echo");
    CHECK(job.arguments == R"({"text":"hi"})");
    CHECK(job.access.identity.client == "c/2");
    CHECK(job.client.elicitation_form);
    CHECK(job.client.roots);
    CHECK_FALSE(job.client.sampling);
    CHECK(job.offer == room.catalogue.current());
    CHECK(job.progress_token == R"("p")");
    CHECK(job.log_level == interlock::server::LogSeverity::error);
    REQUIRE(job.input_responses);
    CHECK(job.input_responses->contains("k"));
    CHECK(job.subject() == "os\nos:tester");
}

TEST_CASE("a legacy job knows its session, and nothing of retries", "[server]") {
    Legacy legacy;
    CHECK(shown(legacy("logging/setLevel", R"("level":"notice")"))["result"] == Json::object());
    const auto reaction = legacy(
        "tools/call",
        R"("name":"echo","inputResponses":7,"requestState":7,"_meta":{"progressToken":3})"
    );
    const Job& job = job_of(reaction);
    CHECK(job.era == Era::legacy);
    CHECK(job.version == "2025-11-25");
    REQUIRE(job.session);
    CHECK(job.session->id() == legacy.session);
    CHECK(job.client.sampling);
    CHECK(job.progress_token == "3");
    CHECK(job.log_level == interlock::server::LogSeverity::notice);
    CHECK(job.input_responses == nullptr);
    CHECK(job.remembered.empty());
}

TEST_CASE("a state opens for the call it was given out for and no other", "[server]") {
    Room room;
    const auto call =
        [&](const std::string& method, const std::string& params, const std::string& state) {
            return modern(room, method, params + R"(,"requestState":")" + state + "\"");
        };
    const std::string echo = R"("name":"echo","arguments":{"b":1,"a":2})";
    const auto first = modern(room, "tools/call", echo);
    const auto sealed = room.states.seal(job_of(first).binding(), "step 2");

    const auto again = call("tools/call", R"("name":"echo","arguments":{"a":2,"b":1})", sealed);
    CHECK(job_of(again).remembered == "step 2");
    // Over the other transport too: it is bound to the caller, not to a connection.
    const auto over_http = room.protocol.receive(
        request("tools/call", echo + R"(,"requestState":")" + sealed + "\"," + modern_meta()),
        Room::http(modern_headers("tools/call", "echo"))
    );
    CHECK(job_of(over_http).remembered == "step 2");

    CHECK(error_code(call("tools/call", echo, sealed + "-TAMPERED")) == -32602);
    CHECK(error_code(call("tools/call", echo, "")) == -32602);
    CHECK(
        error_code(call("tools/call", R"("name":"fails","arguments":{"b":1,"a":2})", sealed)) ==
        -32602
    );
    CHECK(error_code(call("tools/call", R"("name":"echo","arguments":{"b":1})", sealed)) == -32602);
    CHECK(error_code(call("prompts/get", R"("name":"echo")", sealed)) == -32602);
    CHECK(error_code(modern(room, "tools/call", echo + R"(,"requestState":{})")) == -32602);
    CHECK(error_code(modern(room, "tools/call", echo + R"(,"inputResponses":[])")) == -32602);

    auto stranger = room.stdio();
    stranger.access.identity.subject = "os:mallory";
    CHECK(
        error_code(room.protocol.receive(
            request("tools/call", echo + R"(,"requestState":")" + sealed + "\"," + modern_meta()),
            stranger
        )) == -32602
    );
    room.clock.advance(interlock::base::limits::request_state_lifetime);
    CHECK(error_code(call("tools/call", echo, sealed)) == -32602);
}

TEST_CASE("retries are for tools, prompts and resources", "[server]") {
    Room room;
    for (const auto& [method, params] :
         {std::pair<std::string, std::string>{"prompts/get", R"("name":"review")"},
          std::pair<std::string, std::string>{"resources/read", R"("uri":"test://one")"}}) {
        const auto first = modern(room, method, params);
        const auto sealed = room.states.seal(job_of(first).binding(), "s");
        const auto again = modern(
            room, method, params + R"(,"inputResponses":{"k":{}},"requestState":")" + sealed + "\""
        );
        CHECK(job_of(again).remembered == "s");
        CHECK(job_of(again).input_responses);
        CHECK(error_code(modern(room, method, params + R"(,"requestState":"x")")) == -32602);
    }
    const auto completion = modern(
        room,
        "completion/complete",
        R"("ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"what","value":"a"},)"
        R"("requestState":"ignored","inputResponses":{"k":{}})"
    );
    CHECK(job_of(completion).kind == JobKind::complete);
    CHECK(job_of(completion).name == "review");
    CHECK(job_of(completion).input_responses == nullptr);
}

TEST_CASE("a tool that asks needs a client that answers", "[server]") {
    Room room;
    CHECK(
        required(modern(room, "tools/call", R"("name":"samples")")) ==
        Json::parse(R"({"sampling":{}})")
    );
    CHECK(
        required(modern(room, "tools/call", R"("name":"asks")", R"({"sampling":{}})")) ==
        Json::parse(R"({"elicitation":{}})")
    );
    // Before its arguments are looked at.
    CHECK(required(modern(room, "tools/call", R"("name":"samples","arguments":[])")).size() == 1);
    CHECK(
        job_of(modern(room, "tools/call", R"("name":"samples")", R"({"sampling":{}})")).name ==
        "samples"
    );
    CHECK(
        job_of(modern(room, "tools/call", R"("name":"asks")", R"({"elicitation":{}})")).name ==
        "asks"
    );
    Legacy legacy; // has no such error: the tool finds out when it asks
    CHECK(job_of(legacy("tools/call", R"("name":"asks")")).name == "asks");
}

TEST_CASE("a tool that is a task only needs a client that knows tasks", "[server]") {
    Room room;
    CHECK(
        required(modern(room, "tools/call", R"("name":"long_work")")) == Json::parse(knows_tasks)
    );
    CHECK(job_of(modern(room, "tools/call", R"("name":"long_work")", knows_tasks)).client.tasks);
    Legacy legacy;
    CHECK(error_code(legacy("tools/call", R"("name":"long_work")")) == -32601);
}

TEST_CASE("tasks are for their owner, if it declares that it knows tasks", "[server]") {
    Room room;
    const std::string owner = interlock::server::session_owner(Room::access().identity);
    const auto task = room.tasks.start(owner, std::stop_source{});
    REQUIRE(task.ok());
    const std::string id = R"("taskId":")" + task.value() + "\"";
    for (const std::string method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
        INFO(method);
        CHECK(required(modern(room, method, id)) == Json::parse(knows_tasks));
        const std::string rest = method == "tasks/update" ? R"(,"inputResponses":{})" : "";
        const auto served = shown(modern(room, method, id + rest, knows_tasks));
        INFO(served);
        REQUIRE(served.contains("result"));
        CHECK(served["result"]["resultType"] == "complete");
        CHECK(served["result"]["_meta"].contains("io.modelcontextprotocol/serverInfo"));
        CHECK(
            error_code(modern(room, method, R"("taskId":"other")" + rest, knows_tasks)) == -32602
        );
        CHECK(error_code(modern(room, method, R"("taskId":7)" + rest, knows_tasks)) == -32602);
        auto stranger = room.stdio();
        stranger.access.identity.subject = "os:mallory";
        CHECK(
            error_code(room.protocol.receive(
                request(method, id + rest + "," + modern_meta("2026-07-28", knows_tasks)), stranger
            )) == -32602
        );
    }
    CHECK(error_code(modern(room, "tasks/update", id, knows_tasks)) == -32602);
    CHECK(error_code(modern(room, "tasks/list", "", knows_tasks)) == -32601);
    CHECK(error_code(modern(room, "tasks/result", id, knows_tasks)) == -32601);
    Room without(plain_offer());
    CHECK(error_code(modern(without, "tasks/get", id, knows_tasks)) == -32601);
}

TEST_CASE("a scope that is missing is named, with status 403", "[server]") {
    Room room;
    const auto call = [&](const std::string& name, std::set<std::string> scopes) {
        auto arrival = Room::http(modern_headers("tools/call", name));
        arrival.access.scopes = std::move(scopes);
        return room.protocol.receive(
            request("tools/call", R"("name":")" + name + "\"," + modern_meta()), arrival
        );
    };
    const auto refused = call("echo", {"interlock:postgres"});
    CHECK(refused.status == 403);
    CHECK(refused.challenge == "interlock:triage");
    CHECK(shown(refused)["id"] == 1);
    CHECK(error_code(refused) != 0);
    CHECK(job_of(call("echo", {"interlock:triage"})).name == "echo");
    CHECK(job_of(call("routed", {})).name == "routed");   // of no domain
    CHECK(job_of(call("unknown", {})).name == "unknown"); // scopes tell nothing about strangers
}

TEST_CASE("a tool that is not shown is a tool that is not there", "[server]") {
    Room room;
    auto arrival = Room::http(modern_headers("tools/call", "echo"));
    arrival.access.toolsets = std::set<std::string>{"postgres"};
    arrival.access.scopes = std::set<std::string>{};
    const auto reaction =
        room.protocol.receive(request("tools/call", R"("name":"echo",)" + modern_meta()), arrival);
    CHECK(job_of(reaction).offer->tool("echo", job_of(reaction).access) == nullptr);
    arrival.headers = modern_headers("tools/list");
    const auto list = shown(room.protocol.receive(request("tools/list", modern_meta()), arrival));
    for (const Json& tool : list["result"]["tools"]) {
        CHECK(tool["name"] != "echo");
    }
}

TEST_CASE("mirrored arguments agree with their headers over modern HTTP alone", "[server]") {
    Room room;
    const std::string params = R"("name":"routed","arguments":{"region":"eu","count":2})";
    const auto over_http = [&](std::vector<std::pair<std::string, std::string>> headers) {
        auto arrival = Room::http(modern_headers("tools/call", "routed"));
        arrival.headers.parameters = std::move(headers);
        return room.protocol.receive(request("tools/call", params + "," + modern_meta()), arrival);
    };
    CHECK(
        job_of(over_http({{"mcp-param-region", "eu"}, {"mcp-param-count", "2"}})).name == "routed"
    );
    const auto refused = over_http({{"mcp-param-region", "us"}, {"mcp-param-count", "2"}});
    CHECK(error_code(refused) == -32020);
    CHECK(refused.status == 400);
    CHECK(shown(refused)["id"] == 1);
    CHECK(error_code(over_http({{"mcp-param-region", "eu"}})) == -32020);
    CHECK(job_of(modern(room, "tools/call", params)).name == "routed");
    Legacy legacy;
    CHECK(job_of(legacy("tools/call", params)).name == "routed");
}

TEST_CASE("a listen is narrowed to what is advertised and to what is the caller's", "[server]") {
    Room room;
    const std::string owner = interlock::server::session_owner(Room::access().identity);
    const auto mine = room.tasks.start(owner, std::stop_source{}).value();
    const auto foreign = room.tasks.start("somebody", std::stop_source{}).value();
    const std::string all = R"("toolsListChanged":true,"promptsListChanged":true,)"
                            R"("resourcesListChanged":true,)"
                            R"("resourceSubscriptions":["test://watched/1","test://other"])";
    const std::string tasks = R"(,"taskIds":[")" + mine + "\",\"" + foreign + "\"]";
    const auto reaction = modern(
        room, "subscriptions/listen", R"("notifications":{)" + all + tasks + "}", knows_tasks
    );
    REQUIRE(reaction.parts.size() == 1);
    // What can be watched is looked up by a worker.
    auto settled = std::get<Deferred>(reaction.parts.front()).settle();
    const auto& listen = std::get<Listen>(settled);
    CHECK(listen.id == "1");
    CHECK(listen.subject == owner);
    CHECK(listen.filter.tools);
    CHECK(listen.filter.prompts);
    CHECK(listen.filter.resources);
    CHECK(listen.filter.uris == std::set<std::string>{"test://watched/1"});
    CHECK(listen.filter.tasks == std::set<std::string>{mine});
    CHECK(listen.result_members == room.catalogue.current()->modern_members());
    CHECK_FALSE(listen.key.empty());

    CHECK(
        required(modern(room, "subscriptions/listen", R"("notifications":{)" + all + tasks + "}")
        ) == Json::parse(knows_tasks)
    );
    CHECK(error_code(modern(room, "subscriptions/listen")) == -32602);
    CHECK(error_code(modern(room, "subscriptions/listen", R"("notifications":[])")) == -32602);

    Room still(plain_offer());
    const auto nothing = modern(still, "subscriptions/listen", R"("notifications":{)" + all + "}");
    CHECK(std::get<Listen>(nothing.parts.front()).filter.empty());

    const auto over_http = room.protocol.receive(
        request("subscriptions/listen", R"("notifications":{},)" + modern_meta()),
        Room::http(modern_headers("subscriptions/listen"))
    );
    CHECK(std::get<Listen>(over_http.parts.front()).key.empty());
}

TEST_CASE("a listen without flags that are false stays empty", "[server]") {
    Room room;
    const auto reaction =
        modern(room, "subscriptions/listen", R"("notifications":{"toolsListChanged":false})");
    CHECK(std::get<Listen>(reaction.parts.front()).filter.empty());
}

TEST_CASE("a legacy session subscribes to what can be watched", "[server]") {
    Legacy legacy;
    const auto session = legacy.room.sessions.find(
        legacy.session, interlock::server::session_owner(Room::access().identity)
    );
    CHECK(
        shown(legacy("resources/subscribe", R"("uri":"test://watched")"))["result"] ==
        Json::object()
    );
    CHECK(session->subscribed("test://watched"));
    const auto missing = shown(legacy("resources/subscribe", R"("uri":"test://no")"));
    CHECK(missing["error"]["code"] == -32002);
    CHECK(missing["error"]["data"]["uri"] == "test://no");
    CHECK(error_code(legacy("resources/subscribe")) == -32602);
    CHECK(error_code(legacy("resources/unsubscribe", R"("uri":7)")) == -32602);
    CHECK(
        shown(legacy("resources/unsubscribe", R"("uri":"test://watched")"))["result"] ==
        Json::object()
    );
    CHECK_FALSE(session->subscribed("test://watched"));
    for (std::size_t i = 0; i < interlock::base::limits::session_subscriptions_max; ++i) {
        session->subscribe("test://watched/" + std::to_string(i));
    }
    CHECK(error_code(legacy("resources/subscribe", R"("uri":"test://watched/more")")) == -32602);
}

TEST_CASE("a level that is none is refused", "[server]") {
    Legacy legacy;
    for (const std::string wrong : {R"("level":"loud")", R"("level":7)", ""}) {
        CHECK(error_code(legacy("logging/setLevel", wrong)) == -32602);
    }
    Room room;
    for (const std::string method : {"tools/list", "server/discover"}) {
        CHECK(
            error_code(
                modern(room, method, "", "{}", R"("io.modelcontextprotocol/logLevel":"loud")")
            ) == -32602
        );
    }
}

TEST_CASE("what is not offered is no method", "[server]") {
    Legacy legacy(plain_offer());
    for (const std::string method :
         {"resources/list",
          "resources/templates/list",
          "resources/read",
          "resources/subscribe",
          "resources/unsubscribe",
          "prompts/list",
          "prompts/get",
          "completion/complete",
          "logging/setLevel",
          "server/discover",
          "subscriptions/listen",
          "tasks/get",
          "tasks/list",
          "tasks/result",
          "elicitation/create",
          "notifications/initialized"}) {
        INFO(method);
        const auto reaction = legacy(method);
        CHECK(error_code(reaction) == -32601);
        CHECK(reaction.status == 200);
    }
    interlock::server::Offer nothing;
    Room room(nothing);
    CHECK(error_code(modern(room, "tools/list")) == -32601);
    CHECK(error_code(modern(room, "tools/call", R"("name":"a")")) == -32601);
    CHECK(shown(modern(room, "server/discover"))["result"]["capabilities"] == Json::object());
}

TEST_CASE("modern clients are told that what their revision removed is not there", "[server]") {
    Room room;
    for (const std::string method :
         {"initialize",
          "ping",
          "logging/setLevel",
          "resources/subscribe",
          "resources/unsubscribe",
          "unknown/method"}) {
        INFO(method);
        const auto reaction = room.protocol.receive(
            request(method, R"("uri":"test://watched","level":"info",)" + modern_meta()),
            Room::http(modern_headers(method))
        );
        CHECK(error_code(reaction) == -32601);
        CHECK(reaction.status == 404);
        CHECK(reaction.session.empty());
    }
}

TEST_CASE("every modern list is cacheable, and every modern result is typed", "[server]") {
    Room room;
    for (const std::string method :
         {"server/discover",
          "tools/list",
          "prompts/list",
          "resources/list",
          "resources/templates/list"}) {
        INFO(method);
        const Json result = shown(modern(room, method))["result"];
        CHECK(result["resultType"] == "complete");
        CHECK(result["ttlMs"].is_number_unsigned());
        CHECK(result["cacheScope"] == "private");
        CHECK(result["_meta"].contains("io.modelcontextprotocol/serverInfo"));
        if (method != "server/discover") {
            CHECK(error_code(modern(room, method, R"("cursor":"")")) == -32602);
            CHECK(error_code(modern(room, method, R"("cursor":3)")) == -32602);
        }
    }
    Legacy legacy;
    for (const std::string method :
         {"tools/list", "prompts/list", "resources/list", "resources/templates/list"}) {
        const Json result = shown(legacy(method))["result"];
        CHECK_FALSE(result.contains("resultType"));
        CHECK_FALSE(result.contains("ttlMs"));
    }
}

TEST_CASE("initialize agrees on a version and on what the client can answer", "[server]") {
    Room room;
    const auto hello = [&](const std::string& params, const Arrival& arrival) {
        return room.protocol.receive(request("initialize", params), arrival);
    };
    for (const auto& [asked, agreed] :
         {std::pair{"2025-11-25", "2025-11-25"},
          std::pair{"2025-06-18", "2025-06-18"},
          std::pair{"2025-03-26", "2025-03-26"},
          std::pair{"2024-11-05", "2025-11-25"},
          std::pair{"2026-07-28", "2025-11-25"},
          std::pair{"", "2025-11-25"}}) {
        const auto reaction = hello(
            R"("capabilities":{"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}},)"
            R"("clientInfo":{"name":"n","version":"1"},"protocolVersion":")" +
                std::string(asked) + "\"",
            room.stdio()
        );
        CHECK(shown(reaction)["result"]["protocolVersion"] == agreed);
        CHECK(room.process->version() == agreed);
        CHECK(room.process->client().roots);
        CHECK_FALSE(room.process->client().tasks);
        CHECK(room.process->client().name == "n/1");
    }
    CHECK(error_code(hello("", room.stdio())) == -32602);
    CHECK(error_code(hello(R"("protocolVersion":7)", room.stdio())) == -32602);
    auto stale = room.in_session("long-gone");
    const auto opened = hello(R"("protocolVersion":"2025-11-25")", stale);
    CHECK(opened.status == 200);
    CHECK_FALSE(opened.session.empty());
    CHECK(opened.session != "long-gone");
    CHECK(hello(R"("protocolVersion":"2025-11-25")", Room::http()).session != opened.session);
}

TEST_CASE("a process that said nothing of itself is asked to, but may ping", "[server]") {
    Room room;
    CHECK(shown(room.protocol.receive(request("ping"), room.stdio()))["result"] == Json::object());
    CHECK(error_code(room.protocol.receive(request("tools/list"), room.stdio())) == -32600);
    auto nobody = room.stdio();
    nobody.process = nullptr;
    CHECK(error_code(room.protocol.receive(request("tools/list"), nobody)) == -32600);
}

TEST_CASE("answers to our questions find their session", "[server]") {
    Legacy legacy;
    const auto answer = [&](const std::string& members) {
        return legacy.room.protocol.receive(
            R"({"jsonrpc":"2.0",)" + members + "}", legacy.room.in_session(legacy.session)
        );
    };
    const auto good = answer(R"("id":"q_1","result":{"action":"accept"})");
    CHECK(good.status == 202);
    CHECK(good.parts.empty());
    REQUIRE(good.answers.size() == 1);
    CHECK(good.answers.front().id == R"("q_1")");
    CHECK(good.answers.front().result == R"({"action":"accept"})");
    CHECK(good.answers.front().session->id() == legacy.session);
    const auto bad = answer(R"("id":7,"error":{"code":-1,"message":"no"})");
    REQUIRE(bad.answers.size() == 1);
    CHECK(bad.answers.front().result.empty());
    CHECK(answer(R"("error":{"code":-1,"message":"no"})").answers.empty());
    const auto outside = legacy.room.protocol.receive(
        R"({"jsonrpc":"2.0","id":"q_1","result":{}})", legacy.room.in_session("unknown")
    );
    CHECK(outside.status == 404);
    CHECK(outside.answers.empty());
}
