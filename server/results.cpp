#include "server/results.hpp"

#include "base/json.hpp"
#include "base/json_string.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

/// `members`: of the result, without braces.
std::string result(const Job& job, std::string members) {
    if (job.era == Era::modern) {
        members += "," + job.offer->modern_members();
    }
    return "{" + std::move(members) + "}";
}

} // namespace

std::string render_answer(const Job& job, const ToolAnswer& answer) {
    std::string members = R"("content":)" + answer.content;
    if (!answer.structured.empty()) {
        members += R"(,"structuredContent":)" + answer.structured;
    }
    members += answer.is_error ? R"(,"isError":true)" : R"(,"isError":false)";
    return result(job, std::move(members));
}

std::string render_answer(const Job& job, const ResourceAnswer& answer) {
    std::string members = R"("contents":)" + answer.contents;
    if (job.era == Era::modern) {
        // A plan's state changes, and what one caller may read is nobody else's.
        members += "," + cache_members(std::chrono::milliseconds{0});
    }
    return result(job, std::move(members));
}

std::string render_answer(const Job& job, const PromptAnswer& answer) {
    std::string members = R"("messages":)" + answer.messages;
    if (!answer.description.empty()) {
        members += R"(,"description":)" + base::json_string(answer.description);
    }
    return result(job, std::move(members));
}

std::string render_answer(const Job& job, const Completion& answer) {
    const std::size_t shown = std::min(answer.values.size(), base::limits::completions_max);
    const std::size_t total = std::max(answer.total.value_or(0), answer.values.size());
    Json values = Json::array();
    for (std::size_t i = 0; i < shown; ++i) {
        values.push_back(answer.values[i]);
    }
    const Json completion{
        {"values", std::move(values)}, {"total", total}, {"hasMore", total > shown}};
    return result(job, R"("completion":)" + base::render_json(completion));
}

std::optional<std::string> render_input_required(
    const Job& job, const ServedConversation& conversation, const RequestStates& states
) {
    const KeyedQuestions pending = conversation.pending();
    const std::string state = conversation.state();
    if (job.era != Era::modern || (pending.empty() && state.empty())) {
        return std::nullopt;
    }
    std::string out = "{" + job.offer->modern_members("input_required");
    if (!pending.empty()) {
        out += R"(,"inputRequests":)" + render_questions(pending);
    }
    if (!state.empty()) {
        out += R"(,"requestState":)" + base::json_string(states.seal(job.binding(), state));
    }
    return out + "}";
}

} // namespace interlock::server
