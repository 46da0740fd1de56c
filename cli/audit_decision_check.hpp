// One person's decision as its record tells it: that the signature holds, by a key that could speak
// then, over these bytes and what was shown of them.
#pragma once

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/audit_plan_check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::cli {

struct DecisionEvidence {
    const PlanRecord& record;
    const base::Json& content; // of its payload
    const std::string& plan_digest;
    const std::string* presentation = nullptr; // null: it is not here
    const std::string& allowed_signers;        // a file; "" = the lines recorded with the decision
    std::string place;                         // "the bundle"
};

struct CheckedDecision {
    DecisionReport report;
    std::vector<std::string> problems; // of this record, without a full stop
    bool approves = false;
    std::string approver; // as signed; of an approval
    std::optional<base::Time> signed_at;
};
CheckedDecision check_decision(const DecisionEvidence& evidence);

/// What the record's header alone tells.
DecisionReport unverified_decision(const PlanRecord& record);

} // namespace interlock::cli
