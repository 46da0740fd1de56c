#include "cli/audit_incident.hpp"

#include "approval/queue.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "runbooks/plan.hpp"
#include "telemetry/audit_scan.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;
using base::Result;
using base::Status;
using telemetry::Scan;
using telemetry::ScannedRecord;

/// Of a submission that was recorded before records named it: as people were shown the plan.
Result<std::string> shown_incident(db::Store& store, const std::string& plan_id) {
    base::SystemRandom random;
    approval::Queue queue(store, random);
    const auto plan = queue.get(plan_id);
    if (!plan) {
        const bool none = plan.error().code == base::Errc::not_found;
        return none ? Result<std::string>(std::string()) : Result<std::string>(plan.error());
    }
    const auto shown = runbooks::parse_presentation(plan->presentation);
    return shown ? shown->incident : std::string();
}

} // namespace

std::string incident_of(const Json& payload) {
    if (auto named = base::string_member(payload, "incident")) {
        return std::move(*named);
    }
    const auto* arguments = base::member(payload, "arguments");
    return arguments != nullptr ? base::string_member(*arguments, "incident").value_or("") : "";
}

Result<std::map<std::string, std::string>>
plans_of_incident(db::Store& store, const std::string& incident, std::uint64_t end) {
    std::map<std::string, std::string> plans;
    for (const char* type : {"plan.submitted", "plan.blocked"}) {
        telemetry::AuditScan submissions;
        submissions.type = type;
        submissions.end = end;
        submissions.payloads = true;
        INTERLOCK_CHECK(telemetry::scan_audit(
            store,
            submissions,
            [&](ScannedRecord& record) -> Result<Scan> {
                const auto header = telemetry::read_leaf_header(record.header);
                const auto payload = base::parse_json(
                    record.payload.value_or(""), base::limits::audit_payload_bytes_max
                );
                if (!header || !payload) {
                    return Scan::go_on;
                }
                auto id = base::string_member(*payload, "plan_id").value_or("");
                auto named = incident_of(*payload);
                if (base::member(*payload, "incident") == nullptr) {
                    INTERLOCK_TRY(named, shown_incident(store, id));
                }
                if (named == incident) {
                    plans.emplace(header->plan_digest, std::move(id));
                }
                return Scan::go_on;
            }
        ));
    }
    return plans;
}

} // namespace interlock::cli
