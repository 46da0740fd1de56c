// The corpora of the guard: read by its own tests and by those that run what it allows.
#pragma once

#include "base/file.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlock::test {

inline std::string guard_corpus(const std::string& name) {
    auto text = base::read_file("tests/base/db/guard/" + name, std::size_t{4} << 20);
    if (!text) {
        throw std::runtime_error(base::to_text(text.error()));
    }
    return std::move(text).value();
}

/// Statements parted by an empty line.
inline std::vector<std::string> allowed_statements() {
    std::vector<std::string> statements;
    const auto text = guard_corpus("allowed.sql");
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find("\n\n", from), text.size());
        statements.push_back(text.substr(from, end - from));
        from = end + 2;
    }
    return statements;
}

/// Functions of pg_catalog that are volatile and allowed: clocks, chance, sizes, counters and lists
/// of the server. They change nothing and wait for nothing.
inline bool changes_nothing(const std::string& function) {
    constexpr const char* names =
        " array_sample array_shuffle clock_timestamp current_query gen_random_uuid"
        " pg_available_wal_summaries pg_blocking_pids pg_collation_actual_version"
        " pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system"
        " pg_current_logfile pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn"
        " pg_database_collation_actual_version pg_database_size pg_get_aios"
        " pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members"
        " pg_get_sequence_data pg_get_shmem_allocations pg_get_shmem_allocations_numa"
        " pg_get_wait_events pg_get_wal_replay_pause_state pg_get_wal_resource_managers"
        " pg_get_wal_summarizer_state pg_indexes_size pg_is_in_backup pg_is_in_recovery"
        " pg_is_wal_replay_paused pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn"
        " pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status"
        " pg_ls_archive_statusdir pg_ls_logdir pg_ls_waldir pg_notification_queue_usage"
        " pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir"
        " pg_partition_ancestors pg_partition_tree pg_prepared_xact pg_relation_size"
        " pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_show_replication_origin_status"
        " pg_stat_have_stats pg_table_size pg_tablespace_size pg_total_relation_size"
        " pg_wal_summary_contents pg_xact_commit_timestamp pg_xact_commit_timestamp_origin"
        " pg_xact_status random random_normal timeofday timezone txid_status uuidv4 uuidv7"
        " system bernoulli "; // what TABLESAMPLE calls
    return std::string{names}.find(" " + function + " ") != std::string::npos ||
           function.starts_with("pg_stat_get_");
}

} // namespace interlock::test
