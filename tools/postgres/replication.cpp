// get_replication: which role this server has; who follows it and how far behind; what slots keep;
// what it receives; subscriptions and published tables.
#include "base/limits.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/find.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sampler.hpp"
#include "tools/sql_text.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_replication";
constexpr std::chrono::seconds window_wanted{60};
constexpr double kilo = 1'024;
constexpr double mega = kilo * kilo;
constexpr double giga = kilo * mega;

// Behind by this much, reads of the standby are stale and a failover loses or waits.
constexpr Threshold replay_lag_seconds{60, 300};
// The same where no time is known, because nothing was confirmed lately.
constexpr Threshold replay_lag_bytes{giga, 10 * giga};
// Kept for a slot: nobody reads a physical one that is inactive, a logical consumer may lag.
constexpr Threshold unused_slot_bytes{100 * mega, giga};
constexpr Threshold used_slot_bytes{giga, 10 * giga};
constexpr double inactive_slot_seconds = 5 * 60;
// A primary speaks every wal_sender_timeout / 2 at the latest: 30 s as it comes.
constexpr Threshold silent_seconds{60, 300};
constexpr double senders_percent = 80;

constexpr db::Sql server_sql{"replication_server", R"sql(
    with at as materialized (
        select pg_catalog.pg_is_in_recovery() as in_recovery,
               case when pg_catalog.pg_is_in_recovery()
                    then coalesce(pg_catalog.pg_last_wal_receive_lsn(),
                                  pg_catalog.pg_last_wal_replay_lsn())
                    else pg_catalog.pg_current_wal_lsn() end as lsn
    )
    select case when at.in_recovery then 'standby' else 'primary' end as role,
           at.lsn::text as wal_position,
           case when at.in_recovery then pg_catalog.pg_wal_lsn_diff(
               at.lsn, pg_catalog.pg_last_wal_replay_lsn()) end as unreplayed_bytes,
           case when not at.in_recovery then null
                when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                then 0
                else pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp()
                         - pg_catalog.pg_last_xact_replay_timestamp()), 3)
           end as replay_lag_seconds,
           case when at.in_recovery
                then pg_catalog.pg_get_wal_replay_pause_state() end as replay_pause,
           pg_catalog.current_setting('recovery_min_apply_delay') as apply_delay,
           pg_catalog.current_setting('hot_standby_feedback') as hot_standby_feedback,
           pg_catalog.current_setting('synchronous_standby_names') as synchronous_standby_names,
           (select pg_catalog.count(*) from pg_catalog.pg_stat_replication) as senders,
           pg_catalog.current_setting('max_wal_senders')::int as senders_max,
           (select pg_catalog.count(*) from pg_catalog.pg_replication_slots) as slots,
           pg_catalog.current_setting('max_replication_slots')::int as slots_max,
           pg_catalog.current_setting('max_slot_wal_keep_size') as slot_wal_max,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all
    from at)sql"};

constexpr db::Sql standbys_sql{"replication_standbys", R"sql(
    with at as materialized (
        select case when pg_catalog.pg_is_in_recovery()
                    then pg_catalog.pg_last_wal_receive_lsn()
                    else pg_catalog.pg_current_wal_lsn() end as lsn
    )
    select r.pid, pg_catalog.left(r.application_name, 64) as application_name,
           pg_catalog.host(r.client_addr) as client, r.usename as "user", r.state, r.sync_state,
           pg_catalog.pg_wal_lsn_diff(at.lsn, r.sent_lsn) as unsent_bytes,
           pg_catalog.pg_wal_lsn_diff(r.sent_lsn, r.write_lsn) as unwritten_bytes,
           pg_catalog.pg_wal_lsn_diff(r.write_lsn, r.flush_lsn) as unflushed_bytes,
           pg_catalog.pg_wal_lsn_diff(r.flush_lsn, r.replay_lsn) as unreplayed_bytes,
           pg_catalog.pg_wal_lsn_diff(at.lsn, coalesce(r.replay_lsn, r.flush_lsn)) as behind_bytes,
           extract(epoch from r.write_lag)::float8 as write_lag_seconds,
           extract(epoch from r.flush_lag)::float8 as flush_lag_seconds,
           extract(epoch from r.replay_lag)::float8 as replay_lag_seconds,
           pg_catalog.age(r.backend_xmin) as xmin_age,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - r.reply_time), 1) as reply_seconds
    from pg_catalog.pg_stat_replication r
    cross join at
    order by behind_bytes desc nulls first
    limit 50)sql"};

constexpr std::string_view slots_head = R"sql(
    with at as materialized (
        select case when pg_catalog.pg_is_in_recovery()
                    then pg_catalog.pg_last_wal_replay_lsn()
                    else pg_catalog.pg_current_wal_lsn() end as lsn
    )
    select s.slot_name, s.slot_type, s.plugin, s.database, s.temporary, s.active,
           pg_catalog.pg_wal_lsn_diff(at.lsn, s.restart_lsn) as retained_bytes,
           pg_catalog.pg_wal_lsn_diff(at.lsn, s.confirmed_flush_lsn) as unconfirmed_bytes,
           s.wal_status, s.safe_wal_size as safe_bytes,
           greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)) as xmin_age,)sql";
constexpr std::string_view slots_ends_14 = R"sql(
           null::float8 as inactive_seconds, null::text as invalid, null::bool as failover,
           null::bool as synced, t.spill_bytes)sql";
constexpr std::string_view slots_ends_16 = R"sql(
           null::float8 as inactive_seconds,
           case when s.conflicting then 'conflict with recovery' end as invalid,
           null::bool as failover, null::bool as synced, t.spill_bytes)sql";
constexpr std::string_view slots_ends_17 = R"sql(
           extract(epoch from pg_catalog.clock_timestamp() - s.inactive_since)::float8
               as inactive_seconds,
           s.invalidation_reason as invalid, s.failover, s.synced, t.spill_bytes)sql";
constexpr std::string_view slots_tail = R"sql(
    from pg_catalog.pg_replication_slots s
    cross join at
    left join pg_catalog.pg_stat_replication_slots t using (slot_name)
    order by retained_bytes desc nulls last
    limit 100)sql";
constexpr db::Sql slots_sql{"replication_slots", joined<slots_head, slots_ends_14, slots_tail>};
constexpr db::Sql slots_sql_16{
    "replication_slots_16", joined<slots_head, slots_ends_16, slots_tail>};
constexpr db::Sql slots_sql_17{
    "replication_slots_17", joined<slots_head, slots_ends_17, slots_tail>};

// Its connection string is left alone: it may hold a password.
constexpr db::Sql receiver_sql{"replication_receiver", R"sql(
    select r.status, r.sender_host, r.sender_port, r.slot_name,
           r.received_tli as timeline, r.flushed_lsn::text as flushed,
           pg_catalog.pg_wal_lsn_diff(r.latest_end_lsn, r.flushed_lsn) as unflushed_bytes,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - r.last_msg_receipt_time), 1) as silent_seconds
    from pg_catalog.pg_stat_wal_receiver r)sql"};

constexpr std::string_view conflicts_head = R"sql(
    select c.datname as database, c.confl_snapshot as "snapshot", c.confl_lock as "lock",
           c.confl_bufferpin as buffer_pin, c.confl_deadlock as deadlock,
           c.confl_tablespace as tablespace,)sql";
constexpr std::string_view conflicts_slots_14 = R"sql(
           null::bigint as logical_slot,)sql";
constexpr std::string_view conflicts_slots_16 = R"sql(
           c.confl_active_logicalslot as logical_slot,)sql";
constexpr std::string_view conflicts_tail = R"sql(
           pg_catalog.to_char(d.stats_reset at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
               as since
    from pg_catalog.pg_stat_database_conflicts c
    join pg_catalog.pg_stat_database d using (datid)
    where d.conflicts > 0
    order by d.conflicts desc
    limit 20)sql";
constexpr db::Sql conflicts_sql{
    "replication_conflicts", joined<conflicts_head, conflicts_slots_14, conflicts_tail>};
constexpr db::Sql conflicts_sql_16{
    "replication_conflicts_16", joined<conflicts_head, conflicts_slots_16, conflicts_tail>};

constexpr std::string_view subscriptions_head = R"sql(
    select s.subname as subscription, d.datname as database, s.subenabled as enabled,
           s.subslotname as slot_name, w.pid,
           pg_catalog.pg_wal_lsn_diff(w.received_lsn, w.latest_end_lsn) as unapplied_bytes,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - w.last_msg_receipt_time), 1) as silent_seconds,)sql";
constexpr std::string_view subscriptions_counts_14 = R"sql(
           null::bigint as apply_errors, null::bigint as sync_errors,
           null::bigint as conflicts,)sql";
constexpr std::string_view subscriptions_counts_15 = R"sql(
           t.apply_error_count as apply_errors, t.sync_error_count as sync_errors,
           null::bigint as conflicts,)sql";
constexpr std::string_view subscriptions_counts_18 = R"sql(
           t.apply_error_count as apply_errors, t.sync_error_count as sync_errors,
           t.confl_insert_exists + t.confl_update_origin_differs + t.confl_update_exists
               + t.confl_update_missing + t.confl_delete_origin_differs
               + t.confl_delete_missing + t.confl_multiple_unique_conflicts as conflicts,)sql";
constexpr std::string_view subscriptions_from = R"sql(
           case when d.datname = pg_catalog.current_database()
                then (select pg_catalog.count(*) from pg_catalog.pg_subscription_rel r
                      where r.srsubid = s.oid and r.srsubstate <> 'r') end as tables_not_ready
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_database d on d.oid = s.subdbid)sql";
constexpr std::string_view subscriptions_workers_14 = R"sql(
    left join pg_catalog.pg_stat_subscription w on w.subid = s.oid and w.relid is null)sql";
constexpr std::string_view subscriptions_workers_15 = R"sql(
    left join pg_catalog.pg_stat_subscription w on w.subid = s.oid and w.relid is null
    left join pg_catalog.pg_stat_subscription_stats t on t.subid = s.oid)sql";
// From 16 on an apply worker may lead parallel ones, which are rows too.
constexpr std::string_view subscriptions_workers_16 = R"sql(
    left join pg_catalog.pg_stat_subscription w
        on w.subid = s.oid and w.relid is null and w.leader_pid is null
    left join pg_catalog.pg_stat_subscription_stats t on t.subid = s.oid)sql";
constexpr std::string_view subscriptions_tail = R"sql(
    order by s.subenabled, w.pid nulls first, s.subname
    limit 50)sql";
constexpr db::Sql subscriptions_sql{
    "replication_subscriptions",
    joined<
        subscriptions_head,
        subscriptions_counts_14,
        subscriptions_from,
        subscriptions_workers_14,
        subscriptions_tail>};
constexpr db::Sql subscriptions_sql_15{
    "replication_subscriptions_15",
    joined<
        subscriptions_head,
        subscriptions_counts_15,
        subscriptions_from,
        subscriptions_workers_15,
        subscriptions_tail>};
constexpr db::Sql subscriptions_sql_16{
    "replication_subscriptions_16",
    joined<
        subscriptions_head,
        subscriptions_counts_15,
        subscriptions_from,
        subscriptions_workers_16,
        subscriptions_tail>};
constexpr db::Sql subscriptions_sql_18{
    "replication_subscriptions_18",
    joined<
        subscriptions_head,
        subscriptions_counts_18,
        subscriptions_from,
        subscriptions_workers_16,
        subscriptions_tail>};

// Updates and deletes of such a table fail at the publisher.
constexpr db::Sql identities_sql{"replication_identities", R"sql(
    select p.pubname as publication,
           pg_catalog.format('%I.%I', n.nspname, c.relname) as relation
    from pg_catalog.pg_publication p
    join pg_catalog.pg_class c
        on c.relkind = 'r' and c.relpersistence = 'p' and c.relreplident in ('d', 'n')
           and c.oid >= 16384
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where (p.pubupdate or p.pubdelete)
      and (p.puballtables
           or exists (select from pg_catalog.pg_publication_rel r
                      where r.prpubid = p.oid and r.prrelid = c.oid))
      and (c.relreplident = 'n'
           or not exists (select from pg_catalog.pg_index i
                          where i.indrelid = c.oid and i.indisprimary))
    order by c.reltuples desc
    limit 20)sql"};

const std::vector<Column>& server_columns() {
    static const std::vector<Column> declared{
        {.name = "role"},
        {.name = "wal_position", .about = "On a standby: received"},
        {.name = "unreplayed_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "replay_lag_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "replay_pause"},
        {.name = "apply_delay"},
        {.name = "hot_standby_feedback"},
        {.name = "synchronous_standby_names", .untrusted = true},
        {.name = "senders", .type = ColumnType::integer},
        {.name = "senders_max", .type = ColumnType::integer},
        {.name = "slots", .type = ColumnType::integer},
        {.name = "slots_max", .type = ColumnType::integer},
        {.name = "slot_wal_max", .about = "-1: slots may keep WAL without bound"},
    };
    return declared;
}

const std::vector<Column>& standby_columns() {
    static const std::vector<Column> declared{
        {.name = "application_name", .untrusted = true},
        {.name = "client"},
        {.name = "user", .untrusted = true},
        {.name = "pid", .type = ColumnType::integer},
        {.name = "state"},
        {.name = "sync_state"},
        {.name = "behind_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "unsent_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "unwritten_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "unflushed_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "unreplayed_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "write_lag_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "flush_lag_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "replay_lag_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Absent: all is confirmed"},
        {.name = "xmin_age",
         .type = ColumnType::integer,
         .about = "Transactions that its queries hold vacuum back by"},
        {.name = "reply_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& slot_columns() {
    static const std::vector<Column> declared{
        {.name = "slot_name", .untrusted = true},
        {.name = "slot_type"},
        {.name = "plugin", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "active", .type = ColumnType::boolean},
        {.name = "inactive_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Known from version 17 on"},
        {.name = "retained_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "unconfirmed_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "wal_status"},
        {.name = "safe_bytes",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "Before it is lost; absent: unbounded"},
        {.name = "xmin_age", .type = ColumnType::integer},
        {.name = "invalid", .about = "Why it cannot be used any more"},
        {.name = "failover", .type = ColumnType::boolean},
        {.name = "synced", .type = ColumnType::boolean},
        {.name = "temporary", .type = ColumnType::boolean},
        {.name = "spill_bytes",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "Decoded to disk so far"},
    };
    return declared;
}

const std::vector<Column>& receiver_columns() {
    static const std::vector<Column> declared{
        {.name = "status"},
        {.name = "sender_host", .untrusted = true},
        {.name = "sender_port", .type = ColumnType::integer},
        {.name = "slot_name", .untrusted = true},
        {.name = "timeline", .type = ColumnType::integer},
        {.name = "flushed"},
        {.name = "unflushed_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "silent_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& conflict_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .untrusted = true},
        {.name = "snapshot",
         .type = ColumnType::integer,
         .about = "Queries cancelled since `since`, for rows that were vacuumed"},
        {.name = "lock", .type = ColumnType::integer},
        {.name = "buffer_pin", .type = ColumnType::integer},
        {.name = "deadlock", .type = ColumnType::integer},
        {.name = "tablespace", .type = ColumnType::integer},
        {.name = "logical_slot", .type = ColumnType::integer, .about = "From version 16 on"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& subscription_columns() {
    static const std::vector<Column> declared{
        {.name = "subscription", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "enabled", .type = ColumnType::boolean},
        {.name = "slot_name", .untrusted = true},
        {.name = "pid", .type = ColumnType::integer, .about = "Absent: no apply worker runs"},
        {.name = "unapplied_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "silent_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "apply_errors", .type = ColumnType::integer, .about = "From version 15 on"},
        {.name = "sync_errors", .type = ColumnType::integer},
        {.name = "conflicts", .type = ColumnType::integer, .about = "From version 18 on"},
        {.name = "tables_not_ready",
         .type = ColumnType::integer,
         .about = "Absent: of another database"},
    };
    return declared;
}

const std::vector<Column>& identity_columns() {
    static const std::vector<Column> declared{
        {.name = "publication", .untrusted = true},
        {.name = "relation", .untrusted = true},
    };
    return declared;
}

constexpr Section server_section{
    .name = "server",
    .columns = server_columns,
    .editions = {{{.sql = server_sql}}},
    .would_tell = "the server's role, and how far it has replayed"};
constexpr Section standbys_section{
    .name = "standbys",
    .columns = standby_columns,
    .editions = {{{.sql = standbys_sql}}},
    .would_tell = "who follows this server, and how far behind"};
constexpr Section slots_section{
    .name = "slots",
    .columns = slot_columns,
    .editions =
        {{{.sql = slots_sql},
          {.since = 160'000, .sql = slots_sql_16},
          {.since = 170'000, .sql = slots_sql_17}}},
    .would_tell = "how much WAL is kept for whom"};
constexpr Section receiver_section{
    .name = "receiver",
    .columns = receiver_columns,
    .editions = {{{.sql = receiver_sql}}},
    .would_tell = "whether this standby is connected"};
constexpr Section conflicts_section{
    .name = "conflicts",
    .columns = conflict_columns,
    .editions = {{{.sql = conflicts_sql}, {.since = 160'000, .sql = conflicts_sql_16}}},
    .would_tell = "why queries on this standby are cancelled"};
constexpr Section subscriptions_section{
    .name = "subscriptions",
    .columns = subscription_columns,
    .editions =
        {{{.sql = subscriptions_sql},
          {.since = 150'000, .sql = subscriptions_sql_15},
          {.since = 160'000, .sql = subscriptions_sql_16},
          {.since = 180'000, .sql = subscriptions_sql_18}}},
    .would_tell = "whether changes of other servers are applied here"};
constexpr Section identities_section{
    .name = "without_identity",
    .columns = identity_columns,
    .editions = {{{.sql = identities_sql}}},
    .would_tell = "published tables whose updates and deletes fail"};
constexpr std::array sections{
    &server_section,
    &standbys_section,
    &slots_section,
    &receiver_section,
    &conflicts_section,
    &subscriptions_section,
    &identities_section};
constexpr std::array counted_sections{&server_counters, &database_counters};

std::string output_schema() {
    static const std::string schema = packet_schema(sections);
    return schema;
}

/// The judgements of one call.
class Judgement {
public:
    Judgement(const db::Table& server, const Window& window, Evidence& evidence)
        : server_{server}, window_{window}, evidence_{evidence} {}

    void server();
    void standbys(const db::Table& table);
    void slots(const db::Table& table);
    void receiver(const db::Table& table);
    void conflicts(const db::Table& table);
    void subscriptions(const db::Table& table);
    void identities(const db::Table& table);

private:
    bool is_standby() const { return server_.text(0, "role") == "standby"; }
    void slot(const db::Table& table, std::size_t row);
    void subscription(const db::Table& table, std::size_t row);

    const db::Table& server_;
    const Window& window_;
    Evidence& evidence_;
};

void Judgement::server() {
    const double lag = server_.real(0, "replay_lag_seconds").value_or(0);
    if (const auto severity = judge(lag, replay_lag_seconds)) {
        find(
            evidence_,
            *severity,
            "this standby",
            seconds_text(lag) + " behind in replay, " +
                bytes_text(server_.real(0, "unreplayed_bytes").value_or(0)) +
                " received and not replayed",
            seconds_text(replay_lag_seconds.passed(*severity)),
            "What is read here is that old."
        );
    }
    if (const std::string pause = server_.text(0, "replay_pause");
        !pause.empty() && pause != "not paused") {
        find(
            evidence_,
            Severity::critical,
            "this standby",
            "replay: " + pause,
            "not paused",
            "Nothing is replayed until somebody calls pg_wal_replay_resume()."
        );
    }
    if (const std::string delay = server_.text(0, "apply_delay"); is_standby() && delay != "0") {
        find(
            evidence_,
            Severity::notice,
            "this standby",
            "replays " + delay + " late",
            "0",
            "It is delayed on purpose (recovery_min_apply_delay)."
        );
    }
    const double senders = server_.real(0, "senders").value_or(0);
    const double senders_max = server_.real(0, "senders_max").value_or(0);
    if (senders_max > 0 && 100 * senders >= senders_percent * senders_max) {
        find(
            evidence_,
            senders >= senders_max ? Severity::critical : Severity::warning,
            "WAL senders",
            number_text(senders) + " of " + number_text(senders_max),
            number_text(senders_percent) + " %",
            "At the limit no standby, backup or subscriber can connect."
        );
    }
    const double used = server_.real(0, "slots").value_or(0);
    if (used > 0 && used >= server_.real(0, "slots_max").value_or(0)) {
        find(
            evidence_,
            Severity::warning,
            "replication slots",
            number_text(used) + " of " + server_.text(0, "slots_max"),
            "the limit",
            "No other slot can be made, not even the temporary one of a base backup."
        );
    }
}

/// Which way a standby's lag goes, by where most bytes wait.
std::string stage(const db::Table& table, std::size_t row) {
    const std::array<std::pair<std::string_view, const char*>, 4> stages{
        {{"unsent_bytes", "most is not sent yet: the primary or the network is the bottleneck"},
         {"unwritten_bytes", "most is on its way: the network is the bottleneck"},
         {"unflushed_bytes", "most is not flushed there: its disk is the bottleneck"},
         {"unreplayed_bytes",
          "most is received and not replayed: queries there conflict with it, or replay is "
          "slower than WAL is written"}}};
    const auto* worst =
        std::max_element(stages.begin(), stages.end(), [&](const auto& left, const auto& right) {
            return table.real(row, left.first).value_or(0) <
                   table.real(row, right.first).value_or(0);
        });
    return worst->second;
}

void Judgement::standbys(const db::Table& table) {
    bool synchronous = false;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const std::string sync = table.text(row, "sync_state");
        synchronous = synchronous || sync == "sync" || sync == "quorum";
        const std::string object = "standby " + table.text(row, "application_name") + " at " +
                                   table.text(row, "client", "a local socket");
        const double seconds = table.real(row, "replay_lag_seconds").value_or(0);
        const double bytes = table.real(row, "behind_bytes").value_or(0);
        const auto by_time = judge(seconds, replay_lag_seconds);
        const auto by_bytes = judge(bytes, replay_lag_bytes);
        if (by_time || by_bytes) {
            const bool time_counts = by_time.has_value();
            const Severity severity = by_time ? *by_time : *by_bytes;
            find(
                evidence_,
                severity,
                object,
                seconds_text(seconds) + " and " + bytes_text(bytes) + " behind",
                time_counts ? seconds_text(replay_lag_seconds.passed(severity))
                            : bytes_text(replay_lag_bytes.passed(severity)),
                "It follows too slowly; " + stage(table, row) + "."
            );
        }
    }
    if (!is_standby() && !server_.text(0, "synchronous_standby_names").empty() && !synchronous &&
        server_.boolean(0, "sees_all").value_or(false)) {
        find(
            evidence_,
            Severity::critical,
            "synchronous replication",
            "no synchronous standby is connected",
            "synchronous_standby_names = " + server_.text(0, "synchronous_standby_names"),
            "Commits wait until one is back, unless synchronous_commit is off or local."
        );
    }
    if (!server_.boolean(0, "sees_all").value_or(false)) {
        NotExamined gap = hidden_sessions_gap();
        gap.what = "lag of standbys, and the receiver";
        gap.would_tell = "who is behind";
        evidence_.not_examined.push_back(std::move(gap));
    }
}

void Judgement::slot(const db::Table& table, std::size_t row) {
    const std::string object = "slot " + table.text(row, "slot_name");
    const bool active = table.boolean(row, "active").value_or(false);
    const bool logical = table.text(row, "slot_type") == "logical";
    const std::string status = table.text(row, "wal_status");
    const std::string invalid = table.text(row, "invalid");
    const double retained = table.real(row, "retained_bytes").value_or(0);
    if (status == "lost" || !invalid.empty()) {
        find(
            evidence_,
            Severity::critical,
            object,
            invalid.empty() ? "its WAL is lost" : "invalid: " + invalid,
            "",
            "Whoever uses it must be built anew; drop the slot."
        );
        return;
    }
    if (status == "unreserved") {
        find(
            evidence_,
            Severity::critical,
            object,
            "beyond max_slot_wal_keep_size",
            server_.text(0, "slot_wal_max"),
            "The next checkpoint may remove WAL that its consumer still needs."
        );
    }
    const Threshold& kept = !active && !logical ? unused_slot_bytes : used_slot_bytes;
    if (const auto severity = judge(retained, kept)) {
        find(
            evidence_,
            *severity,
            object,
            bytes_text(retained) + " of WAL kept" + (active ? "" : ", and nobody reads it"),
            bytes_text(kept.passed(*severity)),
            server_.text(0, "slot_wal_max") == "-1"
                ? "It keeps WAL until the disk is full: max_slot_wal_keep_size is -1."
                : "It keeps WAL until max_slot_wal_keep_size, then its consumer is lost."
        );
    } else if (!active && !table.boolean(row, "temporary").value_or(false) &&
               !table.boolean(row, "synced").value_or(false)) {
        const auto inactive = table.real(row, "inactive_seconds");
        const bool known = inactive.value_or(0) >= inactive_slot_seconds;
        if (known || !inactive) {
            find(
                evidence_,
                known ? Severity::warning : Severity::notice,
                object,
                known ? "inactive for " + seconds_text(*inactive) : "inactive",
                known ? seconds_text(inactive_slot_seconds) : "",
                "Nobody reads it while it keeps WAL" +
                    std::string{logical ? " and old catalog rows." : "."}
            );
        }
    }
    if (logical && !is_standby() && server_.real(0, "senders").value_or(0) > 0 &&
        table.boolean(row, "failover") == false) {
        find(
            evidence_,
            Severity::notice,
            object,
            "failover = false",
            "true",
            "It does not survive a failover to a standby."
        );
    }
}

void Judgement::slots(const db::Table& table) {
    bool lasting = false;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        slot(table, row);
        lasting = lasting || !table.boolean(row, "temporary").value_or(false);
    }
    if (lasting && server_.text(0, "slot_wal_max") == "-1") {
        find(
            evidence_,
            Severity::notice,
            "max_slot_wal_keep_size",
            "-1",
            "a bound below the free space",
            "A consumer that stops makes its slot keep WAL until the disk is full."
        );
    }
}

void Judgement::receiver(const db::Table& table) {
    if (!is_standby() || !server_.boolean(0, "sees_all").value_or(false)) {
        return;
    }
    if (table.empty()) {
        find(
            evidence_,
            Severity::critical,
            "this standby",
            "no WAL receiver runs",
            "",
            "It is not connected to its primary: it can only replay what is archived."
        );
        return;
    }
    const double silent = table.real(0, "silent_seconds").value_or(0);
    if (const auto severity = judge(silent, silent_seconds)) {
        find(
            evidence_,
            *severity,
            "this standby",
            "no message from its primary for " + seconds_text(silent),
            seconds_text(silent_seconds.passed(*severity)),
            "The primary or the network between is gone."
        );
    }
}

/// What replay cancels queries for, and what helps against each.
struct ConflictKind {
    std::string_view column;
    const char* what;
    const char* meaning;
};
constexpr std::array<ConflictKind, 6> conflict_kinds{
    {{"snapshot",
      "for rows that were vacuumed",
      "Replay removes rows that they still see: max_standby_streaming_delay lets them run longer, "
      "hot_standby_feedback keeps their rows at the primary's cost."},
     {"lock",
      "for locks on tables",
      "Replay needs a table exclusively that they read, after DDL, TRUNCATE or a vacuum that cut "
      "the table's end: hot_standby_feedback does not help, max_standby_streaming_delay does."},
     {"buffer_pin",
      "for pages that they held",
      "Replay cleans a page that a query holds: max_standby_streaming_delay lets it finish."},
     {"deadlock",
      "in deadlocks with replay",
      "They and replay waited for each other: shorter transactions on the standby meet it less."},
     {"tablespace",
      "for a tablespace that was dropped",
      "Their temporary files lay in a tablespace that the primary dropped."},
     {"logical_slot",
      "as users of logical slots",
      "The primary removed rows that a logical slot here needs, or lowered wal_level: the slot is "
      "lost."}}};

void Judgement::conflicts(const db::Table& table) {
    const double cancelled = window_.grown_in_all("databases", "conflicts").value_or(0);
    if (!is_standby() || (cancelled <= 0 && table.empty())) {
        return;
    }
    std::string kinds;
    const ConflictKind* most = &conflict_kinds.front();
    double most_counted = 0;
    for (const ConflictKind& kind : conflict_kinds) {
        double counted_of_kind = 0;
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            counted_of_kind += table.real(row, kind.column).value_or(0);
        }
        if (counted_of_kind > 0) {
            kinds += (kinds.empty() ? "" : ", ") + number_text(counted_of_kind) + " " + kind.what;
        }
        if (counted_of_kind > most_counted) {
            most_counted = counted_of_kind;
            most = &kind;
        }
    }
    find(
        evidence_,
        cancelled > 0 ? Severity::warning : Severity::notice,
        "this standby",
        counted(static_cast<long long>(cancelled), "query", "queries") +
            " cancelled by recovery in " + window_.text() +
            (kinds.empty() ? "" : "; in all " + kinds),
        "0",
        most->meaning
    );
}

void Judgement::subscription(const db::Table& table, std::size_t row) {
    const std::string object = "subscription " + table.text(row, "subscription");
    const bool enabled = table.boolean(row, "enabled").value_or(false);
    const std::string errors = table.text(row, "apply_errors", "0") + " apply and " +
                               table.text(row, "sync_errors", "0") + " copy errors so far";
    const bool failed =
        table.real(row, "apply_errors").value_or(0) + table.real(row, "sync_errors").value_or(0) >
        0;
    if (!enabled) {
        find(
            evidence_,
            Severity::warning,
            object,
            "disabled, " + errors,
            "enabled",
            failed ? "An error may have disabled it; its slot at the publisher keeps WAL meanwhile."
                   : "Somebody disabled it; its slot at the publisher keeps WAL meanwhile."
        );
    } else if (table.text(row, "pid").empty()) {
        find(
            evidence_,
            Severity::critical,
            object,
            "no apply worker runs, " + errors,
            "",
            failed ? "It starts, fails and starts again: the log has the error that it fails with."
                   : "It cannot connect to its publisher, or max_logical_replication_workers is "
                     "used up: the log says which."
        );
    } else if (failed) {
        find(
            evidence_,
            Severity::warning,
            object,
            errors,
            "0",
            "Its worker has failed before: the log has the errors."
        );
    }
    const double silent = table.real(row, "silent_seconds").value_or(0);
    if (const auto severity = judge(silent, silent_seconds); enabled && severity) {
        find(
            evidence_,
            *severity,
            object,
            "no message from its publisher for " + seconds_text(silent),
            seconds_text(silent_seconds.passed(*severity)),
            "The publisher, the network, or a lock that the apply worker waits for: get_blocking."
        );
    }
    if (const double conflicts = table.real(row, "conflicts").value_or(0); conflicts > 0) {
        find(
            evidence_,
            Severity::warning,
            object,
            counted(static_cast<long long>(conflicts), "conflict", "conflicts") + " so far",
            "0",
            "Rows differ from the publisher's: somebody writes here too, or the copy was not equal."
        );
    }
    if (const double unready = table.real(row, "tables_not_ready").value_or(0); unready > 0) {
        find(
            evidence_,
            Severity::notice,
            object,
            counted(static_cast<long long>(unready), "table is", "tables are") + " not ready",
            "0",
            "Their first copy is under way or fails."
        );
    }
}

void Judgement::subscriptions(const db::Table& table) {
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        subscription(table, row);
    }
}

void Judgement::identities(const db::Table& table) {
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        find(
            evidence_,
            Severity::warning,
            "relation " + table.text(row, "relation"),
            "published in " + table.text(row, "publication") + " without a replica identity",
            "a primary key or REPLICA IDENTITY",
            "Every UPDATE and DELETE of it fails here."
        );
    }
}

std::string summary(
    const db::Table& server,
    const db::Table* standbys,
    const Window& window,
    const Evidence& evidence
) {
    const bool standby = server.text(0, "role") == "standby";
    std::string text = standby ? "A standby" : "A primary";
    if (standby) {
        if (const auto lag = server.real(0, "replay_lag_seconds")) {
            text += ", " + seconds_text(*lag) + " behind in replay";
        }
    }
    if (const auto rate = window.per_second("server", "", "lsn")) {
        text += ", " + bytes_text(*rate) + "/s of WAL " + (standby ? "replayed" : "written") +
                " in " + window.text();
    }
    if (standbys != nullptr) {
        text += "; " +
                counted(static_cast<long long>(standbys->rows.size()), "follower", "followers") +
                ", " + counted(server.integer(0, "slots").value_or(0), "slot", "slots");
    }
    return text + ": " +
           counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") + ".";
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const Window window,
        read_window(context, call, request, counted_sections, window_wanted, evidence)
    );
    std::vector<SectionRequest> wanted;
    wanted.reserve(sections.size());
    for (const Section* section : sections) {
        wanted.push_back({.section = *section});
    }
    INTERLOCK_TRY(const auto tables, read_sections(context, call, request, wanted, evidence));
    const auto& server = tables[0];
    if (!server || server->empty()) {
        evidence.summary = "The server's role in replication could not be read.";
        return publish(context, call, std::move(evidence));
    }
    Judgement judgement{*server, window, evidence};
    using Judge = void (Judgement::*)(const db::Table&);
    constexpr std::array<std::pair<std::size_t, Judge>, 5> judges{
        {{1, &Judgement::standbys},
         {2, &Judgement::slots},
         {3, &Judgement::receiver},
         {5, &Judgement::subscriptions},
         {6, &Judgement::identities}}};
    judgement.server();
    for (const auto& [table, judge_table] : judges) {
        if (tables[table]) {
            (judgement.*judge_table)(*tables[table]);
        }
    }
    judgement.conflicts(tables[4] ? *tables[4] : db::Table{});
    evidence.summary = summary(*server, tables[1] ? &*tables[1] : nullptr, window, evidence);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_replication() {
    return {
        .name = tool_name,
        .title = "Replication",
        .summary = "Shows the server's role, lag of standbys, WAL kept by slots, conflicts, and "
                   "logical subscriptions.",
        .domain = "postgres",
        .inputs = {target_input()},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections, counted_sections),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
