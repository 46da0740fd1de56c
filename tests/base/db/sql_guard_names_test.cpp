#include "base/db/sql_guard_data.hpp"
#include "tests/lab/lab.hpp"

#include <set>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::db::guard_data {
namespace {

TEST_CASE("names are known exactly as pg_catalog writes them", "[db][guard]") {
    CHECK(allowed_function("lower"));
    CHECK_FALSE(allowed_function("LOWER"));
    CHECK_FALSE(allowed_function(""));
    CHECK(allowed_function("pg_stat_get_anything_new"));
    CHECK_FALSE(allowed_function("pg_stat_reset"));
    CHECK(allowed_type("int4"));
    CHECK(allowed_type("_int4"));
    CHECK_FALSE(allowed_type("xml"));
    CHECK_FALSE(allowed_type("cstring"));
    CHECK(allowed_operator("@>"));
    CHECK_FALSE(allowed_operator("###"));
    CHECK(extension_function("pg_stat_statements"));
    CHECK_FALSE(extension_function("pg_stat_statements_reset"));
    CHECK(secret_relation("", "pg_authid") == "secret_catalog");
    CHECK(secret_relation("pg_toast", "pg_toast_1260") == "secret_catalog");
    CHECK(secret_relation("app", "orders").empty());
    CHECK(allowed_explain_option("analyze"));
    CHECK_FALSE(allowed_explain_option("Analyze"));
}

TEST_CASE("what does harm has a class of its own", "[db][guard]") {
    CHECK(function_class("pg_read_file") == "fn_file");
    CHECK(function_class("dblink_exec") == "fn_remote");
    CHECK(function_class("pg_advisory_lock") == "fn_lock");
    CHECK(function_class("my_function") == "fn_user");
}

/// Volatile in pg_catalog, and allowed: they change nothing and wait for nothing.
const std::set<std::string> harmless{
    "clock_timestamp",
    "current_query",
    "gen_random_uuid",
    "random",
    "timeofday",
    "pg_blocking_pids",
    "pg_collation_actual_version",
    "pg_control_checkpoint",
    "pg_control_init",
    "pg_control_recovery",
    "pg_control_system",
    "pg_current_logfile",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_collation_actual_version",
    "pg_database_size",
    "pg_get_backend_memory_contexts",
    "pg_get_multixact_members",
    "pg_get_shmem_allocations",
    "pg_get_wal_replay_pause_state",
    "pg_get_wal_resource_managers",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_jit_available",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_lock_status",
    "pg_ls_archive_statusdir",
    "pg_ls_logdir",
    "pg_ls_waldir",
    "pg_notification_queue_usage",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_prepared_xact",
    "pg_relation_size",
    "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value",
    "pg_show_replication_origin_status",
    "pg_stat_have_stats",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "pg_xact_commit_timestamp",
    "pg_xact_commit_timestamp_origin",
    "pg_xact_status",
    "txid_status"};

TEST_CASE("no allowed function of the server is volatile unless it is known", "[db][guard][live]") {
    const auto functions = lab::run_sql(
        lab::primary(),
        "postgres",
        "select proname, pg_catalog.bool_or(provolatile = 'v') as volatile, "
        "pg_catalog.bool_or(prorettype in ('trigger'::regtype, 'internal'::regtype, "
        "'cstring'::regtype, 'event_trigger'::regtype) or 'internal'::regtype = "
        "any(proargtypes::oid[]) or 'cstring'::regtype = any(proargtypes::oid[])) as internal "
        "from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace group by 1"
    );
    REQUIRE(functions.rows.size() > 2'000);
    std::size_t allowed = 0;
    for (std::size_t i = 0; i < functions.rows.size(); ++i) {
        const auto name = functions.text(i, "proname");
        if (!allowed_function(name)) {
            continue;
        }
        ++allowed;
        INFO(name);
        CHECK(function_class(name) != "fn_lo");
        if (functions.boolean(i, "volatile").value_or(true) && !name.starts_with("pg_stat_get_")) {
            CHECK(harmless.contains(name));
        }
        // Input and output functions of types, handlers, support functions; two make text of
        // anything, and a well-known estimate of bloat is written with them.
        const bool makes_text =
            name.ends_with("format") || name == "textin" || name == "int2vectorout";
        CHECK_FALSE((functions.boolean(i, "internal").value_or(true) && !makes_text));
    }
    CHECK(allowed > 600);
}

TEST_CASE("every operator and base type of the server is decided", "[db][guard][live]") {
    const auto operators = lab::run_sql(
        lab::primary(), "postgres", "select distinct oprname from pg_catalog.pg_operator"
    );
    for (std::size_t i = 0; i < operators.rows.size(); ++i) {
        INFO(operators.text(i, "oprname"));
        CHECK(allowed_operator(operators.text(i, "oprname")));
    }
}

} // namespace
} // namespace interlock::db::guard_data
