// Runs tests/wire/*.trace: what a client sends and what it must get, as text. See
// tests/wire/README.md for the form.
#include "base/json.hpp"
#include "server/protocol.hpp"
#include "tests/server/fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Arrival;
using interlock::server::HeaderValue;
using interlock::server::Reply;
using interlock::server::RequestHeaders;
using interlock::test::Core;

/// One exchange of a trace: headers and body in; status, headers and body out.
struct Exchange {
    int line = 0;
    std::vector<std::string> client;
    std::vector<std::string> server;
};

struct Trace {
    std::string purpose;
    bool http = false;
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
        HeaderValue* field = header_field(headers, line.substr(2, colon - 2));
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

void check_server(const std::vector<std::string>& lines, const Reply& reply) {
    std::string expected;
    for (const std::string& line : lines) {
        if (line.rfind("< ", 0) == 0) {
            CHECK(std::to_string(reply.status) == line.substr(2));
        } else {
            expected += line;
        }
    }
    INFO("got: " << reply.body);
    if (expected.empty()) {
        CHECK(reply.body.empty());
        return;
    }
    const auto wanted = interlock::base::parse_json(expected);
    const auto got = interlock::base::parse_json(reply.body);
    INFO("wanted: " << expected);
    REQUIRE(wanted.ok());
    REQUIRE(got.ok());
    CHECK(matches(wanted.value(), got.value()));
}

void run_trace(const Trace& trace) {
    Core core;
    std::string session;
    for (const Exchange& exchange : trace.exchanges) {
        INFO("line " << exchange.line);
        Arrival arrival = trace.http ? Core::http() : core.stdio();
        std::string body = read_client(exchange.client, arrival.headers);
        replace_all(arrival.headers.session.value, "$session", session);
        replace_all(
            body,
            "$meta",
            R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
            R"("io.modelcontextprotocol/clientCapabilities":{}})"
        );
        const Reply reply = core.ask(body, arrival);
        session = reply.session.empty() ? session : reply.session;
        check_server(exchange.server, reply);
    }
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
    CHECK(count >= 8);
}

TEST_CASE("the trace of a call continues the caller's", "[server]") {
    Core core;
    const std::string caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    auto arrival = Core::http(interlock::test::modern_headers("tools/call", "echo"));
    core.ask(
        R"({"jsonrpc":"2.0","id":"q","method":"tools/call","params":{"name":"echo",)"
        R"("arguments":{"text":"hi"},"_meta":{"io.modelcontextprotocol/protocolVersion":)"
        R"("2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"traceparent":")" +
            caller + R"("}}})",
        arrival
    );
    const auto span = core.spans.find("tools/call echo");
    REQUIRE(span);
    CHECK(span->context.trace_id == "0af7651916cd43dd8448eb211c80319c");
    CHECK(span->parent_span_id == "b7ad6b7169203331");
    CHECK(span->kind == interlock::telemetry::SpanKind::server);
    CHECK_FALSE(span->error);
    const auto has = [&](const std::string& key, const std::string& value) {
        return std::any_of(
            span->attributes.begin(),
            span->attributes.end(),
            [&](const auto& attribute) {
                return attribute.first == key &&
                       attribute.second == interlock::telemetry::AttributeValue(value);
            }
        );
    };
    CHECK(has("mcp.method.name", "tools/call"));
    CHECK(has("gen_ai.tool.name", "echo"));
    CHECK(has("gen_ai.operation.name", "execute_tool"));
    CHECK(has("jsonrpc.request.id", "q"));
    CHECK(has("mcp.protocol.version", "2026-07-28"));
    CHECK(has("network.transport", "tcp"));
}

TEST_CASE("a session belongs to the subject that opened it", "[server]") {
    Core core;
    const std::string hello =
        R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
        R"("capabilities":{},"clientInfo":{"name":"c","version":"1"}}})";
    const auto opened = core.ask(hello, Core::http());
    REQUIRE_FALSE(opened.session.empty());
    auto other = Core::http();
    other.identity.subject = "somebody:else";
    other.headers.session = {1, opened.session};
    CHECK(core.ask(R"({"jsonrpc":"2.0","id":2,"method":"ping"})", other).status == 404);
    CHECK_FALSE(core.protocol.end_session(opened.session, "somebody:else"));
    CHECK(core.protocol.end_session(opened.session, "os:tester"));
    auto own = Core::http();
    own.headers.session = {1, opened.session};
    CHECK(core.ask(R"({"jsonrpc":"2.0","id":3,"method":"ping"})", own).status == 404);
}
