#include "cli/plan_evidence.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "runbooks/plan.hpp"
#include "tools/open_evidence.hpp"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using tools::StoredEvidence;

struct Cited {
    approval::StoredPlan plan;
    std::vector<std::string> ids;
};

Result<Cited> cited_by(const PlansOptions& options, base::Clock& clock) {
    base::SystemRandom random;
    const base::StateDirectory state{options.state_directory};
    INTERLOCK_TRY(const auto store, db::open_store(state, db::StoreMode::read_only, clock));
    approval::Queue queue(*store, random);
    Cited cited;
    INTERLOCK_TRY(cited.plan, queue.get(options.plan_id));
    INTERLOCK_TRY(auto presentation, runbooks::parse_presentation(cited.plan.presentation));
    cited.ids = std::move(presentation.evidence);
    return cited;
}

/// As one of those who asked for the plan kept it.
Result<StoredEvidence>
find(tools::EvidenceStore& evidence, const approval::StoredPlan& plan, const std::string& id) {
    std::vector<std::string> askers{plan.requester};
    askers.insert(askers.end(), plan.requesters.begin(), plan.requesters.end());
    for (const auto& subject : askers) {
        auto found = evidence.get(id, subject);
        if (found || found.error().code != Errc::not_found) {
            return found;
        }
    }
    return Error{
        Errc::not_found,
        "The evidence " + base::sanitize(id) + " is not kept any more, or not in this store.",
        "It is kept for a week; its digest stands in the audit log's tool.end."};
}

Json body_of(const StoredEvidence& evidence) {
    const auto parsed = base::parse_json(evidence.body, base::limits::evidence_bytes_max);
    return parsed ? *parsed : Json(evidence.body);
}

Result<Json> list(const Cited& cited, tools::EvidenceStore& evidence) {
    Json listed = Json::array();
    for (const auto& id : cited.ids) {
        const auto found = find(evidence, cited.plan, id);
        if (!found && found.error().code != Errc::not_found &&
            found.error().code != Errc::corrupt) {
            return found.error();
        }
        Json entry = {{"id", id}, {"kept", found.ok()}};
        if (found) {
            entry["tool"] = found->tool;
            entry["target"] = found->target;
            entry["created"] = found->created;
            entry["bytes"] = found->body.size();
        } else {
            entry["why"] = found.error().what;
        }
        listed.push_back(std::move(entry));
    }
    return listed;
}

std::string shown(const Json& entry, const char* name) {
    return base::escape_non_ascii(base::sanitize(base::string_member(entry, name).value_or("")));
}

void print_list(const Json& listed) {
    for (const auto& entry : listed) {
        print_line(
            shown(entry, "id") + "  " +
            (base::boolean_member(entry, "kept") == true
                 ? shown(entry, "created") + "  " + shown(entry, "tool") + "  " +
                       shown(entry, "target")
                 : shown(entry, "why"))
        );
    }
    if (listed.empty()) {
        print_line("The plan cites no evidence.");
    }
}

Result<Json> look(const PlansOptions& options) {
    base::SystemClock clock;
    INTERLOCK_TRY(const auto cited, cited_by(options, clock));
    const auto& id = options.evidence_id;
    if (!id.empty() && std::find(cited.ids.begin(), cited.ids.end(), id) == cited.ids.end()) {
        return Error{
            Errc::not_found,
            "Plan " + cited.plan.id + " does not cite the evidence " + base::sanitize(id) + ".",
            "Leave the id out to see what it cites."};
    }
    const base::StateDirectory state{options.state_directory};
    INTERLOCK_TRY(const auto evidence, tools::open_evidence(state, clock));
    if (id.empty()) {
        INTERLOCK_TRY(auto listed, list(cited, *evidence));
        return Json{{"plan_id", cited.plan.id}, {"evidence", std::move(listed)}};
    }
    INTERLOCK_TRY(const auto found, find(*evidence, cited.plan, id));
    return Json{
        {"plan_id", cited.plan.id},
        {"id", found.id},
        {"asked_by", found.subject},
        {"tool", found.tool},
        {"target", found.target},
        {"created", found.created},
        {"body", body_of(found)}};
}

} // namespace

Exit show_plan_evidence(const PlansOptions& options) {
    const auto found = look(options);
    if (!found) {
        return report(found.error(), options.json);
    }
    if (options.json || !options.evidence_id.empty()) {
        print_json(*found); // a packet is JSON, whoever reads it
    } else {
        print_list((*found)["evidence"]);
    }
    return Exit::ok;
}

} // namespace interlock::cli
