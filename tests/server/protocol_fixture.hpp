// The protocol core in memory: what is offered, and one message in, what becomes of it out. No
// handler runs here: a call is shown as what it was understood to be.
#pragma once

#include "base/json.hpp"
#include "server/protocol.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace interlock::test::protocol {

using base::Json;

/// Remembers finished spans.
class Spans final : public telemetry::SpanSink {
public:
    void write(telemetry::FinishedSpan span) override { spans.push_back(std::move(span)); }
    std::vector<telemetry::FinishedSpan> spans;
};

inline server::OfferedTool tool(std::string name, std::string domain = {}) {
    server::OfferedTool made;
    made.title = "Title of " + name;
    made.description = "What " + name + " does.";
    made.name = std::move(name);
    made.domain = std::move(domain);
    made.input_schema = R"({"type":"object","properties":{"text":{"type":"string"}}})";
    return made;
}

/// Two tools and nothing else.
inline server::Offer plain_offer() {
    server::Offer offer;
    offer.name = "interlock";
    offer.title = "Interlock";
    offer.version = "1.2.3";
    offer.instructions = "Look, do not touch.";
    offer.tools = {tool("echo", "triage"), tool("fails", "postgres")};
    return offer;
}

/// Everything there is to offer.
inline server::Offer full_offer() {
    server::Offer offer = plain_offer();
    auto routed = tool("routed");
    routed.input_schema =
        R"({"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},)"
        R"("count":{"type":"integer","x-mcp-header":"Count"}}})";
    auto samples = tool("samples");
    samples.required_capability = "sampling";
    auto asks = tool("asks");
    asks.required_capability = "elicitation";
    auto long_work = tool("long_work");
    long_work.tasks = server::TaskSupport::required;
    offer.tools.insert(offer.tools.end(), {routed, samples, asks, long_work});
    offer.resources = [] {
        return std::vector<interlock::server::OfferedResource>{
            {"test://one", "one", "One", "The first.", "text/plain"}};
    };
    offer.templates = {{"test://{id}", "any", "Any", "Any of them.", "text/plain"}};
    server::OfferedPrompt prompt;
    prompt.name = "review";
    prompt.title = "Review";
    prompt.description = "Reviews.";
    prompt.arguments = {{"what", "What to review.", true}, {"how", "", false}};
    offer.prompts = {prompt};
    offer.read = [](server::Conversation&, const std::string&) {
        return server::Outcome<server::ResourceAnswer>(server::ResourceAnswer{"[]"});
    };
    offer.complete = [](server::Conversation&, const server::CompletionRequest&) {
        return server::Outcome<server::Completion>(server::Completion{});
    };
    offer.watchable = [](const server::Access&, const std::string& uri) {
        return uri.starts_with("test://watched");
    };
    offer.logging = true;
    offer.changes = true;
    return offer;
}

inline std::shared_ptr<const server::CompiledOffer> compiled(server::Offer offer) {
    auto made = server::CompiledOffer::compile(std::move(offer));
    if (!made) {
        throw std::runtime_error(base::to_text(made.error()));
    }
    return std::move(made).value();
}

/// params._meta of a modern request; `more` is spliced in ("\"progressToken\":1").
inline std::string modern_meta(
    const std::string& version = "2026-07-28",
    const std::string& capabilities = "{}",
    const std::string& more = {}
) {
    return R"("_meta":{"io.modelcontextprotocol/protocolVersion":")" + version +
           R"(","io.modelcontextprotocol/clientCapabilities":)" + capabilities +
           (more.empty() ? "" : "," + more) + "}";
}

inline server::RequestHeaders modern_headers(
    const std::string& method,
    const std::string& name = {},
    const std::string& version = "2026-07-28"
) {
    server::RequestHeaders headers;
    headers.version = {1, version};
    headers.method = {1, method};
    if (!name.empty()) {
        headers.name = {1, name};
    }
    return headers;
}

inline std::string request(const std::string& method, const std::string& params = {}) {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + method + "\"" +
           (params.empty() ? "" : R"(,"params":{)" + params + "}") + "}";
}

struct Room {
    explicit Room(server::Offer offer = full_offer())
        : catalogue(compiled(std::move(offer))),
          tracer(spans, clock, random),
          sessions(clock, random),
          tasks(clock, random),
          states(clock, random),
          protocol({catalogue, sessions, tasks, states, tracer, metrics, clock}) {}

    ManualClock clock;
    CountingRandom random;
    Spans spans;
    telemetry::Metrics metrics;
    server::Catalogue catalogue;
    telemetry::Tracer tracer;
    server::Sessions sessions;
    server::Tasks tasks;
    server::RequestStates states;
    server::Protocol protocol;
    server::SessionPointer process = std::make_shared<server::LegacySession>();

    static server::Access access() {
        server::Access caller;
        caller.identity.subject = "os:tester";
        caller.identity.issuer = "os";
        return caller;
    }
    server::Arrival stdio() const { return {server::Transport::stdio, access(), {}, process}; }
    static server::Arrival http(server::RequestHeaders headers = {}) {
        return {server::Transport::http, access(), std::move(headers), nullptr};
    }
    /// An Mcp-Session-Id of a new session.
    std::string open_session(const std::string& version, const std::string& capabilities = "{}") {
        return protocol
            .receive(
                request(
                    "initialize",
                    R"("protocolVersion":")" + version + R"(","capabilities":)" + capabilities
                ),
                http()
            )
            .session;
    }
    server::Arrival in_session(const std::string& id) const {
        server::RequestHeaders headers;
        headers.session = {1, id};
        return http(std::move(headers));
    }
};

// Defined in protocol_test.cpp.

/// All that is said, as one value: null for nothing, an array for a batch.
Json shown(const server::Reaction& reaction);
/// The code of an error answer; 0 when it is none.
int error_code(const server::Reaction& reaction);

/// The call that was understood; throws when the message became something else.
inline const server::Job& job_of(const server::Reaction& reaction) {
    return *std::get<std::unique_ptr<server::Job>>(reaction.parts.at(0));
}

} // namespace interlock::test::protocol
