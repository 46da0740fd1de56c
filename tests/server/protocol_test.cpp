// Runs tests/wire/*.trace: what a client sends and what it must get, as text. See
// tests/wire/README.md for the form.
#include "base/json.hpp"
#include "base/text.hpp"
#include "server/protocol.hpp"
#include "tests/server/protocol_fixture.hpp"
#include "tests/support/spans.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test::protocol {
namespace {

/// What a call was understood to be.
Json shown(const server::Job& job) {
    Json out{
        {"job", job.method},
        {"id", Json::parse(job.id)},
        {"name", job.name},
        {"arguments", Json::parse(job.arguments)}};
    if (job.input_responses) {
        out["inputResponses"] = *job.input_responses;
    }
    if (!job.remembered.empty()) {
        out["remembered"] = job.remembered;
    }
    if (!job.progress_token.empty()) {
        out["progressToken"] = Json::parse(job.progress_token);
    }
    if (job.log_level) {
        out["logLevel"] = server::name(*job.log_level);
    }
    return out;
}

Json shown(const server::Listen& listen) {
    const auto& filter = listen.filter;
    Json out{{"listen", Json::parse(listen.id)}, {"uris", filter.uris}, {"tasks", filter.tasks}};
    out["lists"] = Json::array();
    for (const auto& [name, wanted] :
         {std::pair{"tools", filter.tools},
          std::pair{"prompts", filter.prompts},
          std::pair{"resources", filter.resources}}) {
        if (wanted) {
            out["lists"].push_back(name);
        }
    }
    return out;
}

Json shown(const server::Part& part) {
    if (const auto* text = std::get_if<std::string>(&part)) {
        return Json::parse(*text);
    }
    if (const auto* job = std::get_if<std::unique_ptr<server::Job>>(&part)) {
        return shown(**job);
    }
    if (const auto* deferred = std::get_if<server::Deferred>(&part)) {
        auto settled = deferred->settle();
        const auto* text = std::get_if<std::string>(&settled);
        return text != nullptr ? Json::parse(*text) : shown(std::get<server::Listen>(settled));
    }
    return shown(std::get<server::Listen>(part));
}

} // namespace

Json shown(const server::Reaction& reaction) {
    Json all = Json::array();
    for (const auto& part : reaction.parts) {
        all.push_back(shown(part));
    }
    if (reaction.batch) {
        return all.empty() ? Json() : all;
    }
    return all.empty() ? Json() : all.at(0);
}

int error_code(const server::Reaction& reaction) {
    const Json said = shown(reaction);
    return said.is_object() && said.contains("error") ? said["error"]["code"].get<int>() : 0;
}

} // namespace interlock::test::protocol

namespace {

using interlock::base::Json;
using interlock::server::Arrival;
using interlock::server::HeaderValue;
using interlock::server::Reaction;
using interlock::server::RequestHeaders;
using interlock::test::protocol::error_code;
using interlock::test::protocol::full_offer;
using interlock::test::protocol::job_of;
using interlock::test::protocol::modern_headers;
using interlock::test::protocol::modern_meta;
using interlock::test::protocol::plain_offer;
using interlock::test::protocol::request;
using interlock::test::protocol::Room;
using interlock::test::protocol::shown;

/// One exchange of a trace: headers and body in; status, headers and body out.
struct Exchange {
    int line = 0;
    std::vector<std::string> client;
    std::vector<std::string> server;
};

struct Trace {
    std::string purpose;
    bool http = false;
    bool full = false;
    std::vector<Exchange> exchanges;
};

Trace read_trace(const std::filesystem::path& path) {
    std::ifstream file(path);
    Trace trace;
    std::vector<std::string>* block = nullptr;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (line == "-- client --") {
            trace.exchanges.push_back({number, {}, {}});
            block = &trace.exchanges.back().client;
        } else if (line == "-- server --") {
            REQUIRE(block != nullptr);
            block = &trace.exchanges.back().server;
        } else if (block != nullptr && !line.empty()) {
            block->push_back(line);
        } else if (line.rfind("transport: ", 0) == 0) {
            trace.http = line == "transport: http";
        } else if (line == "offer: full") {
            trace.full = true;
        } else if (!line.empty()) {
            trace.purpose += line + " ";
        }
    }
    return trace;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

HeaderValue* header_field(RequestHeaders& headers, const std::string& name) {
    const std::map<std::string, HeaderValue*> fields{
        {"MCP-Protocol-Version", &headers.version},
        {"Mcp-Method", &headers.method},
        {"Mcp-Name", &headers.name},
        {"Mcp-Session-Id", &headers.session}};
    const auto found = fields.find(name);
    return found != fields.end() ? found->second : nullptr;
}

/// "> Name: value" lines are headers, the rest is the body.
std::string read_client(const std::vector<std::string>& lines, RequestHeaders& headers) {
    std::string body;
    for (const std::string& line : lines) {
        if (line.rfind("> ", 0) != 0) {
            body += line;
            continue;
        }
        const auto colon = line.find(": ");
        REQUIRE(colon != std::string::npos);
        const std::string name = line.substr(2, colon - 2);
        if (name.rfind("Mcp-Param-", 0) == 0) {
            headers.parameters.emplace_back(
                interlock::base::lower_ascii(name), line.substr(colon + 2)
            );
            continue;
        }
        HeaderValue* field = header_field(headers, name);
        REQUIRE(field != nullptr);
        ++field->count;
        field->value = line.substr(colon + 2);
    }
    return body;
}

/// "*" stands for any value; a member "..." allows members that are not named.
bool matches(const Json& expected, const Json& actual) {
    if (expected == "*") {
        return true;
    }
    if (expected.is_object() && actual.is_object()) {
        const bool open = expected.contains("...");
        if (!open && expected.size() != actual.size()) {
            return false;
        }
        for (const auto& [key, value] : expected.items()) {
            if (key != "..." && (!actual.contains(key) || !matches(value, actual[key]))) {
                return false;
            }
        }
        return true;
    }
    if (expected.is_array() && actual.is_array() && expected.size() == actual.size()) {
        return std::equal(expected.begin(), expected.end(), actual.begin(), matches);
    }
    return expected == actual;
}

/// "cancels 7", "answers 7 {...}", "asks for interlock:triage": what is not said but done.
std::vector<std::string> deeds(const Reaction& reaction) {
    std::vector<std::string> out;
    for (const auto& [key, before] : reaction.cancelled) {
        out.push_back("cancels " + key.substr(key.find('\n') + 1));
    }
    for (const auto& answer : reaction.answers) {
        out.push_back("answers " + answer.id + " " + answer.result);
    }
    return out;
}

void check_server(const std::vector<std::string>& lines, const Reaction& reaction, bool http) {
    std::string expected;
    std::vector<std::string> done;
    for (const std::string& line : lines) {
        if (line.rfind("< ", 0) != 0) {
            expected += line;
        } else if (line.size() == 5) {
            const unsigned silent = 202;
            const unsigned status = reaction.parts.empty() ? silent : reaction.status;
            CHECK((http && std::to_string(status) == line.substr(2)));
        } else {
            done.push_back(line.substr(2));
        }
    }
    CHECK(done == deeds(reaction));
    const Json got = shown(reaction);
    INFO("got: " << got);
    if (expected.empty()) {
        CHECK(got.is_null());
        return;
    }
    const auto wanted = interlock::base::parse_json(expected);
    INFO("wanted: " << expected);
    REQUIRE(wanted.ok());
    CHECK(matches(wanted.value(), got));
}

void run_trace(const Trace& trace) {
    Room room(trace.full ? full_offer() : plain_offer());
    std::string session;
    for (const Exchange& exchange : trace.exchanges) {
        INFO("line " << exchange.line);
        Arrival arrival = trace.http ? Room::http() : room.stdio();
        std::string body = read_client(exchange.client, arrival.headers);
        replace_all(arrival.headers.session.value, "$session", session);
        replace_all(body, "$meta", modern_meta());
        const Reaction reaction = room.protocol.receive(body, arrival);
        session = reaction.session.empty() ? session : reaction.session;
        check_server(exchange.server, reaction, trace.http);
    }
}

bool has(
    const interlock::telemetry::FinishedSpan& span, const std::string& key, const std::string& value
) {
    return std::any_of(span.attributes.begin(), span.attributes.end(), [&](const auto& attribute) {
        return attribute.key == key &&
               attribute.value == interlock::telemetry::AttributeValue(value);
    });
}

} // namespace

TEST_CASE("every wire trace is answered as written", "[server]") {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("tests/wire")) {
        if (entry.path().extension() != ".trace") {
            continue;
        }
        ++count;
        const Trace trace = read_trace(entry.path());
        INFO(entry.path().filename().string() << ": " << trace.purpose);
        CHECK_FALSE(trace.purpose.empty());
        REQUIRE_FALSE(trace.exchanges.empty());
        run_trace(trace);
    }
    CHECK(count >= 12);
}

TEST_CASE("the trace of a call continues the caller's", "[server]") {
    Room room;
    const std::string caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto params =
        R"("name":"echo",)" + modern_meta("2026-07-28", "{}", R"("traceparent":")" + caller + "\"");
    (void)room.protocol.receive(
        R"({"jsonrpc":"2.0","id":"q","method":"tools/call","params":{)" + params + "}}",
        Room::http(modern_headers("tools/call", "echo"))
    );
    REQUIRE(room.spans.spans.size() == 1);
    const auto& span = room.spans.spans.front();
    CHECK(span.name == "tools/call echo");
    CHECK(span.context.trace_id == "0af7651916cd43dd8448eb211c80319c");
    CHECK(span.parent_span_id == "b7ad6b7169203331");
    CHECK(span.kind == interlock::telemetry::SpanKind::server);
    CHECK_FALSE(span.error);
    CHECK(has(span, "mcp.method.name", "tools/call"));
    CHECK(has(span, "gen_ai.tool.name", "echo"));
    CHECK(has(span, "gen_ai.operation.name", "execute_tool"));
    CHECK(has(span, "jsonrpc.request.id", "q"));
    CHECK(has(span, "mcp.protocol.version", "2026-07-28"));
    CHECK(has(span, "network.transport", "tcp"));
}

TEST_CASE("a refusal makes one failed span, and names of strangers are in none", "[server]") {
    Room room;
    (void)room.protocol.receive(request("made/up", modern_meta()), room.stdio());
    REQUIRE(room.spans.spans.size() == 1);
    CHECK(room.spans.spans.back().name == "other");
    CHECK_FALSE(room.spans.spans.back().error); // the caller's mistake, not the server's failure
    CHECK(has(room.spans.spans.back(), "rpc.response.status_code", "-32601"));
    CHECK(has(room.spans.spans.back(), "error.type", "-32601"));
    (void)room.protocol.receive(
        request("tools/call", R"("name":"echo","requestState":"forged",)" + modern_meta()),
        room.stdio()
    );
    REQUIRE(room.spans.spans.size() == 2);
    CHECK(room.spans.spans.back().name == "tools/call echo");
    (void)room.protocol.receive(
        request("tools/call", R"("name":"stranger",)" + modern_meta()), room.stdio()
    );
    REQUIRE(room.spans.spans.size() == 3);
    CHECK(room.spans.spans.back().name == "tools/call");
    const std::string metrics = room.metrics.render();
    CHECK(metrics.find(R"(interlock_protocol_errors_total{code="-32601"} 1)") != std::string::npos);
    CHECK(metrics.find("made/up") == std::string::npos);
    CHECK(metrics.find(R"(mcp_method_name="tools/call")") != std::string::npos);
}

TEST_CASE("the trace of an HTTP request is linked, or the parent where no other is", "[server]") {
    Room room;
    const std::string outer = "00-11111111111111111111111111111111-2222222222222222-01";
    const std::string inner = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto call = [&](const std::string& meta) {
        auto arrival = Room::http(modern_headers("server/discover"));
        arrival.traceparent = outer;
        (void)room.protocol.receive(request("server/discover", meta), arrival);
        return room.spans.spans.back();
    };
    const auto both = call(modern_meta("2026-07-28", "{}", R"("traceparent":")" + inner + "\""));
    CHECK(both.parent_span_id == "b7ad6b7169203331");
    REQUIRE(both.links.size() == 1);
    CHECK(both.links[0].trace_id == "11111111111111111111111111111111");
    CHECK(both.links[0].span_id == "2222222222222222");
    const auto only = call(modern_meta());
    CHECK(only.context.trace_id == "11111111111111111111111111111111");
    CHECK(only.parent_span_id == "2222222222222222");
    CHECK(only.links.empty());
}

TEST_CASE("a span says who asked, from where and how much was answered", "[server]") {
    Room room;
    auto arrival = Room::http(modern_headers("server/discover"));
    arrival.peer = "192.0.2.7";
    arrival.peer_port = 4711;
    arrival.access.identity = {"alice", "https://issuer.example", "jwt", "", "diag_ro", {}};
    (void)room.protocol.receive(request("server/discover", modern_meta()), arrival);
    const auto& span = room.spans.spans.back();
    CHECK(has(span, "client.address", "192.0.2.7"));
    CHECK(has(span, "network.protocol.name", "http"));
    CHECK(has(span, "network.protocol.version", "1.1"));
    CHECK(
        has(span,
            "mcp.identity_context",
            R"({"subject":"alice","issuer":"https://issuer.example","proof":"jwt",)"
            R"("database_role":"diag_ro"})")
    );
    CHECK(interlock::test::number_of(span, "client.port") == 4711);
    CHECK(interlock::test::number_of(span, "mcp.payload_bytes") > 0);
    (void)room.protocol.receive(request("server/discover", modern_meta()), room.stdio());
    CHECK(has(room.spans.spans.back(), "network.transport", "pipe"));
    CHECK_FALSE(interlock::test::text_of(room.spans.spans.back(), "client.address"));
    CHECK_FALSE(interlock::test::text_of(room.spans.spans.back(), "network.protocol.name"));
}

TEST_CASE("sessions show in legacy spans only", "[server]") {
    Room room;
    const auto session = room.open_session("2025-11-25");
    (void)room.protocol.receive(request("ping"), room.in_session(session));
    CHECK(has(room.spans.spans.back(), "mcp.session.id", session));
    auto modern = Room::http(modern_headers("server/discover"));
    modern.headers.session = {1, session};
    (void)room.protocol.receive(request("server/discover", modern_meta()), modern);
    CHECK_FALSE(has(room.spans.spans.back(), "mcp.session.id", session));
}

TEST_CASE("a method is labelled by its own name when it is served", "[server]") {
    using interlock::server::method_label;
    for (const char* method :
         {"initialize",
          "ping",
          "server/discover",
          "tools/list",
          "tools/call",
          "resources/read",
          "prompts/get",
          "completion/complete",
          "subscriptions/listen",
          "tasks/update"}) {
        CHECK(method_label(method) == method);
    }
    CHECK(method_label("tasks/result") == "other");
    CHECK(method_label("") == "other");
}

TEST_CASE("a session belongs to the caller that opened it", "[server]") {
    Room room;
    const auto session = room.open_session("2025-11-25");
    REQUIRE_FALSE(session.empty());
    const auto status = [&](const std::string& subject, const std::string& issuer) {
        auto arrival = room.in_session(session);
        arrival.access.identity.subject = subject;
        arrival.access.identity.issuer = issuer;
        return room.protocol.receive(request("ping"), arrival).status;
    };
    CHECK(status("os:tester", "os") == 200);
    CHECK(status("somebody:else", "os") == 404);
    CHECK(status("os:tester", "another issuer") == 404);
    CHECK(room.sessions.end(session, interlock::server::session_owner(Room::access().identity)));
    CHECK(status("os:tester", "os") == 404);
}

TEST_CASE("JSON-RPC that could confuse is refused in both eras", "[server]") {
    Room room;
    const auto session = room.open_session("2025-11-25");
    const std::string meta = modern_meta();
    for (const std::string& text :
         {std::string(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":{},"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":[1],"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":1.0,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":true,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":1e400,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"method":["ping"]})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":["a"]})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})"),
          std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping","error":{}})"),
          std::string(R"({"jsonrpc":2.0,"id":1,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2","id":1,"method":"ping"})"),
          std::string(R"({"id":1,"method":"ping"})"),
          std::string(R"({"jsonrpc":"2.0","id":1})"),
          std::string(R"("ping")"),
          std::string("[[]]"),
          std::string("nonsense"),
          std::string()}) {
        INFO(text);
        for (const Arrival& arrival :
             {room.in_session(session), Room::http(modern_headers("ping")), room.stdio()}) {
            const Reaction reaction = room.protocol.receive(text, arrival);
            const int code = error_code(reaction);
            CHECK((code == -32600 || code == -32700));
            CHECK(reaction.status == 400);
            CHECK(reaction.parts.size() == 1);
        }
    }
    // A name that only looks the same is another name.
    for (const std::string method :
         {"ping\\u0000", "tools/list ", "Tools/List", "", "tools//list"}) {
        INFO(method);
        CHECK(
            error_code(room.protocol.receive(request(method), room.in_session(session))) == -32601
        );
        CHECK(error_code(room.protocol.receive(request(method, meta), room.stdio())) == -32601);
    }
}
