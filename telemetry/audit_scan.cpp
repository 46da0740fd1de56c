#include "telemetry/audit_scan.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

namespace {

struct Query {
    std::string sql;
    std::vector<db::Cell> parameters;
    std::size_t rows_max = 0;
};

/// `next` is the first index to be read.
Query query_of(const AuditScan& what, std::uint64_t next) {
    Query query;
    query.rows_max =
        what.payloads ? base::limits::audit_verify_rows : base::limits::audit_walk_rows;
    query.sql = what.payloads
                    ? "select l.leaf_index, l.leaf_hash, l.header, p.salt, p.payload "
                      "from audit_log l left join audit_payload p on p.leaf_index = l.leaf_index "
                      "where l.leaf_index >= $1"
                    : "select l.leaf_index, l.leaf_hash, l.header from audit_log l "
                      "where l.leaf_index >= $1";
    query.parameters.emplace_back(std::to_string(next));
    const auto add = [&query](const char* condition, std::string value) {
        query.parameters.emplace_back(std::move(value));
        query.sql += condition + std::to_string(query.parameters.size());
    };
    // Indexes in the store are signed.
    constexpr std::uint64_t index_max = std::numeric_limits<std::int64_t>::max();
    if (what.end <= index_max)
        add(" and l.leaf_index < $", std::to_string(what.end));
    if (!what.plan_digest.empty())
        add(" and l.plan_digest <> '' and l.plan_digest = $", what.plan_digest);
    if (!what.type.empty()) // the last member of a header, whose members are sorted
        add(" and l.header like $",
            "%" + base::render_json({{"type", what.type}}).substr(1, std::string::npos));
    query.sql += " order by l.leaf_index limit " + std::to_string(query.rows_max);
    return query;
}

} // namespace

std::optional<LeafHeader> read_leaf_header(std::string_view header) {
    const auto json = base::parse_json(header);
    const auto seq = json ? base::integer_member(*json, "seq") : std::nullopt;
    if (!seq || *seq < 0)
        return std::nullopt;
    const auto text = [&](const char* name) { return base::string_member(*json, name); };
    auto time = text("time");
    auto type = text("type");
    auto actor = text("actor");
    auto plan_digest = text("plan_digest");
    auto payload_hash = text("payload_hash");
    if (!time || !type || !actor || !plan_digest || !payload_hash)
        return std::nullopt;
    return LeafHeader{
        static_cast<std::uint64_t>(*seq),
        *std::move(time),
        *std::move(type),
        *std::move(actor),
        *std::move(plan_digest),
        *std::move(payload_hash)};
}

base::Status scan_audit(
    db::Store& store,
    const AuditScan& what,
    const std::function<base::Result<Scan>(ScannedRecord&)>& take
) {
    std::uint64_t next = what.first;
    for (bool more = true; more;) {
        std::vector<ScannedRecord> batch;
        INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
            const auto query = query_of(what, next);
            INTERLOCK_TRY(auto table, transaction.run(query.sql, query.parameters));
            more = table.rows.size() == query.rows_max;
            for (std::size_t row = 0; row < table.rows.size(); ++row) {
                const auto index = table.integer(row, "leaf_index");
                if (!index || *index < 0)
                    continue; // no index of a leaf; `interlock audit verify` tells of it
                auto& record = batch.emplace_back();
                record.index = static_cast<std::uint64_t>(*index);
                record.leaf_hash = table.text(row, "leaf_hash");
                record.header = table.text(row, "header");
                if (what.payloads) {
                    record.salt = table.at(row, "salt");
                    record.payload = table.at(row, "payload");
                }
            }
            return base::done;
        }));
        more = more && !batch.empty();
        for (auto& record : batch) {
            next = record.index + 1;
            INTERLOCK_TRY(const auto wanted, take(record));
            if (wanted == Scan::enough)
                return base::done;
        }
    }
    return base::done;
}

} // namespace interlock::telemetry
