#include "base/http_server.hpp"
#include "base/json.hpp"
#include "cli/demo/agent.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

/// A server that answers every POST with one body.
class OneAnswer {
public:
    explicit OneAnswer(std::string body) {
        base::HttpServerOptions options;
        options.handler = [this, body = std::move(body)](std::shared_ptr<base::HttpExchange> call) {
            asked = call->request().body;
            call->respond({200, {{"Content-Type", "application/json"}}, body});
        };
        auto started = base::HttpServer::start(std::move(options));
        REQUIRE(started.ok());
        server_ = std::move(started).value();
    }
    ~OneAnswer() { server_->stop(std::chrono::milliseconds{100}); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/"; }

    std::string asked;

private:
    std::unique_ptr<base::HttpServer> server_;
};

} // namespace

TEST_CASE("the agent takes causes and their runbooks from a diagnosis", "[cli]") {
    OneAnswer server(R"({"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{
        "verdict":"incident","causes":[{"id":"lock.idle_in_tx","confidence":0.9,
        "because":["it waits"],"evidence":["ev_1"],
        "runbooks":[{"id":"release-blocking-session","parameters":{"pid":7}}]},
        {"id":"other","runbooks":[]}]}}})");
    const auto diagnosis = Agent(server.url()).diagnose("shop");
    REQUIRE(diagnosis.ok());
    CHECK(diagnosis->verdict == "incident");
    REQUIRE(diagnosis->causes.size() == 2);
    CHECK(diagnosis->causes[0].runbook == "release-blocking-session");
    CHECK(diagnosis->causes[0].parameters == R"({"pid":7})");
    CHECK(diagnosis->causes[0].evidence == std::vector<std::string>{"ev_1"});
    CHECK(diagnosis->causes[1].runbook.empty());
    const auto request = base::parse_json(server.asked);
    REQUIRE(request.ok());
    CHECK(request->at("params").at("arguments").at("target") == "shop");
}

TEST_CASE("a tool error and a protocol error reach the agent as errors", "[cli]") {
    OneAnswer tool(R"({"jsonrpc":"2.0","id":1,"result":{"isError":true,)"
                   R"("content":[{"type":"text","text":"busy"}]}})");
    const auto refused = Agent(tool.url()).diagnose("shop");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what.find("busy") != std::string::npos);
    OneAnswer protocol(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}})");
    CHECK_FALSE(Agent(protocol.url()).diagnose("shop").ok());
    OneAnswer empty(R"({"jsonrpc":"2.0","id":1,"result":{"content":[]}})");
    CHECK_FALSE(Agent(empty.url()).diagnose("shop").ok());
    OneAnswer garbage("not json");
    CHECK_FALSE(Agent(garbage.url()).diagnose("shop").ok());
}

TEST_CASE("a server that is not there is an error", "[cli]") {
    CHECK_FALSE(Agent("http://127.0.0.1:1/mcp").diagnose("shop").ok());
}

} // namespace interlock::cli
