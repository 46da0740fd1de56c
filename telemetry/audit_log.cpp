#include "telemetry/audit_log.hpp"

#include "base/json_object.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/merkle.hpp"

#include <algorithm>

namespace interlock::telemetry {

namespace {

/// leaf_hash repeats what the header determines: it names the leaf when one of the two is edited,
/// where the root alone could only say that something is wrong.
std::vector<std::string> tables(std::string_view numbered_key) {
    const std::string leaf_index = "leaf_index " + std::string(numbered_key);
    return {
        "create table if not exists audit_log (" + leaf_index +
            ", leaf_hash text not null, plan_digest text not null, header text not null)",
        // Without the tool calls, which are most leaves and have no plan.
        "create index if not exists audit_log_plan on audit_log (plan_digest, leaf_index) "
        "where plan_digest <> ''",
        "create table if not exists audit_payload (" + leaf_index +
            ", salt text not null, payload text not null)",
        "create table if not exists audit_state ("
        "id integer primary key check (id = 1), origin text not null, frontier text not null)",
    };
}

struct State {
    std::string origin;
    Frontier frontier;
};

base::Result<db::Table> state_row(db::StoreTransaction& transaction) {
    INTERLOCK_TRY(
        auto table, transaction.run("select origin, frontier from audit_state where id = 1")
    );
    if (table.rows.size() != 1)
        return base::Error{
            base::Errc::corrupt,
            "The audit log has no state row, so nothing can be recorded.",
            "Restore the store from a copy whose audit log verifies."};
    return table;
}

base::Result<State> load_state(db::StoreTransaction& transaction) {
    INTERLOCK_TRY(const auto row, state_row(transaction));
    INTERLOCK_TRY(auto frontier, Frontier::parse(row.text(0, "frontier")));
    return State{row.text(0, "origin"), std::move(frontier)};
}

/// The stored one; `tail` knows it already unless somebody else wrote meanwhile, or what it knows
/// was never committed.
base::Result<Frontier> frontier_now(db::StoreTransaction& transaction, const AuditTail& tail) {
    INTERLOCK_TRY(const auto row, state_row(transaction));
    const auto text = row.text(0, "frontier");
    if (!text.empty() && text == tail.text)
        return tail.frontier;
    return Frontier::parse(text);
}

/// The next leaf: into its tables and onto the frontier.
base::Status insert_leaf(
    db::StoreTransaction& transaction,
    base::Random& random,
    const AuditEntry& entry,
    const std::string& time,
    Frontier& frontier
) {
    INTERLOCK_CHECK(check_audit_entry(entry));
    const auto index = frontier.size();
    const auto salt = random.bytes(audit_salt_bytes);
    const auto header = base::JsonObject()
                            .text("actor", entry.actor)
                            .text("payload_hash", base::hex(payload_hash(salt, entry.payload)))
                            .text("plan_digest", entry.plan_digest)
                            .number("seq", static_cast<long long>(index))
                            .text("time", time)
                            .text("type", entry.type)
                            .take();
    const auto leaf = leaf_hash(header);
    frontier.append(leaf);

    const auto index_text = std::to_string(index);
    INTERLOCK_CHECK(transaction.run(
        "insert into audit_log (leaf_index, leaf_hash, plan_digest, header) "
        "values ($1, $2, $3, $4)",
        {index_text, base::hex(leaf), entry.plan_digest, header}
    ));
    INTERLOCK_CHECK(transaction.run(
        "insert into audit_payload (leaf_index, salt, payload) values ($1, $2, $3)",
        {index_text, base::hex(salt), entry.payload}
    ));
    return base::done;
}

} // namespace

base::Status check_audit_entry(const AuditEntry& entry) {
    if (entry.payload.size() > base::limits::audit_payload_bytes_max)
        return base::Error{
            base::Errc::limit_exceeded,
            "An audit payload of " + std::to_string(entry.payload.size()) +
                " bytes is over the limit of " +
                std::to_string(base::limits::audit_payload_bytes_max) + ".",
            "Send a smaller request."};
    // PostgreSQL stores neither NUL nor broken UTF-8 as text; rendered JSON has neither.
    if (entry.type.empty() || !base::is_utf8(entry.payload) ||
        entry.payload.find('\0') != std::string::npos)
        return base::Error{
            base::Errc::internal,
            "An audit entry has no type, or its payload is not JSON text.",
            "Report this as a defect."};
    return base::done;
}

base::Digest payload_hash(std::string_view salt, std::string_view payload) {
    std::string input;
    input.reserve(salt.size() + payload.size());
    input.append(salt).append(payload);
    return base::sha256(input);
}

base::Status create_audit_tables(db::StoreTransaction& transaction, base::Random& random) {
    for (const auto& sql : tables(transaction.numbered_key()))
        INTERLOCK_CHECK(transaction.run(sql));
    INTERLOCK_CHECK(transaction.run(
        "insert into audit_state (id, origin, frontier) values (1, $1, $2) "
        "on conflict (id) do nothing",
        {"interlock/" + base::new_id(random, "log"), Frontier{}.to_text()}
    ));
    return base::done;
}

base::Result<std::uint64_t>
append_audit(db::StoreTransaction& transaction, base::Random& random, const AuditEntry& entry) {
    AuditTail unknown;
    return append_audit(transaction, random, std::span(&entry, 1), unknown);
}

base::Result<std::uint64_t> append_audit(
    db::StoreTransaction& transaction,
    base::Random& random,
    std::span<const AuditEntry> entries,
    AuditTail& tail
) {
    INTERLOCK_TRY(auto frontier, frontier_now(transaction, tail));
    const auto first = frontier.size();
    const auto time = base::format_time(transaction.now());
    for (const AuditEntry& entry : entries)
        INTERLOCK_CHECK(insert_leaf(transaction, random, entry, time, frontier));
    tail.text = frontier.to_text();
    tail.frontier = std::move(frontier);
    INTERLOCK_TRY(
        const auto updated,
        transaction.run("update audit_state set frontier = $1 where id = 1", {tail.text})
    );
    if (updated.affected != 1)
        return base::Error{
            base::Errc::corrupt,
            "The audit log's state row vanished while a leaf was appended.",
            "Verify the audit log with `interlock audit verify`."};
    return first;
}

base::Result<Checkpoint> audit_head(db::StoreTransaction& transaction) {
    INTERLOCK_TRY(const auto state, load_state(transaction));
    return Checkpoint{state.origin, state.frontier.size(), state.frontier.root()};
}

base::Result<std::vector<AuditRecord>> read_audit(
    db::Store& store, std::uint64_t first, std::size_t count, const std::string& plan_digest
) {
    std::vector<AuditRecord> records;
    const auto read = [&](db::StoreTransaction& transaction) -> base::Status {
        std::string sql = "select l.leaf_index, l.header, p.payload from audit_log l "
                          "left join audit_payload p on p.leaf_index = l.leaf_index "
                          "where l.leaf_index >= $1";
        std::vector<db::Cell> parameters{std::to_string(first)};
        if (!plan_digest.empty()) {
            sql += " and l.plan_digest = $2 and l.plan_digest <> ''";
            parameters.emplace_back(plan_digest);
        }
        sql += " order by l.leaf_index limit ";
        sql += std::to_string(std::min(count, base::limits::audit_read_max));
        INTERLOCK_TRY(const auto table, transaction.run(sql, parameters));
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            const auto index = table.integer(row, "leaf_index").value_or(0);
            records.push_back(
                {static_cast<std::uint64_t>(index),
                 table.text(row, "header"),
                 table.at(row, "payload")}
            );
        }
        return base::done;
    };
    INTERLOCK_CHECK(store.read(read));
    return records;
}

} // namespace interlock::telemetry
