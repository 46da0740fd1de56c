#include "executor/resolution.hpp"

#include "approval/state.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::executor {

namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

} // namespace

std::vector<std::string>
without_inverse(const runbooks::Plan& plan, const std::vector<StepFact>& forward) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < forward.size() && i < plan.steps.size(); ++i) {
        const auto& inverse = plan.steps[i].inverse;
        if (forward[i] == StepFact::done && !(inverse.exists && inverse.statement)) {
            ids.push_back(plan.steps[i].id);
        }
    }
    return ids;
}

Resolution
resolve(const runbooks::Plan& plan, const std::vector<StepFact>& forward, bool rolling_back) {
    const auto count = [&](StepFact fact) {
        return static_cast<std::size_t>(std::count(forward.begin(), forward.end(), fact));
    };
    if (forward.size() != plan.steps.size() || count(StepFact::unknown) > 0) {
        return {Course::human, "It cannot be known whether a step took effect."};
    }
    if (count(StepFact::done) == 0) {
        return {Course::clean, "The execution was interrupted before any step took effect."};
    }
    if (!rolling_back && count(StepFact::done) == forward.size()) {
        return {Course::verify, "The execution was interrupted after every step took effect."};
    }
    if (const auto stuck = without_inverse(plan, forward); !stuck.empty()) {
        return {
            Course::human,
            "The execution was interrupted half way and these steps have no inverse: " +
                joined(stuck) + "."};
    }
    return {Course::roll_back, "The execution was interrupted half way; what was done is undone."};
}

base::Result<bool> rollback_decided(db::Store& store, const std::string& plan_digest) {
    const auto decided =
        "plan." + base::lower_ascii(approval::name(approval::PlanState::rolling_back));
    constexpr auto page = base::limits::audit_read_max;
    for (std::uint64_t first = 0;;) {
        INTERLOCK_TRY(const auto records, telemetry::read_audit(store, first, page, plan_digest));
        for (const auto& record : records) {
            INTERLOCK_TRY(
                const auto header, base::parse_json(record.header, base::limits::json_bytes_max)
            );
            if (base::string_member(header, "type").value_or("") == decided) {
                return true;
            }
        }
        if (records.size() < page) {
            return false;
        }
        first = records.back().index + 1;
    }
}

} // namespace interlock::executor
