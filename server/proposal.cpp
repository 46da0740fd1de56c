#include "server/proposal.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/fingerprint.hpp"
#include "tools/evidence_store.hpp"
#include "tools/lane.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::string_view diagnosis_tool = "diagnose";

std::string shown(const std::string& untrusted) {
    return base::cut_middle(base::sanitize(untrusted), 80);
}

bool names_cause(const tools::StoredEvidence& evidence, const std::string& cause) {
    const auto packet = base::parse_json(evidence.body, base::limits::evidence_bytes_max);
    const Json* causes = packet ? base::member(packet.value(), "causes") : nullptr;
    return causes != nullptr && std::any_of(causes->begin(), causes->end(), [&](const Json& each) {
               return base::string_member(each, "id") == cause;
           });
}

std::string list_of(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) {
        out += (out.empty() ? "" : ", ") + item;
    }
    return out;
}

} // namespace

std::vector<std::string> objections(
    tools::Context& context,
    const telemetry::Identity& identity,
    const runbooks::Contract& contract,
    const ProposedWith& proposed
) {
    std::vector<std::string> reasons;
    const auto& causes = contract.trigger_causes;
    if (std::find(causes.begin(), causes.end(), proposed.cause) == causes.end()) {
        reasons.push_back(
            "runbook " + contract.id + " is not for cause " + shown(proposed.cause) +
            "; it is for " + list_of(causes)
        );
    }
    std::set<std::string> seen_tools;
    bool cause_is_diagnosed = false;
    for (const std::string& id : proposed.evidence) {
        const auto found = context.evidence.get(id, identity.subject);
        if (!found && found.error().code == base::Errc::corrupt) {
            reasons.push_back(found.error().what + " " + found.error().remedy);
        } else if (!found) {
            reasons.push_back("evidence " + shown(id) + " does not exist, or is not yours");
        } else if (found.value().target != proposed.target) {
            reasons.push_back("evidence " + shown(id) + " is about another target");
        } else {
            seen_tools.insert(found.value().tool);
            cause_is_diagnosed |=
                found.value().tool == diagnosis_tool && names_cause(found.value(), proposed.cause);
        }
    }
    for (const runbooks::Observation& required : contract.required_observations) {
        if (seen_tools.count(required.tool) == 0) {
            reasons.push_back(
                "evidence of " + required.tool + " must be cited: " + required.because
            );
        }
    }
    if (seen_tools.count(std::string(diagnosis_tool)) > 0 && !cause_is_diagnosed) {
        reasons.push_back("the cited diagnosis does not name cause " + shown(proposed.cause));
    }
    return reasons;
}

base::Result<runbooks::TargetFingerprint>
read_fingerprint(tools::Context& context, const tools::Call& call, const std::string& target) {
    db::Query query;
    query.sql = runbooks::fingerprint_sql;
    const tools::LaneRequest request{.target = target, .tool = "propose_plan"};
    INTERLOCK_TRY(const auto read, tools::read_lane(context, call, request, {query}));
    const auto& rows = read.results.front();
    if (!rows) {
        return rows.error();
    }
    return runbooks::fingerprint_from(rows.value().table, target);
}

} // namespace interlock::server
