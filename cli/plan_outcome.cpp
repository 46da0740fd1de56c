#include "cli/plan_outcome.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;

/// Whoever can write the queue must not be able to move a reader's cursor.
std::string shown(std::string_view stored) {
    return base::cut_middle(
        base::escape_non_ascii(base::sanitize(stored)), base::limits::cell_chars_max
    );
}

/// An object; empty when it cannot be read.
Json object_of(const std::string& text) {
    const auto parsed = base::parse_json(text, base::limits::outcome_bytes_max);
    return parsed && parsed->is_object() ? *parsed : Json::object();
}

std::string text_of(const Json& object, const char* name) {
    return base::string_member(object, name).value_or("");
}

const char* direction(bool forward) {
    return forward ? "forward" : "back";
}

std::string step_line(const approval::StepRun& step) {
    const Json detail = object_of(step.detail);
    std::string line = "Step        " + std::to_string(step.index) + " " + direction(step.forward) +
                       "  " + shown(step.state) + "  " + shown(step.at) + "  fence " +
                       std::to_string(step.fence);
    if (const auto role = text_of(detail, "database_role"); !role.empty()) {
        line += "  as " + shown(role);
    }
    if (const auto problem = text_of(detail, "problem"); !problem.empty()) {
        line += ": " + shown(problem);
    }
    return line + "\n";
}

} // namespace

std::string
outcome_text(const approval::StoredPlan& stored, const std::vector<approval::StepRun>& steps) {
    std::string text;
    for (const auto& step : steps) {
        text += step_line(step);
    }
    if (stored.outcome.empty()) {
        return text;
    }
    const Json outcome = object_of(stored.outcome);
    if (outcome.empty()) {
        return text + "Outcome     unreadable: run `interlock audit verify`\n";
    }
    const auto* executor = base::member(outcome, "executor");
    text += "Outcome     " + shown(text_of(outcome, "state")) + ", verification " +
            shown(text_of(outcome, "verdict")) + "  (" + shown(text_of(outcome, "started_at")) +
            " to " + shown(text_of(outcome, "finished_at")) +
            (executor != nullptr ? ", by " + shown(text_of(*executor, "name")) : std::string()) +
            ")\n";
    if (const auto reason = text_of(outcome, "reason"); !reason.empty()) {
        text += "            " + shown(reason) + "\n";
    }
    return text + "            (as the executor recorded it; `interlock audit verify` checks its "
                  "signature)\n";
}

Json steps_document(const std::vector<approval::StepRun>& steps) {
    Json list = Json::array();
    for (const auto& step : steps) {
        list.push_back(
            {{"index", step.index},
             {"direction", direction(step.forward)},
             {"state", step.state},
             {"fence", step.fence},
             {"at", step.at},
             {"detail", object_of(step.detail)}}
        );
    }
    return list;
}

} // namespace interlock::cli
