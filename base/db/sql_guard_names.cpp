// Names of pg_catalog that the guard allows, for PostgreSQL 14 to 18, by what they are for. Left
// out on purpose: what writes, signals, locks, sleeps, reads files, opens connections, runs SQL or
// parses types out of text (input functions of any type: record_in, pg_input_is_valid), and what no
// query needs by name (the functions behind operators, aggregates and index methods).
#include "base/db/sql_guard_data.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_set>

namespace interlock::db::guard_data {
namespace {

using Names = std::unordered_set<std::string_view>;

/// The words of texts.
Names words(std::initializer_list<std::string_view> texts) {
    Names names;
    for (auto text : texts) {
        while (!text.empty()) {
            const auto end = std::min(text.find(' '), text.size());
            if (end > 0) {
                names.insert(text.substr(0, end));
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }
    return names;
}

constexpr std::string_view numbers =
    "abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh bit_count cbrt ceil "
    "ceiling cos cosd cosh cot cotd degrees div erf erfc exp factorial floor gamma gcd lcm lgamma "
    "ln log log10 min_scale mod pi pow power radians random random_normal round scale sign "
    "sin sind sinh "
    "sqrt tan tand tanh trim_scale trunc width_bucket float4 float8 int2 int4 int8 numeric "
    "money bool to_bin to_oct to_hex";

constexpr std::string_view texts =
    "ascii bit_length btrim casefold char_length character_length chr concat concat_ws convert "
    "convert_from convert_to crc32 crc32c decode encode format get_bit get_byte initcap "
    "is_normalized left length like like_escape lower lpad ltrim md5 normalize notlike "
    "octet_length overlay parse_ident position quote_ident quote_literal quote_nullable "
    "regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace "
    "regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad "
    "rtrim set_bit set_byte sha224 sha256 sha384 sha512 similar_escape similar_to_escape "
    "split_part starts_with string_to_array string_to_table strpos substr substring text textcat "
    "textlen to_ascii translate unicode_assigned unistr upper char name varchar hashtext "
    "hashtextextended hashint2 hashint4 hashint8 hash_numeric uuid_hash";

constexpr std::string_view times =
    "age clock_timestamp date date_add date_bin date_part date_subtract date_trunc extract "
    "interval isfinite justify_days justify_hours justify_interval make_date make_interval "
    "make_time make_timestamp make_timestamptz now overlaps statement_timestamp time timeofday "
    "timestamp timestamptz timetz timezone to_char to_date to_number to_timestamp "
    "transaction_timestamp";

constexpr std::string_view aggregates =
    "any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop "
    "covar_samp cume_dist dense_rank every first_value json_agg json_agg_strict json_object_agg "
    "json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict jsonb_agg "
    "jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique "
    "jsonb_object_agg_unique_strict lag last_value lead max min mode nth_value ntile percent_rank "
    "percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy "
    "regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number stddev "
    "stddev_pop stddev_samp string_agg sum var_pop var_samp variance";

constexpr std::string_view arrays =
    "array_append array_cat array_dims array_fill array_length array_lower array_ndims "
    "array_position array_positions array_prepend array_remove "
    "array_replace array_reverse array_sample "
    "array_shuffle array_sort array_to_string array_upper cardinality generate_series "
    "generate_subscripts num_nonnulls num_nulls trim_array unnest enum_first enum_last enum_range";

constexpr std::string_view json =
    "array_to_json json json_array json_array_elements json_array_elements_text "
    "json_array_length json_arrayagg json_exists json_query json_value json_build_array "
    "json_build_object json_each json_each_text "
    "json_extract_path json_extract_path_text json_object json_object_keys "
    "json_array_element json_array_element_text json_object_field json_object_field_text "
    "jsonb_array_element jsonb_array_element_text jsonb_object_field jsonb_object_field_text "
    "json_scalar json_serialize json_strip_nulls json_to_record "
    "json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text "
    "jsonb_array_length jsonb_build_array jsonb_build_object jsonb_concat jsonb_contained "
    "jsonb_contains jsonb_delete jsonb_delete_path jsonb_each jsonb_each_text jsonb_exists "
    "jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text jsonb_insert "
    "jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match "
    "jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz "
    "jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz "
    "jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls "
    "jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb";

constexpr std::string_view other_types =
    "abbrev area bound_box box broadcast cidr center circle daterange datemultirange diagonal "
    "diameter family gen_random_uuid height host hostmask inet_merge inet_same_family int4range "
    "int4multirange int8range int8multirange isempty line lower_inc lower_inf "
    "lseg macaddr8_set7bit masklen multirange netmask network nummultirange numrange oid "
    "pg_lsn point radius range_merge set_masklen slope tsmultirange "
    "tsrange tstzmultirange tstzrange upper_inc upper_inf uuid_extract_timestamp "
    "uuid_extract_version uuidv4 uuidv7 width array_to_tsvector get_current_ts_config "
    "json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree "
    "setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd "
    "tsvector_to_array websearch_to_tsquery ts_lexize ts_token_type ts_debug ts_parse "
    "tsquery_phrase "
    "textin int2vectorout";

constexpr std::string_view session =
    "current_database current_query current_schema current_schemas current_setting current_user "
    "session_user getdatabaseencoding inet_client_addr inet_client_port inet_server_addr "
    "inet_server_port version pg_backend_pid pg_client_encoding pg_conf_load_time "
    "pg_current_logfile pg_is_other_temp_schema pg_jit_available pg_listening_channels "
    "pg_my_temp_schema pg_notification_queue_usage pg_postmaster_start_time pg_trigger_depth "
    "row_security_active icu_unicode_version unicode_version pg_settings_get_flags "
    "pg_show_all_settings";

constexpr std::string_view privileges =
    "acldefault aclexplode makeaclitem aclcontains has_any_column_privilege has_column_privilege "
    "has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege "
    "has_language_privilege has_largeobject_privilege has_parameter_privilege "
    "has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege "
    "has_tablespace_privilege has_type_privilege pg_has_role pg_get_acl";

constexpr std::string_view catalog =
    "col_description format_type nameconcatoid obj_description oidvectortypes "
    "pg_available_extension_versions "
    "pg_available_extensions pg_basetype pg_char_to_encoding pg_collation_actual_version "
    "pg_collation_for pg_collation_is_visible pg_column_compression pg_column_is_updatable "
    "pg_column_size pg_column_toast_chunk_id pg_conversion_is_visible "
    "pg_database_collation_actual_version pg_database_size pg_describe_object "
    "pg_encoding_max_length pg_encoding_to_char pg_extension_update_paths pg_filenode_relation "
    "pg_function_is_visible pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr "
    "pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments "
    "pg_get_function_result pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef "
    "pg_get_keywords pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef "
    "pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef "
    "pg_get_sequence_data pg_get_serial_sequence pg_get_statisticsobjdef "
    "pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef "
    "pg_get_userbyid pg_get_viewdef pg_identify_object pg_identify_object_as_address "
    "pg_index_column_has_property pg_index_has_property pg_indexam_has_property "
    "pg_indexam_progress_phasename pg_indexes_size pg_mcv_list_items pg_opclass_is_visible "
    "pg_operator_is_visible pg_opfamily_is_visible pg_options_to_table pg_partition_ancestors "
    "pg_partition_root pg_partition_tree pg_relation_filenode pg_relation_filepath "
    "pg_relation_is_publishable pg_relation_is_updatable pg_relation_size pg_sequence_last_value "
    "pg_sequence_parameters pg_size_bytes pg_size_pretty pg_statistics_obj_is_visible "
    "pg_table_is_visible pg_table_size pg_tablespace_databases pg_tablespace_location "
    "pg_tablespace_size pg_timezone_abbrevs pg_timezone_abbrevs_abbrevs "
    "pg_timezone_abbrevs_zone pg_timezone_names pg_total_relation_size "
    "pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible "
    "pg_ts_template_is_visible pg_type_is_visible pg_typeof regclass "
    "shobj_description to_regclass to_regcollation to_regnamespace to_regoper to_regoperator "
    "to_regproc to_regprocedure to_regrole to_regtype to_regtypemod";

constexpr std::string_view transactions =
    "mxid_age pg_blocking_pids pg_current_snapshot pg_current_xact_id_if_assigned "
    "pg_get_multixact_members pg_last_committed_xact pg_lock_status pg_prepared_xact "
    "pg_safe_snapshot_blocking_pids pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin "
    "pg_visible_in_snapshot pg_xact_commit_timestamp pg_xact_commit_timestamp_origin "
    "pg_xact_status txid_current_if_assigned txid_current_snapshot txid_snapshot_xip "
    "txid_snapshot_xmax txid_snapshot_xmin txid_status txid_visible_in_snapshot xid xid8 "
    "pg_cursor pg_prepared_statement";

constexpr std::string_view wal =
    "pg_available_wal_summaries pg_control_checkpoint pg_control_init pg_control_recovery "
    "pg_control_system pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn "
    "pg_get_replication_slots pg_get_wal_replay_pause_state pg_get_wal_resource_managers "
    "pg_backup_start_time pg_is_in_backup pg_get_wal_summarizer_state pg_is_in_recovery "
    "pg_is_wal_replay_paused "
    "pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp "
    "pg_ls_archive_statusdir pg_ls_logdir pg_ls_waldir pg_ls_replslotdir pg_ls_logicalsnapdir "
    "pg_ls_logicalmapdir pg_config pg_replication_origin_oid "
    "pg_show_replication_origin_status pg_split_walfile_name pg_wal_lsn_diff "
    "pg_wal_summary_contents pg_walfile_name pg_walfile_name_offset";

// pg_stat_get_* are many and more with each version; they only read counters. See allowed_function.
constexpr std::string_view statistics =
    "pg_get_aios pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_shmem_allocations "
    "pg_get_shmem_allocations_numa pg_get_wait_events pg_numa_available pg_stat_have_stats";

// Functions of extensions that only look. Those that read a whole relation (pgstattuple) or all
// buffers are kept within bounds by the time-out, as a query over the same pages would be.
constexpr std::string_view extensions =
    "pg_stat_statements pg_stat_statements_info pg_stat_kcache pg_stat_kcache_detail "
    "pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts "
    "pg_buffercache_numa_pages pgstattuple pgstattuple_approx pgstatindex pgstatginindex "
    "pgstathashindex pg_relpages pg_freespace pg_visibility pg_visibility_map "
    "pg_visibility_map_summary pg_check_frozen pg_check_visible pgrowlocks pg_qualstats "
    "pg_qualstats_names pg_store_plans pg_store_plans_info hypopg pg_wait_sampling_get_current "
    "pg_wait_sampling_get_profile "
    "pg_wait_sampling_get_history pg_stat_monitor pg_stat_monitor_version";

// What PostgreSQL's own drivers ask of it.
constexpr std::string_view standard_functions =
    "_pg_char_max_length _pg_char_octet_length _pg_datetime_precision _pg_expandarray "
    "_pg_index_position _pg_interval_type _pg_keysequal _pg_numeric_precision "
    "_pg_numeric_precision_radix _pg_numeric_scale _pg_truetypid _pg_truetypmod";
constexpr std::string_view standard_types =
    "cardinal_number character_data sql_identifier time_stamp yes_or_no";

constexpr std::string_view types =
    "abstime aclitem bit bool box bpchar bytea char cid cidr circle date datemultirange daterange "
    "float4 float8 inet int2 int2vector int4 int4multirange int4range int8 int8multirange "
    "int8range interval json jsonb jsonpath line lseg macaddr macaddr8 money name numeric "
    "nummultirange numrange oid oidvector oid8 pg_lsn pg_node_tree pg_snapshot point polygon "
    "record regtypemod "
    "regclass regcollation regconfig regdatabase regdictionary regnamespace regoper regoperator "
    "regproc regprocedure regrole regtype text tid time timestamp timestamptz timetz "
    "tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot uuid varbit "
    "varchar xid xid8";

constexpr std::string_view operators =
    "!! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < "
    "<-> << <<= <<| <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | "
    "|&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*";

struct DeniedFunctions {
    std::string_view name; // of a class
    std::string_view prefixes;
    std::string_view names;
};

constexpr auto denied = std::to_array<DeniedFunctions>({
    {"fn_signal",
     "pg_cancel_ pg_terminate_ pg_log_backend",
     "pg_get_process_memory_contexts pg_signal_autovacuum_worker"},
    {"fn_stats_reset",
     "pg_stat_reset pg_stat_statements_reset pg_stat_clear pg_stat_force pg_stat_kcache_reset "
     "pg_stat_monitor_reset pg_wait_sampling_reset pg_qualstats_reset pg_restore_ pg_clear_ "
     "pg_set_",
     ""},
    {"fn_repl",
     "pg_logical_ pg_create_logical pg_create_physical pg_drop_replication pg_copy_ "
     "pg_replication_ pg_sync_replication",
     ""},
    {"fn_admin",
     "pg_reload pg_rotate pg_switch_ pg_create_restore pg_promote pg_wal_replay pg_backup "
     "pg_start_backup pg_stop_backup pg_prewarm autoprewarm pg_stop_making heap_force "
     "pg_buffercache_evict pg_buffercache_mark pg_buffercache_os bt_ gin_ brin_ hypopg_ "
     "pg_truncate_visibility verify_heapam gist_ amvalidate",
     "pg_sync"},
    {"fn_lock", "pg_advisory pg_try_advisory", ""},
    {"fn_sleep", "pg_sleep", ""},
    {"fn_config", "set_config setseed alter_", ""},
    {"fn_file",
     "pg_read_ pg_ls_ pg_stat_file pg_file_ pg_logdir pg_show_all_file pg_hba_file pg_ident_file "
     "pg_logfile pg_config pg_get_wal pg_write_",
     ""},
    {"fn_lo", "lo_ loread lowrite", ""},
    {"fn_exec_text",
     "query_to_ table_to_ cursor_to_ schema_to_ database_to_ ts_stat ts_rewrite ts_debug ts_parse "
     "crosstab connectby pg_input_ xpath_table exec plpgsql_",
     "execute query"},
    {"fn_remote", "dblink http postgres_fdw file_fdw aws_ pg_net lo_http curl", "urlencode"},
    {"fn_snapshot",
     "pg_export_snapshot",
     "txid_current pg_current_xact_id pg_stop_snapshot pg_import_snapshot"},
    {"fn_notify", "pg_notify", ""},
    {"fn_seq", "", "nextval setval currval lastval"},
    {"fn_catalog_write",
     "pg_import_system pg_nextoid binary_upgrade pg_extension_config pg_event_trigger",
     ""},
    {"dos_xml", "xml xpath", ""},
    {"dos_cpu", "numeric_fac crypt gen_salt pgp_", ""},
});

bool any_prefix(std::string_view prefixes, std::string_view name) {
    const auto list = words({prefixes});
    return std::any_of(list.begin(), list.end(), [&](std::string_view prefix) {
        return name.starts_with(prefix);
    });
}

} // namespace

bool allowed_function(std::string_view name) {
    static const Names names = words(
        {numbers,
         texts,
         times,
         aggregates,
         arrays,
         json,
         other_types,
         session,
         privileges,
         catalog,
         transactions,
         wal,
         statistics}
    );
    return names.contains(name) || name.starts_with("pg_stat_get_");
}

bool standard_name(std::string_view name) {
    static const Names names = words({standard_functions, standard_types});
    return names.contains(name);
}

bool extension_function(std::string_view name) {
    static const Names names = words({extensions});
    return names.contains(name);
}

std::string_view function_class(std::string_view name) {
    for (const auto& entry : denied) {
        if (any_prefix(entry.prefixes, name) || words({entry.names}).contains(name)) {
            return entry.name;
        }
    }
    return "fn_user";
}

bool allowed_type(std::string_view name) {
    static const Names names = words({types});
    if (name.starts_with('_')) {
        name.remove_prefix(1); // an array's own name
    }
    return names.contains(name);
}

bool allowed_operator(std::string_view name) {
    static const Names names = words({operators});
    return names.contains(name);
}

bool allowed_explain_option(std::string_view name) {
    static const Names names =
        words({"analyze verbose costs settings generic_plan buffers wal timing summary format "
               "memory serialize"});
    return names.contains(name);
}

std::string_view field_class(std::string_view name, FieldOf of) {
    // Of one argument, outside the allowed ones, and with an effect or a price.
    static const Names acting =
        words({"lo_close lo_creat lo_create lo_get lo_import lo_export lo_tell lo_tell64 lo_unlink "
               "nextval "
               "currval setval setseed set_config ts_stat amvalidate gin_clean_pending_list "
               "brin_summarize_new_values xml_in plpgsql_validator"});
    // Columns have these names, too; behind an expression in brackets nobody means one.
    static const Names costly =
        words({"factorial exp dexp numeric_exp xml xmlcomment xmltext xml_is_well_formed "
               "xml_is_well_formed_content xml_is_well_formed_document"});
    const auto family = function_class(name);
    const bool prefixed = name.starts_with("pg_") || name.starts_with("dblink") ||
                          name.starts_with("query_to_") || name.starts_with("binary_upgrade_");
    if (prefixed && !allowed_function(name) && (family != "fn_user" || of == FieldOf::expression)) {
        return family;
    }
    if (acting.contains(name)) {
        return family;
    }
    if (of != FieldOf::relation && costly.contains(name)) {
        return name.starts_with("xml") ? "dos_xml" : "dos_cpu";
    }
    return {};
}

bool collecting_aggregate(std::string_view name) {
    static const Names names = words({"array_agg string_agg json_agg json_arrayagg jsonb_agg "
                                      "json_object_agg jsonb_object_agg range_agg "
                                      "json_agg_strict jsonb_agg_strict"});
    return names.contains(name);
}

bool aggregate(std::string_view name) {
    static const Names names = words({aggregates, "json_arrayagg"});
    return names.contains(name);
}

bool makes_text(std::string_view name) {
    return name == "repeat" || name == "lpad" || name == "rpad";
}

bool joins_text(std::string_view name) {
    static const Names names =
        words({"concat concat_ws format textcat array_cat array_append array_prepend "
               "json_build_array json_build_object jsonb_build_array jsonb_build_object "
               "jsonb_concat"});
    return names.contains(name);
}

bool splits(std::string_view name) {
    static const Names names =
        words({"unnest string_to_table regexp_split_to_table regexp_matches generate_subscripts "
               "json_array_elements json_array_elements_text jsonb_array_elements "
               "jsonb_array_elements_text jsonb_path_query json_each json_each_text jsonb_each "
               "jsonb_each_text json_object_keys jsonb_object_keys"});
    return names.contains(name);
}

bool asks_target(std::string_view name) {
    static const Names names =
        words({"current_setting array_length array_upper array_lower cardinality "
               "json_array_length jsonb_array_length now clock_timestamp statement_timestamp "
               "transaction_timestamp to_timestamp make_date make_timestamp make_timestamptz "
               "age length char_length octet_length version current_schemas"});
    return names.contains(name) || name.starts_with("pg_");
}

bool many_rows(std::string_view name) {
    static const Names names =
        words({"pg_timezone_names pg_timezone_abbrevs pg_get_keywords pg_lock_status "
               "pg_show_all_settings pg_stat_get_activity pg_get_shmem_allocations "
               "pg_get_backend_memory_contexts pg_available_extensions "
               "pg_available_extension_versions pg_get_catalog_foreign_keys pg_get_wait_events "
               "pg_ls_waldir pg_ls_logdir pg_ls_replslotdir pg_stat_statements "
               "pg_buffercache_pages ts_token_type"});
    return names.contains(name);
}

bool secret_setting(std::string_view name) {
    // Settings of no module are made by an application, to hand its functions what they need.
    constexpr auto words_of_secrets = std::to_array<std::string_view>(
        {"secret",
         "jwt",
         "token",
         "api_key",
         "apikey",
         "password",
         "passwd",
         "credential",
         "_key",
         "_pass",
         "_pwd",
         "_dsn"}
    );
    const bool own = name.find('.') != std::string_view::npos &&
                     !name.starts_with("passwordcheck.") && !name.starts_with("credcheck.");
    return name == "primary_conninfo" || name == "ssl_passphrase_command" ||
           (own && std::any_of(words_of_secrets.begin(), words_of_secrets.end(), [&](auto word) {
                return name.find(word) != std::string_view::npos;
            }));
}

bool begins_secret_setting(std::string_view prefix) {
    return std::string_view{"primary_conninfo"}.starts_with(prefix) ||
           std::string_view{"ssl_passphrase_command"}.starts_with(prefix) ||
           prefix.find('.') != std::string_view::npos;
}

bool reshapes_text(std::string_view name) {
    static const Names names =
        words({"reverse translate substr substring left right overlay encode convert convert_to "
               "decode md5 sha224 sha256 sha384 sha512 ascii get_byte get_bit set_byte set_bit "
               "regexp_match regexp_matches regexp_replace regexp_substr regexp_split_to_array "
               "regexp_split_to_table split_part string_to_array string_to_table replace btrim "
               "ltrim rtrim hashtext hashtextextended crc32 crc32c to_tsvector parse_ident "
               "ts_debug ts_parse ts_lexize unistr"});
    return names.contains(name);
}

std::string_view secret_relation(std::string_view schema, std::string_view name) {
    static const Names names = words(
        {"pg_authid pg_shadow pg_user_mapping pg_user_mappings _pg_user_mappings "
         "user_mapping_options pg_statistic pg_statistic_ext_data pg_largeobject pg_file_settings "
         "pg_hba_file_rules pg_ident_file_mappings"}
    );
    return names.contains(name) || schema == "pg_toast" ? "secret_catalog" : "";
}

bool one_row_view(std::string_view name) {
    static const Names names =
        words({"pg_stat_bgwriter pg_stat_checkpointer pg_stat_archiver pg_stat_wal "
               "pg_stat_wal_receiver pg_stat_statements_info pg_stat_recovery_prefetch"});
    return names.contains(name);
}

} // namespace interlock::db::guard_data
