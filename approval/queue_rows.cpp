#include "approval/queue_rows.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <nlohmann/json.hpp>

namespace interlock::approval::rows {

namespace {

constexpr long long schema_version = 1;
constexpr std::string_view clock_actor = "interlock-queue"; // who lets a plan expire

// What must hold whatever the code does is a constraint here: a digest runs at most once, the same
// effects are open at most once, a person, a key and a nonce vote at most once, a target has at
// most one lease.
constexpr std::string_view tables[] = {
    "create table if not exists queue_counters ("
    "name text primary key, value bigint not null)",

    "create table if not exists plans ("
    "plan_id text primary key, effects_digest text not null, attempt bigint not null, "
    "plan_digest text not null unique, state text not null, version bigint not null, "
    "plan_bytes text not null, presentation text not null, requester text not null, "
    "requester_client text not null, trace_parent text not null, created_at text not null, "
    "expires_at text not null, state_reason text not null, outcome text not null, "
    "unique (effects_digest, attempt))",
    "create unique index if not exists plans_open_effects on plans (effects_digest) where state in "
    "('PENDING', 'APPROVED', 'CLAIMED', 'EXECUTING', 'IN_DOUBT', 'ROLLING_BACK', 'VERIFYING')",
    "create index if not exists plans_by_state on plans (state, expires_at)",
    "create index if not exists plans_by_requester on plans (requester, state)",

    "create table if not exists plan_requesters ("
    "plan_id text not null references plans (plan_id), subject text not null, "
    "requested_at text not null, primary key (plan_id, subject))",
    "create index if not exists plan_requesters_by_subject on plan_requesters (subject)",

    "create table if not exists decisions ("
    "plan_id text not null references plans (plan_id), kind text not null, person text not null, "
    "approver text not null, verdict text not null, statement text not null, "
    "signature text not null, assurance text not null, key_fingerprint text not null, "
    "nonce text not null unique, log_checkpoint text not null, recorded_at text not null, "
    "plan_version bigint not null, "
    "primary key (plan_id, kind, person), unique (plan_id, kind, key_fingerprint))",

    "create table if not exists executions ("
    "plan_id text primary key references plans (plan_id), plan_digest text not null unique, "
    "executor text not null, fence bigint not null, claimed_at text not null)",

    "create table if not exists target_leases ("
    "fence bigint primary key, lease_key text not null, plan_id text not null, "
    "executor text not null, lease_until text not null, acquired_at text not null, "
    "released_at text)",
    "create unique index if not exists target_leases_held on target_leases (lease_key) "
    "where released_at is null",

    "create table if not exists step_runs ("
    "plan_id text not null references executions (plan_id), step_index bigint not null, "
    "forward bigint not null, state text not null, fence bigint not null, "
    "intent_fence bigint not null, detail text not null, "
    "recorded_at text not null, primary key (plan_id, step_index, forward))",
};

base::Error no_such_plan(const std::string& plan_id) {
    return base::Error{
        base::Errc::not_found,
        "There is no plan with the id " + base::cut_middle(base::sanitize(plan_id), 64) + ".",
        "List the plans to find its id."};
}

base::Error contradiction(const std::string& plan_id, const std::string& problem) {
    return base::Error{
        base::Errc::corrupt,
        "The stored plan " + plan_id + " contradicts itself: " + problem + ".",
        "Verify the audit log with `interlock audit verify` before anything else."};
}

std::string audit_type(PlanState from, PlanState to, PlanEvent event) {
    return "plan." + (from == to ? std::string(name(event)) : base::lower_ascii(name(to)));
}

} // namespace

const std::string_view plan_columns =
    "plan_id, state, version, plan_bytes, plan_digest, presentation, requester, requester_client, "
    "created_at, expires_at, state_reason, outcome, trace_parent";

base::Status create_tables(db::StoreTransaction& transaction) {
    for (const auto sql : tables)
        INTERLOCK_CHECK(transaction.run(sql));
    INTERLOCK_CHECK(transaction.run(
        "insert into queue_counters (name, value) values ('fence', 0), ('schema', $1) "
        "on conflict (name) do nothing",
        {std::to_string(schema_version)}
    ));
    INTERLOCK_TRY(
        const auto found, transaction.run("select value from queue_counters where name = 'schema'")
    );
    if (found.empty() || found.integer(0, "value") != schema_version)
        return base::Error{
            base::Errc::not_supported,
            "The queue was made by another version of Interlock, whose tables differ.",
            "Use the version that made it, or name another state directory."};
    return base::done;
}

base::Result<StoredPlan> plan_from(const db::Table& table, std::size_t row) {
    StoredPlan plan;
    plan.id = table.text(row, "plan_id");
    const auto state = state_from_name(table.text(row, "state"));
    const auto version = table.integer(row, "version");
    if (!state || !version)
        return contradiction(plan.id, "its state or version is none");
    plan.state = *state;
    plan.version = *version;
    plan.bytes = table.text(row, "plan_bytes");
    plan.digest = table.text(row, "plan_digest");
    plan.presentation = table.text(row, "presentation");
    plan.requester = table.text(row, "requester");
    plan.requester_client = table.text(row, "requester_client");
    plan.created_at = table.text(row, "created_at");
    plan.expires_at = table.text(row, "expires_at");
    plan.state_reason = table.text(row, "state_reason");
    plan.outcome = table.text(row, "outcome");
    plan.trace_parent = table.text(row, "trace_parent");
    return plan;
}

base::Result<StoredPlan> load(db::StoreTransaction& transaction, const std::string& plan_id) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select " + std::string(plan_columns) + " from plans where plan_id = $1", {plan_id}
        )
    );
    if (found.empty())
        return no_such_plan(plan_id);
    return plan_from(found, 0);
}

base::Status load_people(db::StoreTransaction& transaction, StoredPlan& plan) {
    INTERLOCK_TRY(
        const auto votes,
        transaction.run(
            "select statement, signature, assurance, key_fingerprint, recorded_at from decisions "
            "where plan_id = $1 order by plan_version",
            {plan.id}
        )
    );
    for (std::size_t row = 0; row < votes.rows.size(); ++row) {
        StoredDecision decision;
        decision.signed_decision = {votes.text(row, "statement"), votes.text(row, "signature")};
        auto statement = parse_decision(decision.signed_decision.statement);
        if (!statement.ok())
            return contradiction(plan.id, "one of its decisions cannot be read");
        decision.statement = std::move(statement).value();
        decision.assurance = votes.text(row, "assurance");
        decision.key_fingerprint = votes.text(row, "key_fingerprint");
        decision.recorded_at = votes.text(row, "recorded_at");
        plan.decisions.push_back(std::move(decision));
    }
    INTERLOCK_TRY(
        const auto joined,
        transaction.run(
            "select subject from plan_requesters where plan_id = $1 order by requested_at, subject",
            {plan.id}
        )
    );
    plan.requesters = {plan.requester};
    for (std::size_t row = 0; row < joined.rows.size(); ++row)
        if (joined.text(row, "subject") != plan.requester)
            plan.requesters.push_back(joined.text(row, "subject"));
    return base::done;
}

bool is_past(const StoredPlan& plan, base::Time now) {
    return is_open(plan.state) && base::format_time(now) >= plan.expires_at;
}

base::Error expired_error(const StoredPlan& plan) {
    return base::Error{
        base::Errc::expired,
        "The time of plan " + plan.id + " was up at " + plan.expires_at + " by the queue's clock.",
        "Propose it again if it is still needed."};
}

base::Result<StoredPlan> load_unexpired(
    db::StoreTransaction& transaction, base::Random& random, const std::string& plan_id
) {
    INTERLOCK_TRY(StoredPlan plan, load(transaction, plan_id));
    if (!is_past(plan, transaction.now()))
        return plan;
    base::Error error = expired_error(plan);
    INTERLOCK_CHECK(move(
        transaction,
        random,
        plan,
        {PlanEvent::expire, std::string(clock_actor), "Its time was up.", {}, {}}
    ));
    return error;
}

base::Result<PlanState> move(
    db::StoreTransaction& transaction, base::Random& random, StoredPlan& plan, const Change& change
) {
    const PlanState from = plan.state;
    INTERLOCK_TRY(const PlanState to, next_state(from, change.event));
    const std::string reason = plain(change.reason);
    INTERLOCK_TRY(
        const auto updated,
        transaction.run(
            "update plans set state = $1, version = version + 1, expires_at = $2, "
            "state_reason = $3 where plan_id = $4 and state = $5 and version = $6",
            {name(to), change.expires_at, reason, plan.id, name(from), std::to_string(plan.version)}
        )
    );
    if (updated.affected != 1)
        return base::Error{
            base::Errc::conflict,
            "Somebody else changed plan " + plan.id + " first.",
            "Read the plan again."};
    plan.state = to;
    plan.version += 1;
    plan.expires_at = change.expires_at;
    plan.state_reason = reason;
    auto details = change.details;
    details.insert(
        details.end(),
        {{"from", name(from)}, {"to", name(to)}, {"event", name(change.event)}, {"reason", reason}}
    );
    INTERLOCK_CHECK(
        note(transaction, random, plan, audit_type(from, to, change.event), change.actor, details)
    );
    return to;
}

base::Status note(
    db::StoreTransaction& transaction,
    base::Random& random,
    StoredPlan& plan,
    const std::string& type,
    const std::string& actor,
    const std::vector<std::pair<std::string, std::string>>& details
) {
    // Numbered, so that each record tells whoever reads this plan's alone how many came before.
    INTERLOCK_TRY(
        const auto before,
        transaction.run(
            "select count(*) as leaves from audit_log "
            "where plan_digest = $1 and plan_digest <> ''",
            {plan.digest}
        )
    );
    base::Json payload{
        {"plan_id", plan.id},
        {"version", plan.version},
        {"record_of_plan", before.integer(0, "leaves").value_or(0) + 1}};
    for (const auto& [key, value] : details)
        payload[key] = value;
    INTERLOCK_TRY(
        plan.leaf,
        telemetry::append_audit(
            transaction, random, {type, actor, plan.digest, base::render_json(payload)}
        )
    );
    return base::done;
}

base::Result<int> expire_due(db::StoreTransaction& transaction, base::Random& random) {
    INTERLOCK_TRY(
        const auto due,
        transaction.run(
            "select " + std::string(plan_columns) +
                " from plans where state in ('PENDING', 'APPROVED') and expires_at <= $1",
            {base::format_time(transaction.now())}
        )
    );
    for (std::size_t row = 0; row < due.rows.size(); ++row) {
        INTERLOCK_TRY(StoredPlan plan, plan_from(due, row));
        INTERLOCK_CHECK(move(
            transaction,
            random,
            plan,
            {PlanEvent::expire, std::string(clock_actor), "Its time was up.", {}, {}}
        ));
    }
    return static_cast<int>(due.rows.size());
}

std::string plain(std::string_view text) {
    return base::cut_middle(base::sanitize(text), base::limits::decision_reason_chars_max);
}

} // namespace interlock::approval::rows
