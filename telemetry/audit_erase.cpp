#include "telemetry/audit_erase.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_format.hpp"

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

namespace {

/// The selection as SQL, as far as columns tell.
std::pair<std::string, std::vector<db::Cell>>
query_of(const ErasureSelection& selection, const std::string& after) {
    std::string sql = "select l.leaf_index, l.plan_digest, l.header from audit_log l "
                      "join audit_payload p on p.leaf_index = l.leaf_index "
                      "where l.leaf_index > $1";
    std::vector<db::Cell> parameters{after};
    const auto add = [&](const char* condition, std::string value) {
        parameters.emplace_back(std::move(value));
        sql += std::string(" and ") + condition + " $" + std::to_string(parameters.size());
    };
    if (selection.indexes)
        add("l.leaf_index <=", std::to_string(selection.indexes->last));
    if (!selection.plan_digest.empty())
        add("l.plan_digest <> '' and l.plan_digest =", selection.plan_digest);
    sql += " order by l.leaf_index limit " + std::to_string(base::limits::audit_walk_rows);
    return {sql, parameters};
}

/// What only the header tells. A header that cannot be read selects nothing.
bool selects(const ErasureSelection& selection, const base::Json& header) {
    if (base::string_member(header, "type").value_or(erasure_type) == erasure_type)
        return false;
    if (!selection.actor.empty() && base::string_member(header, "actor") != selection.actor)
        return false;
    if (!selection.before)
        return true;
    const auto time = base::parse_time(base::string_member(header, "time").value_or(""));
    return time && *time < *selection.before;
}

base::Error still_needed(const std::string& index) {
    return {
        base::Errc::refused,
        "The payload of leaf " + index +
            " belongs to a plan that is under way, so nothing was erased.",
        "Wait until the plan has ended, or narrow the selection."};
}

base::Status erase_batch(
    db::StoreTransaction& transaction,
    base::Random& random,
    const IndexRanges& batch,
    const std::string& who,
    const std::string& why,
    Erasure& done
) {
    std::uint64_t erased = 0;
    for (const auto& range : batch.ranges()) {
        INTERLOCK_TRY(
            const auto table,
            transaction.run(
                "delete from audit_payload where leaf_index >= $1 and leaf_index <= $2",
                {std::to_string(range.first), std::to_string(range.last)}
            )
        );
        erased += static_cast<std::uint64_t>(table.affected);
    }
    if (erased != batch.count())
        return base::Error{
            base::Errc::conflict,
            "Payloads were erased by somebody else at the same time, so this was not done.",
            "Select again and repeat it."};
    const base::Json payload{{"reason", why}, {"count", erased}, {erasure_ranges, batch.to_json()}};
    INTERLOCK_TRY(
        const auto record,
        append_audit(
            transaction, random, AuditEntry{erasure_type, who, "", base::render_json(payload)}
        )
    );
    done.payloads += erased;
    done.records.push_back(record);
    return base::done;
}

} // namespace

base::Result<IndexRanges> select_payloads(
    db::Store& store, const ErasureSelection& selection, const std::set<std::string>& under_way
) {
    IndexRanges selected;
    // leaf_index > after, from -1 on.
    std::string after = std::to_string(
        selection.indexes ? static_cast<long long>(selection.indexes->first) - 1 : -1
    );
    for (bool more = true; more;) {
        // One short transaction a batch: records that are there do not change any more.
        INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
            const auto [sql, parameters] = query_of(selection, after);
            INTERLOCK_TRY(const auto table, transaction.run(sql, parameters));
            more = table.rows.size() == base::limits::audit_walk_rows;
            for (std::size_t row = 0; row < table.rows.size(); ++row) {
                after = table.text(row, "leaf_index");
                const auto header = base::parse_json(table.text(row, "header"));
                if (!header || !selects(selection, *header))
                    continue;
                if (under_way.contains(table.text(row, "plan_digest")))
                    return still_needed(after);
                selected.add(static_cast<std::uint64_t>(table.integer(row, "leaf_index").value_or(0)
                ));
            }
            return base::done;
        }));
    }
    return selected;
}

base::Result<Erasure> erase_payloads(
    db::Store& store,
    base::Random& random,
    IndexRanges payloads,
    const std::string& who,
    const std::string& why
) {
    if (base::trim(why).empty() ||
        base::count_characters(why) > base::limits::decision_reason_chars_max)
        return base::Error{
            base::Errc::invalid_arguments,
            "Erasing needs a reason of at most " +
                std::to_string(base::limits::decision_reason_chars_max) + " characters.",
            "Say in one sentence why it is erased; it stays in the log."};
    Erasure done;
    while (!payloads.empty()) {
        const auto batch = payloads.take(base::limits::audit_erase_batch);
        INTERLOCK_CHECK(store.transact([&](db::StoreTransaction& transaction) {
            return erase_batch(transaction, random, batch, who, base::sanitize(why), done);
        }));
    }
    return done;
}

} // namespace interlock::telemetry
