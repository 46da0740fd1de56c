// What can be read beside calling tools: evidence in pages, runbooks, the caller's own plans. What
// a caller may not read answers exactly like what does not exist.
#pragma once

#include "server/diagnostic_offer.hpp"
#include "server/offer.hpp"
#include "tools/evidence_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::server {

/// Whether tools of this domain are offered at all.
bool offers(const DiagnosticParts& parts, const std::string& domain);
/// Whether this caller may use what belongs to `domain`.
bool may_use(const DiagnosticParts& parts, const Access& access, const std::string& domain);

std::vector<OfferedResource> listed_resources(const DiagnosticParts& parts);
std::vector<OfferedTemplate> resource_templates(const DiagnosticParts& parts);

/// Evidence that the caller asked for, or that a plan cites which the caller asked for too. Who may
/// approve a plan is not known here: approvers read evidence at the desk. corrupt: it is not what
/// was kept; every other Error: there is none for this caller.
base::Result<tools::StoredEvidence> readable_evidence(
    const DiagnosticParts& parts, const Conversation& conversation, const std::string& id
);

Outcome<ResourceAnswer>
read_resource(const DiagnosticParts& parts, Conversation& conversation, const std::string& uri);

/// A plan of the caller's own; it is marked as watched from now on.
bool is_watchable(const DiagnosticParts& parts, const Access& access, const std::string& uri);

/// One entry of a resource's `contents`, as JSON text; also what a prompt embeds.
std::string
resource_content(const std::string& uri, std::string_view mime_type, std::string_view text);
/// The text of plan://<id>: the plan as get_plan shows it, and what people read beside it.
base::Result<std::string>
plan_document(const DiagnosticParts& parts, const approval::StoredPlan& stored);

} // namespace interlock::server
