#include "server/resources.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/library_files.hpp"
#include "server/plan_view.hpp"
#include "server/plan_watcher.hpp"
#include "server/resource_address.hpp"
#include "tools/catalog.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::string_view json_type = "application/json";
constexpr std::string_view yaml_type = "application/yaml";
constexpr std::string_view text_type = "text/plain";
const std::string planning = "planning";

ResourceAnswer one_content(const std::string& uri, std::string_view type, std::string_view text) {
    return {"[" + resource_content(uri, type, text) + "]"};
}

RpcError failed(const base::Error& error) {
    return {rpc::internal_error, base::to_text(error), {}};
}

// Evidence

/// The domain of the tool that made it, so that evidence needs what its tool needs. "": no tool of
/// ours.
std::string domain_of(const std::string& tool_name) {
    for (const tools::Tool& tool : tools::catalog()) {
        if (tool.name == tool_name) {
            return std::string(tool.domain);
        }
    }
    return {};
}

bool cites(const approval::StoredPlan& plan, const std::string& evidence_id) {
    const auto presentation = runbooks::parse_presentation(plan.presentation);
    return presentation &&
           std::find(presentation->evidence.begin(), presentation->evidence.end(), evidence_id) !=
               presentation->evidence.end();
}

/// Where page `number` (from 0) begins: never inside a character.
std::size_t page_begin(std::string_view body, std::size_t number) {
    return base::cut_bytes(body, number * base::limits::evidence_page_bytes).size();
}

Outcome<ResourceAnswer> read_evidence(
    const DiagnosticParts& parts,
    const Conversation& conversation,
    const std::string& uri,
    const ResourceAddress& address
) {
    constexpr std::size_t page_bytes = base::limits::evidence_page_bytes;
    const auto found = readable_evidence(parts, conversation, address.id);
    if (!found && found.error().code == base::Errc::corrupt) {
        return rpc_error(rpc::internal_error, base::to_text(found.error()));
    }
    if (!found) {
        return resource_not_found(uri);
    }
    const std::string_view body = found->body;
    const std::size_t pages = std::max<std::size_t>(1, (body.size() + page_bytes - 1) / page_bytes);
    if (address.page > pages) {
        return resource_not_found(uri);
    }
    if (pages == 1) {
        return one_content(uri, json_type, body);
    }
    const std::size_t begin = page_begin(body, address.page - 1);
    std::string text = "Page " + std::to_string(address.page) + " of " + std::to_string(pages) +
                       " of evidence " + address.id + "; ";
    text += address.page == pages
                ? "this is the last page."
                : "next: " + address_of(ResourceKind::evidence, address.id, address.page + 1) + ".";
    text += " The packet's JSON goes on below this line.\n";
    text += body.substr(begin, page_begin(body, address.page) - begin);
    return one_content(uri, text_type, text);
}

// Runbooks

std::string comma_list(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) {
        out += (out.empty() ? "" : ", ") + item;
    }
    return out;
}

/// What an agent needs before it proposes, as comments above the contract.
std::string runbook_heading(const runbooks::Contract& contract) {
    std::vector<std::string> given;
    std::vector<std::string> optional;
    for (const runbooks::Parameter& parameter : contract.parameters) {
        (parameter.required ? given : optional).push_back(parameter.name);
    }
    std::vector<std::string> observed;
    for (const runbooks::Observation& observation : contract.required_observations) {
        observed.push_back(observation.tool);
    }
    std::string out = "# To propose it: propose_plan with runbook " + contract.id +
                      ", a cause that was diagnosed\n# (" + comma_list(contract.trigger_causes) +
                      "),\n# parameters " + comma_list(given) + ", and evidence ids that include " +
                      comma_list(observed) + ".\n";
    if (!optional.empty()) {
        out += "# Best left out, they follow from the cause: " + comma_list(optional) + ".\n";
    }
    return out + "# Decided by people: " + std::to_string(contract.needs.approvals) +
           " approval(s) by " + runbooks::name(contract.needs.assurance) + ". Contract SHA-256 " +
           contract.digest + ", without these lines.\n\n";
}

Outcome<ResourceAnswer> read_runbook(const std::string& uri, const std::string& id) {
    const auto contract = runbooks::library().find(id);
    if (contract == runbooks::library().end()) {
        return resource_not_found(uri);
    }
    for (const runbooks::LibraryFile& file : runbooks::library_files()) {
        if (base::hex(base::sha256(file.yaml)) == contract->second.digest) {
            return one_content(
                uri, yaml_type, runbook_heading(contract->second) + std::string(file.yaml)
            );
        }
    }
    return resource_not_found(uri);
}

// Plans

Outcome<ResourceAnswer> read_plan(
    const DiagnosticParts& parts,
    const Conversation& conversation,
    const std::string& uri,
    const std::string& id
) {
    const auto stored = own_plan(parts.queue, id, conversation.identity().subject);
    if (!stored) {
        return stored.error().code == base::Errc::not_found ? resource_not_found(uri)
                                                            : failed(stored.error());
    }
    const auto document = plan_document(parts, *stored);
    if (!document) {
        return failed(document.error());
    }
    return one_content(uri, json_type, *document);
}

} // namespace

bool offers(const DiagnosticParts& parts, const std::string& domain) {
    return parts.toolsets.empty() ||
           std::find(parts.toolsets.begin(), parts.toolsets.end(), domain) != parts.toolsets.end();
}

bool may_use(const DiagnosticParts& parts, const Access& access, const std::string& domain) {
    return offers(parts, domain) && access.shows(domain) && access.allows(scope_of(domain));
}

std::vector<OfferedResource> listed_resources(const DiagnosticParts& parts) {
    std::vector<OfferedResource> listed;
    if (!offers(parts, planning)) {
        return listed;
    }
    for (const auto& [id, contract] : runbooks::library()) {
        listed.push_back(
            {address_of(ResourceKind::runbook, id),
             id,
             contract.title,
             contract.summary,
             std::string(yaml_type)}
        );
    }
    return listed;
}

std::vector<OfferedTemplate> resource_templates(const DiagnosticParts& parts) {
    std::vector<OfferedTemplate> templates{
        {std::string(evidence_template),
         "evidence",
         "Evidence",
         "The whole result of a tool call, uncut. A long one comes in pages: every page says how "
         "many there are and gives the address of the next.",
         {}}};
    if (offers(parts, planning)) {
        templates.push_back(
            {std::string(runbook_template),
             "runbook",
             "Runbook",
             "A runbook's contract: causes, parameters, statements, checks, and how to propose it.",
             std::string(yaml_type)}
        );
        templates.push_back(
            {std::string(plan_template),
             "plan",
             "Plan",
             "A plan of yours: state, digest, decisions, exact script, outcome, and what people "
             "read before they decide. Can be subscribed to.",
             std::string(json_type)}
        );
    }
    return templates;
}

base::Result<tools::StoredEvidence> readable_evidence(
    const DiagnosticParts& parts, const Conversation& conversation, const std::string& id
) {
    const std::string& subject = conversation.identity().subject;
    const base::Error none{base::Errc::not_found, "There is no such evidence.", ""};
    if (!is_id(id, "ev") || subject.empty()) {
        return none;
    }
    const auto allowed = [&](base::Result<tools::StoredEvidence> found) {
        if (found && !may_use(parts, conversation.access(), domain_of(found->tool))) {
            found = none;
        }
        return found;
    };
    auto own = allowed(parts.context.evidence.get(id, subject));
    if (own || own.error().code == base::Errc::corrupt) {
        return own;
    }
    // Whoever proposed the same effects as somebody else stands behind one plan with them, and its
    // evidence is the other's.
    approval::PlanFilter mine;
    mine.requester = subject;
    INTERLOCK_TRY(const auto plans, parts.queue.list(mine));
    for (const approval::StoredPlan& plan : plans) {
        if (plan.requester != subject && cites(plan, id)) {
            return allowed(parts.context.evidence.get(id, plan.requester));
        }
    }
    return none;
}

Outcome<ResourceAnswer>
read_resource(const DiagnosticParts& parts, Conversation& conversation, const std::string& uri) {
    const auto address = parse_address(uri);
    if (!address) {
        return resource_not_found(uri);
    }
    if (address->kind == ResourceKind::evidence) {
        return read_evidence(parts, conversation, uri, *address);
    }
    if (!may_use(parts, conversation.access(), planning)) {
        return resource_not_found(uri);
    }
    return address->kind == ResourceKind::runbook
               ? read_runbook(uri, address->id)
               : read_plan(parts, conversation, uri, address->id);
}

bool is_watchable(const DiagnosticParts& parts, const Access& access, const std::string& uri) {
    const auto address = parse_address(uri);
    if (!address || address->kind != ResourceKind::plan || !may_use(parts, access, planning)) {
        return false;
    }
    const auto plan = own_plan(parts.queue, address->id, access.identity.subject);
    if (plan && parts.marks != nullptr) {
        parts.marks->note(uri, {plan->version, plan->state});
    }
    return plan.ok();
}

std::string
resource_content(const std::string& uri, std::string_view mime_type, std::string_view text) {
    return base::render_json({{"uri", uri}, {"mimeType", mime_type}, {"text", text}});
}

base::Result<std::string>
plan_document(const DiagnosticParts& parts, const approval::StoredPlan& stored) {
    INTERLOCK_TRY(const PlanView view, view_plan(stored, parts.desk_url));
    INTERLOCK_TRY(const auto read, runbooks::parse_presentation(stored.presentation));
    INTERLOCK_TRY(
        Json document, base::parse_json(view.structured, base::limits::evidence_bytes_max)
    );
    const auto safe = [](const std::string& text) { return base::sanitize(text, true); };
    Json sentences = Json::array();
    for (const std::string& sentence : read.blast_radius) {
        sentences.push_back(safe(sentence));
    }
    document["presentation"] = {
        {"title", safe(read.title)},
        {"hypothesis", safe(read.hypothesis)},
        {"evidence", read.evidence},
        {"blast_radius", std::move(sentences)},
        {"incident", safe(read.incident)}};
    return base::render_json(document);
}

} // namespace interlock::server
