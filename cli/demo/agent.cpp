#include "cli/demo/agent.hpp"

#include "base/http_client.hpp"
#include "base/json.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr const char* protocol_version = "2026-07-28";

std::vector<std::string> texts_of(const Json& object, std::string_view key) {
    std::vector<std::string> texts;
    const Json* list = base::member(object, key);
    if (list != nullptr && list->is_array()) {
        for (const Json& item : *list) {
            if (item.is_string()) {
                texts.push_back(item.get<std::string>());
            }
        }
    }
    return texts;
}

DiagnosedCause cause_of(const Json& object) {
    DiagnosedCause cause;
    cause.id = base::string_member(object, "id").value_or("");
    if (const Json* confidence = base::member(object, "confidence");
        confidence != nullptr && confidence->is_number()) {
        cause.confidence = confidence->get<double>();
    }
    cause.because = texts_of(object, "because");
    cause.evidence = texts_of(object, "evidence");
    const Json* runbooks = base::member(object, "runbooks");
    if (runbooks != nullptr && runbooks->is_array() && !runbooks->empty()) {
        cause.runbook = base::string_member(runbooks->front(), "id").value_or("");
        const Json* parameters = base::member(runbooks->front(), "parameters");
        cause.parameters = parameters != nullptr ? base::render_json(*parameters) : "{}";
    }
    return cause;
}

} // namespace

Agent::Agent(std::string url) : url_(std::move(url)) {}

Result<std::string> Agent::call(const std::string& tool, const std::string& arguments) {
    INTERLOCK_TRY(const Json parsed, base::parse_json(arguments));
    const Json request = {
        {"jsonrpc", "2.0"},
        {"id", next_id_++},
        {"method", "tools/call"},
        {"params",
         {{"name", tool},
          {"arguments", parsed},
          {"_meta",
           {{"io.modelcontextprotocol/protocolVersion", protocol_version},
            {"io.modelcontextprotocol/clientCapabilities", Json::object()},
            {"io.modelcontextprotocol/clientInfo",
             {{"name", "interlock-demo-agent"}, {"version", INTERLOCK_VERSION}}}}}}},
    };
    INTERLOCK_TRY(
        const auto response,
        base::http_call(
            {.method = "POST",
             .url = url_,
             .headers =
                 {{"Content-Type", "application/json"},
                  {"Accept", "application/json, text/event-stream"},
                  {"MCP-Protocol-Version", protocol_version},
                  {"Mcp-Method", "tools/call"},
                  {"Mcp-Name", tool}},
             .body = base::render_json(request)}
        )
    );
    INTERLOCK_TRY(const Json message, base::parse_json(response.body, std::size_t{4} << 20));
    const Json* result = base::member(message, "result");
    if (result == nullptr) {
        return Error{Errc::internal, tool + " answered a protocol error: " + response.body, ""};
    }
    if (base::boolean_member(*result, "isError").value_or(false)) {
        const Json* content = base::member(*result, "content");
        std::string text = "no text";
        if (content != nullptr && content->is_array() && !content->empty()) {
            text = base::string_member(content->front(), "text").value_or(text);
        }
        return Error{Errc::refused, tool + ": " + text, ""};
    }
    const Json* structured = base::member(*result, "structuredContent");
    if (structured == nullptr) {
        return Error{Errc::internal, tool + " answered without structuredContent.", ""};
    }
    return base::render_json(*structured);
}

Result<Diagnosis> Agent::diagnose(const std::string& target) {
    INTERLOCK_TRY(
        const std::string text, call("diagnose", base::render_json({{"target", target}}))
    );
    INTERLOCK_TRY(const Json answer, base::parse_json(text, std::size_t{4} << 20));
    Diagnosis diagnosis;
    diagnosis.verdict = base::string_member(answer, "verdict").value_or("");
    const Json* causes = base::member(answer, "causes");
    if (causes != nullptr && causes->is_array()) {
        for (const Json& cause : *causes) {
            diagnosis.causes.push_back(cause_of(cause));
        }
    }
    return diagnosis;
}

Result<ProposedPlan> Agent::propose(const std::string& target, const DiagnosedCause& cause) {
    INTERLOCK_TRY(const Json parameters, base::parse_json(cause.parameters));
    const std::string why = cause.because.empty() ? "see the evidence" : cause.because.front();
    const Json arguments = {
        {"runbook", cause.runbook},
        {"target", target},
        {"cause", cause.id},
        {"parameters", parameters},
        {"hypothesis", "The queue of waiting sessions is caused by " + cause.id + ": " + why},
        {"evidence", cause.evidence},
    };
    INTERLOCK_TRY(const std::string text, call("propose_plan", base::render_json(arguments)));
    INTERLOCK_TRY(const Json answer, base::parse_json(text));
    return ProposedPlan{
        base::string_member(answer, "plan_id").value_or(""),
        base::string_member(answer, "digest").value_or(""),
        base::string_member(answer, "state").value_or(""),
    };
}

} // namespace interlock::cli
