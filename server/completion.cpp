#include "server/completion.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/contract.hpp"
#include "server/prompts.hpp"
#include "server/resource_address.hpp"
#include "server/resources.hpp"
#include "tools/evidence_store.hpp"
#include "tools/lane.hpp"
#include "tools/targets.hpp"

#include <chrono>
#include <utility>

namespace interlock::server {
namespace {

constexpr std::size_t values_max = base::limits::completions_max;
constexpr std::size_t value_bytes_max = 200;       // longer is no beginning of any name
constexpr std::chrono::milliseconds wait_max{500}; // a person is typing

/// Relations whose name, with or without its schema, begins with $1. PostgreSQL shows these names
/// to every role.
constexpr db::Sql relations_like{"relations_like", R"sql(
    select n.nspname || '.' || c.relname as relation, pg_catalog.count(*) over () as total
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I')
      and not pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_')
      and n.nspname <> 'information_schema'
      and (pg_catalog.starts_with(n.nspname || '.' || c.relname, $1::pg_catalog.text)
           or pg_catalog.starts_with(c.relname::pg_catalog.text, $1::pg_catalog.text))
    order by 1
    limit $2::pg_catalog.int8)sql"};

/// Keeps what begins with `value`, as many as are shown, and counts all.
Completion beginning_with(const std::string& value, const std::vector<std::string>& candidates) {
    Completion completion;
    std::size_t total = 0;
    for (const std::string& candidate : candidates) {
        if (candidate.starts_with(value) && ++total <= values_max) {
            completion.values.push_back(candidate);
        }
    }
    completion.total = total;
    return completion;
}

std::string target_of(const CompletionRequest& request) {
    for (const auto& [name, value] : request.context) {
        if (name == "target") {
            return value;
        }
    }
    return {};
}

Completion relations(
    const DiagnosticParts& parts, Conversation& conversation, const CompletionRequest& asked
) {
    const auto target = parts.context.targets.resolve(target_of(asked));
    if (!target || !may_use(parts, conversation.access(), "postgres") ||
        asked.value.find('\0') != std::string::npos) {
        return {};
    }
    const tools::Arguments none;
    tools::CallCost cost;
    const tools::Call call{
        .identity = conversation.identity(),
        .arguments = none,
        .stop = conversation.stop(),
        .span = conversation.span(),
        .id = conversation.call_id(),
        .cost = &cost};
    const tools::LaneRequest request{
        .target = *target,
        .tool = "complete",
        .looks = db::Looks::at_data,
        .statement_timeout = wait_max};
    auto read = tools::read_lane(
        parts.context,
        call,
        request,
        {{.sql = relations_like,
          .parameters = {asked.value, std::to_string(values_max)},
          .rows_max = values_max}}
    );
    Completion completion;
    completion.database = base::Duration(cost.database_us.load()); // also of what found nothing
    if (!read || !read->results.front()) {
        return completion;
    }
    const db::Table& table = read->results.front()->table;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        std::string name = table.text(row, "relation");
        if (base::sanitize(name) == name) { // else it cannot be shown as it is, and not be typed
            completion.values.push_back(std::move(name));
        }
    }
    completion.total =
        static_cast<std::size_t>(table.empty() ? 0 : table.integer(0, "total").value_or(0));
    return completion;
}

std::vector<std::string> runbook_ids() {
    std::vector<std::string> ids;
    for (const auto& [id, contract] : runbooks::library()) {
        ids.push_back(id);
    }
    return ids;
}

/// The newest plans that the caller asked for.
std::vector<std::string> plan_ids(const DiagnosticParts& parts, const Conversation& conversation) {
    std::vector<std::string> ids;
    approval::PlanFilter mine;
    mine.requester = conversation.identity().subject;
    if (mine.requester.empty() || !may_use(parts, conversation.access(), "planning")) {
        return ids;
    }
    if (const auto plans = parts.queue.list(mine)) {
        for (const approval::StoredPlan& plan : *plans) {
            ids.push_back(plan.id);
        }
    }
    return ids;
}

Completion of_prompt(
    const DiagnosticParts& parts, Conversation& conversation, const CompletionRequest& asked
) {
    if (asked.reference == diagnose_prompt && !may_use(parts, conversation.access(), "triage")) {
        return {}; // which databases there are is for those who may look at them
    }
    if (asked.reference == diagnose_prompt && asked.argument == "target") {
        return beginning_with(asked.value, parts.context.targets.names());
    }
    if (asked.reference == diagnose_prompt && asked.argument == "relation") {
        return relations(parts, conversation, asked);
    }
    if (asked.reference == review_prompt && asked.argument == "plan_id") {
        return beginning_with(asked.value, plan_ids(parts, conversation));
    }
    return {};
}

Completion of_template(
    const DiagnosticParts& parts, Conversation& conversation, const CompletionRequest& asked
) {
    if (asked.argument != "id") {
        return {};
    }
    if (asked.reference == evidence_template) {
        return beginning_with(
            asked.value,
            parts.context.evidence.recent(conversation.identity().subject, asked.value, values_max)
        );
    }
    if (asked.reference == runbook_template && offers(parts, "planning")) {
        return beginning_with(asked.value, runbook_ids());
    }
    if (asked.reference == plan_template) {
        return beginning_with(asked.value, plan_ids(parts, conversation));
    }
    return {};
}

} // namespace

Outcome<Completion> complete(
    const DiagnosticParts& parts, Conversation& conversation, const CompletionRequest& request
) {
    if (request.value.size() > value_bytes_max) {
        return Completion{};
    }
    return request.of_prompt ? of_prompt(parts, conversation, request)
                             : of_template(parts, conversation, request);
}

} // namespace interlock::server
