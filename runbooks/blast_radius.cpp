// What a plan would touch, in sentences made from the plan alone: no word of an agent is in them.
#include "base/text.hpp"
#include "runbooks/planner.hpp"

#include <map>

namespace interlock::runbooks {
namespace {

std::string target_sentence(const Plan& plan) {
    const auto& target = plan.target;
    return "Acts on database " + target.database + " of target " + target.target +
           ", a PostgreSQL " + std::to_string(target.server_major) +
           (target.in_recovery ? " standby" : " primary") + " (system identifier " +
           target.system_identifier + ").";
}

std::string values_sentence(const Step& step) {
    std::string out;
    for (const auto& parameter : step.statement.parameters) {
        out += (out.empty() ? "" : ", ") + parameter.name + " = " + parameter.value;
    }
    return "Step " + step.id + " is bound to " + (out.empty() ? "no values" : out) + ".";
}

std::string cost_sentence(const Step& step) {
    return "Step " + step.id + " locks: " + step.expected_lock + "; it waits at most " +
           std::to_string(step.lock_timeout_ms) + " ms for a lock and runs at most " +
           std::to_string(step.statement_timeout_ms) + " ms.";
}

std::string undo_sentence(const Step& step) {
    if (step.inverse.exists) {
        return "Step " + step.id + " can be undone by the inverse in the plan.";
    }
    return "Step " + step.id + " cannot be undone: " + step.inverse.absence_reason +
           (step.inverse.bounded ? " The effect ends with one session." : "");
}

} // namespace

std::vector<std::string> blast_radius(const Plan& plan) {
    std::vector<std::string> out{target_sentence(plan)};
    for (const auto& step : plan.steps) {
        out.push_back("Step " + step.id + ": " + step.about);
        out.push_back(values_sentence(step));
        out.push_back(cost_sentence(step));
        out.push_back(undo_sentence(step));
    }
    for (auto& sentence : out) {
        sentence = base::escape_non_ascii(base::sanitize(sentence));
    }
    return out;
}

} // namespace interlock::runbooks
