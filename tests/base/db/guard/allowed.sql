SELECT 1;

select version(), current_database(), current_user, session_user, now();

SELECT pid, usename, state, wait_event_type, wait_event, now() - xact_start AS xact_age, left(query, 100) AS query FROM pg_stat_activity WHERE state <> 'idle' ORDER BY xact_start NULLS LAST LIMIT 20;

SELECT state, count(*) FROM pg_stat_activity GROUP BY state ORDER BY count(*) DESC;

SELECT datname, count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'idle in transaction') AS idle_in_tx FROM pg_stat_activity GROUP BY 1;

select pid, pg_blocking_pids(pid) as blocked_by, query from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0;

SELECT blocked.pid AS blocked_pid, blocking.pid AS blocking_pid, blocked.query AS blocked_query, blocking.query AS blocking_query FROM pg_stat_activity blocked JOIN LATERAL unnest(pg_blocking_pids(blocked.pid)) AS b(pid) ON true JOIN pg_stat_activity blocking ON blocking.pid = b.pid;

SELECT l.locktype, l.mode, l.granted, l.relation::regclass, a.pid, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted;

SELECT mode, count(*) FROM pg_locks WHERE relation = 'pg_class'::regclass GROUP BY mode;

WITH RECURSIVE tree AS (SELECT pid, ARRAY[pid] AS path, 0 AS depth FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) = 0 UNION ALL SELECT a.pid, t.path || a.pid, t.depth + 1 FROM pg_stat_activity a JOIN tree t ON t.pid = ANY (pg_blocking_pids(a.pid)) WHERE NOT a.pid = ANY (t.path)) SELECT repeat('  ', depth) || pid::text AS tree, depth FROM tree ORDER BY path;

WITH RECURSIVE l AS (SELECT pid, locktype, mode, granted, ROW(locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid) AS obj FROM pg_locks), pairs AS (SELECT w.pid AS waiter, l.pid AS locker, l.obj, l.mode FROM l w JOIN l ON l.obj IS NOT DISTINCT FROM w.obj AND l.locktype = w.locktype AND NOT l.pid = w.pid AND l.granted WHERE NOT w.granted) SELECT * FROM pairs;

SELECT relname, n_live_tup, n_dead_tup, round(100.0 * n_dead_tup / nullif(n_live_tup + n_dead_tup, 0), 2) AS dead_pct, last_vacuum, last_autovacuum FROM pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 20;

SELECT schemaname, relname, seq_scan, seq_tup_read, idx_scan, seq_tup_read / greatest(seq_scan, 1) AS avg_rows FROM pg_stat_user_tables WHERE seq_scan > 0 ORDER BY seq_tup_read DESC LIMIT 25;

SELECT indexrelid::regclass AS index, relid::regclass AS table, idx_scan, pg_size_pretty(pg_relation_size(indexrelid)) AS size FROM pg_stat_user_indexes WHERE idx_scan = 0 ORDER BY pg_relation_size(indexrelid) DESC;

SELECT s.schemaname, s.relname, s.indexrelname, s.idx_scan FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = s.indexrelid);

SELECT pg_size_pretty(pg_database_size(current_database()));

SELECT datname, pg_size_pretty(pg_database_size(datname)) AS size FROM pg_database WHERE datallowconn ORDER BY pg_database_size(datname) DESC;

SELECT oid::regclass, pg_size_pretty(pg_total_relation_size(oid)) AS total, pg_size_pretty(pg_table_size(oid)) AS tab, pg_size_pretty(pg_indexes_size(oid)) AS idx FROM pg_class WHERE relkind IN ('r', 'm', 'p') ORDER BY pg_total_relation_size(oid) DESC LIMIT 10;

SELECT n.nspname, c.relname, pg_size_pretty(pg_relation_size(c.oid, 'fsm')) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema');

SELECT datname, age(datfrozenxid), mxid_age(datminmxid), current_setting('autovacuum_freeze_max_age')::int AS freeze_max FROM pg_database ORDER BY 2 DESC;

SELECT c.oid::regclass AS table_name, greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS age, mxid_age(c.relminmxid) FROM pg_class c LEFT JOIN pg_class t ON c.reltoastrelid = t.oid WHERE c.relkind IN ('r', 'm') ORDER BY 2 DESC LIMIT 10;

SELECT pid, datname, usename, state, age(backend_xmin) AS xmin_age FROM pg_stat_activity WHERE backend_xmin IS NOT NULL ORDER BY age(backend_xmin) DESC;

SELECT slot_name, slot_type, active, age(xmin), age(catalog_xmin), pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS retained FROM pg_replication_slots;

SELECT gid, prepared, owner, database, age(transaction) FROM pg_prepared_xacts ORDER BY prepared;

SELECT application_name, client_addr, state, sync_state, pg_wal_lsn_diff(sent_lsn, replay_lsn) AS lag_bytes, write_lag, flush_lag, replay_lag FROM pg_stat_replication;

SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn;

SELECT now() - pg_last_xact_replay_timestamp() AS replication_delay;

SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())::int AS lag_seconds;

SELECT * FROM pg_stat_wal_receiver;

SELECT * FROM pg_stat_database_conflicts WHERE datname = current_database();

SELECT datname, xact_commit, xact_rollback, blks_read, blks_hit, round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 2) AS hit_ratio, deadlocks, temp_files, pg_size_pretty(temp_bytes) FROM pg_stat_database WHERE datname IS NOT NULL;

SELECT * FROM pg_stat_bgwriter;

SELECT checkpoints_timed, checkpoints_req, round(100.0 * checkpoints_req / (checkpoints_timed + checkpoints_req + 1), 1) AS req_pct FROM pg_stat_bgwriter;

SELECT * FROM pg_stat_wal, pg_stat_archiver, pg_stat_bgwriter;

SELECT wal_records, wal_fpi, pg_size_pretty(wal_bytes) FROM pg_stat_wal;

SELECT archived_count, last_archived_wal, failed_count, last_failed_wal, last_failed_time FROM pg_stat_archiver;

SELECT queryid, calls, total_exec_time, mean_exec_time, rows, query FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 10;

SELECT substring(query, 1, 80) AS short_query, round(total_exec_time::numeric, 2) AS total, calls, round(mean_exec_time::numeric, 2) AS mean, round((100 * total_exec_time / sum(total_exec_time) OVER ())::numeric, 2) AS pct FROM public.pg_stat_statements ORDER BY total_exec_time DESC LIMIT 20;

SELECT * FROM pg_stat_statements(false) LIMIT 5;

SELECT dealloc, stats_reset FROM pg_stat_statements_info;

SELECT s.queryid, s.calls, (s.shared_blks_hit + s.shared_blks_read) * current_setting('block_size')::bigint AS bytes FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'app';

SHOW max_connections;

SHOW ALL;

show server_version;

SHOW TIME ZONE;

SHOW transaction_isolation;

SELECT name, setting, unit, source, pending_restart FROM pg_settings WHERE name LIKE 'autovacuum%' ORDER BY name;

SELECT name, current_setting(name), boot_val FROM pg_settings WHERE source NOT IN ('default', 'override');

SELECT current_setting('shared_buffers'), current_setting('work_mem', true), pg_size_bytes(current_setting('maintenance_work_mem'));

SELECT name, setting FROM pg_settings WHERE name = ANY ('{work_mem,shared_buffers,effective_cache_size}'::text[]);

SELECT s.name, s.setting::bigint * 8192 / 1024 / 1024 AS mb FROM pg_settings s WHERE s.unit = '8kB';

SELECT pg_postmaster_start_time(), now() - pg_postmaster_start_time() AS uptime, pg_conf_load_time();

SELECT inet_server_addr(), inet_server_port(), inet_client_addr(), pg_backend_pid();

SELECT tablename, attname, n_distinct, null_frac, correlation FROM pg_stats WHERE schemaname = 'public' AND tablename = 'orders';

SELECT attname, most_common_vals::text, most_common_freqs FROM pg_stats WHERE tablename = 'orders' AND attname = 'status';

SELECT indexdef FROM pg_indexes WHERE tablename = 'orders';

SELECT pg_get_indexdef(indexrelid), indisvalid, indisready FROM pg_index WHERE indrelid = 'public.orders'::regclass;

SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid;

SELECT conname, contype, pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'public.orders'::regclass;

SELECT pg_get_viewdef('public.active_orders'::regclass, true);

SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'refresh_totals';

SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default_value, col_description(a.attrelid, a.attnum) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = 'orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.relkind = 'r';

SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'orders' ORDER BY ordinal_position;

SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema');

SELECT tc.constraint_name, kcu.column_name, ccu.table_name AS foreign_table FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage ccu ON ccu.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY';

SELECT * FROM information_schema.role_table_grants WHERE grantee = 'app';

SELECT routine_name FROM information_schema.routines WHERE specific_schema = 'public';

SELECT rolname, rolsuper, rolconnlimit, rolcanlogin, rolvaliduntil FROM pg_roles ORDER BY rolname;

SELECT r.rolname, ARRAY(SELECT b.rolname FROM pg_auth_members m JOIN pg_roles b ON m.roleid = b.oid WHERE m.member = r.oid) AS memberof FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1;

SELECT has_table_privilege('app', 'public.orders', 'SELECT'), has_schema_privilege(current_user, 'public', 'USAGE'), pg_has_role(current_user, 'pg_monitor', 'MEMBER');

SELECT relname, has_table_privilege(oid, 'select') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;

SELECT nspname, pg_get_userbyid(nspowner), nspacl FROM pg_namespace;

SELECT relname, (aclexplode(relacl)).grantee::regrole, (aclexplode(relacl)).privilege_type FROM pg_class WHERE relacl IS NOT NULL;

SELECT extname, extversion FROM pg_extension ORDER BY 1;

SELECT * FROM pg_available_extensions WHERE installed_version IS NOT NULL;

SELECT date_trunc('minute', query_start) AS minute, count(*) FROM pg_stat_activity GROUP BY 1 ORDER BY 1;

SELECT to_char(now(), 'YYYY-MM-DD HH24:MI:SS TZ'), to_char(1234567.891, 'FM999,999,990.00');

SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY mean_exec_time) AS p95, percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY calls) FROM pg_stat_statements;

SELECT mode() WITHIN GROUP (ORDER BY state) FROM pg_stat_activity;

SELECT relname, n_live_tup, rank() OVER (ORDER BY n_live_tup DESC), row_number() OVER w, lag(n_live_tup) OVER w, ntile(4) OVER w FROM pg_stat_user_tables WINDOW w AS (PARTITION BY schemaname ORDER BY n_live_tup ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);

SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY GROUPING SETS ((datname), (usename), ());

SELECT datname, state, count(*), grouping(datname, state) FROM pg_stat_activity GROUP BY ROLLUP (datname, state);

SELECT datname, state, count(*) FROM pg_stat_activity GROUP BY CUBE (datname, state) HAVING count(*) > 1;

SELECT string_agg(DISTINCT usename, ', ' ORDER BY usename) FROM pg_stat_activity;

SELECT array_agg(pid ORDER BY pid), json_agg(usename), jsonb_object_agg(pid, state) FROM pg_stat_activity WHERE state IS NOT NULL;

SELECT jsonb_pretty(to_jsonb(a)) FROM pg_stat_activity a WHERE pid = pg_backend_pid();

SELECT row_to_json(t) FROM (SELECT relname, n_live_tup FROM pg_stat_user_tables LIMIT 3) t;

SELECT '{"a": {"b": [1, 2]}}'::jsonb #>> '{a,b,0}', '{"a": 1}'::json ->> 'a', '[1,2]'::jsonb @> '[1]'::jsonb, jsonb_path_query_array('{"x":[1,2,3]}', '$.x[*] ? (@ > 1)');

SELECT key, value FROM jsonb_each_text('{"a": 1, "b": 2}');

SELECT x.a, x.b FROM jsonb_to_recordset('[{"a":1,"b":"x"}]') AS x(a int, b text);

SELECT unnest(conkey), conname FROM pg_constraint WHERE contype = 'f';

SELECT c.conname, a.attname, k.ord FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, ord) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY c.conname, k.ord;

SELECT i.indexrelid::regclass, k.i, pg_get_indexdef(i.indexrelid, k.i, false) FROM pg_index i CROSS JOIN LATERAL generate_series(1, i.indnatts) AS k(i) WHERE i.indrelid = 'orders'::regclass;

SELECT generate_series(1, 24) AS hour;

SELECT d::date, count(o.id) FROM generate_series(now() - interval '7 days', now(), interval '1 day') d LEFT JOIN app.orders o ON o.created_at >= d AND o.created_at < d + interval '1 day' GROUP BY 1 ORDER BY 1;

SELECT generate_series('2026-01-01'::timestamptz, '2026-01-02'::timestamptz, '1 hour');

SELECT generate_subscripts(current_schemas(true), 1);

SELECT regexp_replace(query, '\s+', ' ', 'g') AS q FROM pg_stat_activity WHERE query ~* '^\s*(select|with)\M';

SELECT (regexp_match(version(), 'PostgreSQL (\d+)\.(\d+)'))[1]::int AS major;

SELECT regexp_split_to_table('a,b,c', ','), split_part('a.b.c', '.', 2), string_to_array('1,2,3', ',')::int[];

SELECT relname FROM pg_class WHERE relname SIMILAR TO '(pg|sql)_%' AND relname NOT LIKE 'pg\_toast%' ESCAPE '\' AND relname NOT ILIKE '%index%';

SELECT pid FROM pg_stat_activity WHERE client_addr << inet '10.0.0.0/8' OR client_addr = '127.0.0.1'::inet;

SELECT host(client_addr), masklen(client_addr), count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL GROUP BY 1, 2;

SELECT coalesce(client_addr::text, 'local') AS client, count(*) FROM pg_stat_activity GROUP BY 1 ORDER BY 2 DESC FETCH FIRST 10 ROWS ONLY;

SELECT relname, reltuples FROM pg_class ORDER BY reltuples DESC FETCH FIRST 5 ROWS WITH TIES;

SELECT * FROM pg_stat_user_tables ORDER BY n_dead_tup DESC NULLS LAST OFFSET 5 LIMIT 5;

VALUES (1, 'a'), (2, 'b');

TABLE pg_stat_bgwriter;

TABLE pg_stat_progress_vacuum;

(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 1;

SELECT relname FROM pg_stat_user_tables EXCEPT SELECT tablename FROM pg_stats;

SELECT relid FROM pg_stat_user_tables INTERSECT SELECT indrelid FROM pg_index;

SELECT DISTINCT ON (relid) relid, indexrelname, idx_scan FROM pg_stat_user_indexes ORDER BY relid, idx_scan DESC;

SELECT DISTINCT wait_event_type, wait_event FROM pg_stat_activity WHERE wait_event IS NOT NULL;

EXPLAIN SELECT * FROM app.orders WHERE customer_id = 42;

EXPLAIN (COSTS, VERBOSE, SETTINGS, FORMAT JSON) SELECT count(*) FROM app.orders o JOIN app.customers c ON c.id = o.customer_id WHERE c.country = 'CH';

EXPLAIN (ANALYZE false, BUFFERS off) SELECT 1;

EXPLAIN (ANALYZE, ANALYZE off) SELECT 1;

EXPLAIN (GENERIC_PLAN) SELECT * FROM app.orders WHERE id = $1;

EXPLAIN VERBOSE WITH t AS MATERIALIZED (SELECT * FROM app.orders) SELECT * FROM t;

explain (format yaml, summary on, timing off) values (1);

SELECT count(*) FROM app.orders WHERE created_at >= now() - interval '1 hour' AND status IN ('open', 'paid');

SELECT status, count(*), min(created_at), max(created_at), avg(total)::numeric(12, 2), sum(total) FROM app.orders GROUP BY status ORDER BY 2 DESC;

SELECT * FROM "App"."Order Lines" WHERE "Größe" > 3;

SELECT o.id, c.name FROM app.orders AS o LEFT OUTER JOIN app.customers AS c ON c.id = o.customer_id WHERE EXISTS (SELECT 1 FROM app.items i WHERE i.order_id = o.id) AND o.total BETWEEN 10 AND 20;

SELECT ctid, xmin, xmax, * FROM app.orders WHERE id = 7;

SELECT id, CASE WHEN total > 100 THEN 'big' WHEN total IS NULL THEN 'none' ELSE 'small' END AS size FROM app.orders WHERE note IS DISTINCT FROM 'x' AND paid IS NOT TRUE;

SELECT * FROM app.events TABLESAMPLE SYSTEM (1) LIMIT 100;

SELECT * FROM app.events TABLESAMPLE BERNOULLI (0.1) REPEATABLE (42);

SELECT last_value, is_called FROM app.orders_id_seq;

SELECT schemaname, sequencename, last_value, max_value, round(100.0 * last_value / max_value, 2) AS used_pct FROM pg_sequences WHERE last_value IS NOT NULL ORDER BY 5 DESC;

SELECT seqrelid::regclass, pg_sequence_last_value(seqrelid) FROM pg_sequence;

SELECT pg_get_serial_sequence('app.orders', 'id');

SELECT count(*) FROM pg_ls_waldir();

SELECT name, size, modification FROM pg_ls_waldir() ORDER BY modification DESC LIMIT 5;

SELECT pg_walfile_name(pg_current_wal_lsn()), pg_wal_lsn_diff('0/3000000'::pg_lsn, '0/2000000'::pg_lsn);

SELECT pg_current_logfile();

SELECT * FROM pg_control_checkpoint();

SELECT checkpoint_lsn, redo_lsn, timeline_id FROM pg_control_checkpoint(), pg_control_system();

SELECT pg_current_snapshot(), pg_snapshot_xmin(pg_current_snapshot()), txid_current_if_assigned();

SELECT * FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid);

SELECT a.pid, p.phase, round(100.0 * p.blocks_done / nullif(p.blocks_total, 0), 1) AS pct FROM pg_stat_progress_create_index p JOIN pg_stat_activity a ON a.pid = p.pid;

SELECT * FROM pg_stat_progress_analyze;

SELECT * FROM pg_stat_progress_basebackup;

SELECT * FROM pg_stat_io WHERE backend_type = 'client backend';

SELECT * FROM pg_stat_checkpointer;

SELECT * FROM pg_stat_slru;

SELECT * FROM pg_stat_subscription;

SELECT subname, subenabled, subslotname, subpublications FROM pg_subscription;

SELECT s.subname, s.subenabled, r.srrelid::regclass, r.srsubstate FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid;

SELECT count(*) FROM pg_subscription;

SELECT pubname, puballtables FROM pg_publication;

SELECT * FROM pg_publication_tables;

SELECT * FROM pg_stat_replication_slots;

SELECT * FROM pg_replication_origin_status;

SELECT * FROM pg_stat_gssapi, pg_stat_ssl WHERE pg_stat_gssapi.pid = pg_stat_ssl.pid;

SELECT ssl, version, cipher, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) GROUP BY 1, 2, 3;

SELECT c.relname, count(*) AS buffers, pg_size_pretty(count(*) * 8192) FROM pg_buffercache b JOIN pg_class c ON b.relfilenode = pg_relation_filenode(c.oid) AND b.reldatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) GROUP BY c.relname ORDER BY 2 DESC LIMIT 10;

SELECT * FROM pg_buffercache_summary();

SELECT * FROM pgstattuple('app.orders');

SELECT * FROM pgstatindex('app.orders_pkey');

SELECT tuple_percent, dead_tuple_percent, approx_free_percent FROM public.pgstattuple_approx('app.orders'::regclass);

SELECT avail FROM pg_freespace('app.orders') LIMIT 5;

SELECT oid::regclass, pg_relation_filepath(oid) FROM pg_class WHERE relname = 'orders';

SELECT spcname, pg_tablespace_location(oid), pg_size_pretty(pg_tablespace_size(oid)) FROM pg_tablespace;

SELECT reloptions FROM pg_class WHERE relname = 'orders';

SELECT c.relname, o.option_name, o.option_value FROM pg_class c, pg_options_to_table(c.reloptions) o WHERE c.reloptions IS NOT NULL;

SELECT inhrelid::regclass AS child, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE inhparent = 'app.events'::regclass;

SELECT * FROM pg_partition_tree('app.events');

SELECT relid::regclass, parentrelid::regclass, level, isleaf FROM pg_partition_tree('app.events'::regclass) WHERE isleaf;

SELECT * FROM pg_get_keywords() WHERE catcode = 'R';

SELECT pg_describe_object(classid, objid, objsubid), deptype FROM pg_depend WHERE refobjid = 'app.orders'::regclass;

SELECT collname, collversion, pg_collation_actual_version(oid) FROM pg_collation WHERE collversion IS NOT NULL AND collversion <> pg_collation_actual_version(oid);

SELECT datname, datcollate, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database;

SELECT datname, pg_encoding_to_char(encoding), datconnlimit FROM pg_database;

SELECT r.rolname, d.datname, s.setconfig FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase;

SELECT pid, query_start, age(clock_timestamp(), query_start), usename, query FROM pg_stat_activity WHERE query != '<IDLE>' AND query NOT ILIKE '%pg_stat_activity%' ORDER BY query_start DESC;

SELECT pg_stat_get_live_tuples(c.oid) AS n_live_tup, pg_stat_get_dead_tuples(c.oid) AS n_dead_tup FROM pg_class c WHERE relname = 'orders';

SELECT pg_stat_get_backend_pid(s.backendid) AS pid, pg_stat_get_backend_activity(s.backendid) AS query FROM (SELECT pg_stat_get_backend_idset() AS backendid) AS s;

SELECT pg_notification_queue_usage(), pg_listening_channels();

SELECT name, statement, prepare_time FROM pg_prepared_statements;

SELECT * FROM pg_cursors;

SELECT * FROM pg_shmem_allocations ORDER BY size DESC LIMIT 20;

SELECT name, total_bytes, used_bytes FROM pg_backend_memory_contexts ORDER BY total_bytes DESC LIMIT 10;

SELECT pg_xact_commit_timestamp(xmin) FROM app.orders LIMIT 1;

SELECT 'pg_class'::regclass::oid, 16384::oid::regclass, 'now'::regproc, 'int4'::regtype, '5 minutes'::interval, '16/B374D848'::pg_lsn, '12345'::xid8, '{1,2}'::int[], '2026-01-01'::date, 'infinity'::timestamptz, B'101'::bit(3), '\x01'::bytea, '(1,2)'::point, '[1,5)'::int4range;

SELECT CAST('1' AS integer), int '7', interval '1' day, timestamp with time zone '2026-01-01 00:00:00+00', '10 MB'::text, 3::"char", 1.5::double precision, 'x'::character varying(10), 'abc'::char(5);

SELECT now() AT TIME ZONE 'UTC', current_date, current_timestamp, localtimestamp(0), extract(dow FROM current_date), date_part('hour', now()), make_interval(hours => 2), date_bin('15 minutes', now(), timestamp '2000-01-01');

SELECT (now() - interval '1 day', now()) OVERLAPS (now() - interval '2 hours', now());

SELECT 5 % 3, 2 ^ 10, |/ 16, @ -5, 7 & 3, 7 | 8, 1 << 4, ~ 5, 'a' || 'b', 10 # 3, -3, +4;

SELECT ARRAY[1, 2] || 3, ARRAY[1, 2] @> ARRAY[1], ARRAY[1, 2] && ARRAY[2], (ARRAY[1, 2, 3])[2:3], array_length(ARRAY[1, 2], 1), 1 = ANY (ARRAY[1, 2]), 5 > ALL (ARRAY[1, 2]), array_position(ARRAY['a', 'b'], 'b'), array_to_string(ARRAY[1, 2], ',');

SELECT ROW(1, 'a') = ROW(1, 'a'), (1, 2) < (1, 3), (SELECT count(*) FROM pg_class), ARRAY(SELECT relname FROM pg_class LIMIT 3);

SELECT greatest(1, 2), least(1, 2), nullif(1, 1), coalesce(NULL, 1), num_nulls(1, NULL);

SELECT format('%I.%I', schemaname, relname), format('%s: %s', relname, n_live_tup), format('%-20s|%10s', relname, n_dead_tup) FROM pg_stat_user_tables;

SELECT quote_ident(relname), quote_literal('x'), lpad(relname, 30), rpad(relname, 30, '.'), initcap(relname), md5(relname), length(relname), octet_length(relname), upper(relname), position('a' IN relname), overlay(relname PLACING 'xx' FROM 1 FOR 2), substring(relname FROM 1 FOR 3), trim(both ' ' FROM relname), translate(relname, 'ab', 'cd'), reverse(relname), strpos(relname, 'a'), ltrim(relname), concat_ws('-', relname, oid), ascii(relname), chr(65), encode('abc'::bytea, 'hex'), starts_with(relname, 'pg_') FROM pg_class;

SELECT repeat('#', (100 * n_dead_tup / greatest(n_live_tup, 1))::int) AS bar, relname FROM pg_stat_user_tables;

SELECT width_bucket(total, 0, 1000, 10) AS bucket, count(*), repeat('*', (count(*) / 10)::int) FROM app.orders GROUP BY 1 ORDER BY 1;

SELECT corr(n_live_tup, n_dead_tup), stddev_samp(n_live_tup), variance(n_live_tup), bool_or(n_dead_tup > 0), every(n_live_tup > 0), regr_slope(n_live_tup, n_dead_tup) FROM pg_stat_user_tables;

WITH x AS (SELECT 1 AS a), y AS (SELECT a + 1 AS b FROM x) SELECT * FROM x, y;

WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t;

WITH RECURSIVE deps AS (SELECT 'app.v'::regclass::oid AS oid UNION SELECT d.refobjid FROM deps JOIN pg_rewrite r ON r.ev_class = deps.oid JOIN pg_depend d ON d.objid = r.oid AND d.refclassid = 'pg_class'::regclass) SELECT oid::regclass FROM deps;

WITH RECURSIVE org AS (SELECT id, manager_id, 1 AS level FROM app.staff WHERE manager_id IS NULL UNION ALL SELECT s.id, s.manager_id, o.level + 1 FROM app.staff s, org o WHERE s.manager_id = o.id) SEARCH DEPTH FIRST BY id SET ord CYCLE id SET is_cycle USING path SELECT * FROM org ORDER BY ord;

WITH constants AS (SELECT current_setting('block_size')::numeric AS bs, 23 AS hdr, 8 AS ma), bloat_info AS (SELECT ma, bs, schemaname, tablename, (datawidth + (hdr + ma - (CASE WHEN hdr % ma = 0 THEN ma ELSE hdr % ma END)))::numeric AS datahdr, (maxfracsum * (nullhdr + ma - (CASE WHEN nullhdr % ma = 0 THEN ma ELSE nullhdr % ma END))) AS nullhdr2 FROM (SELECT schemaname, tablename, hdr, ma, bs, SUM((1 - null_frac) * avg_width) AS datawidth, MAX(null_frac) AS maxfracsum, hdr + (SELECT 1 + count(*) / 8 FROM pg_stats s2 WHERE null_frac <> 0 AND s2.schemaname = s.schemaname AND s2.tablename = s.tablename) AS nullhdr FROM pg_stats s, constants GROUP BY 1, 2, 3, 4, 5) AS foo) SELECT schemaname, tablename, CEIL((cc.reltuples * ((datahdr + ma - (CASE WHEN datahdr % ma = 0 THEN ma ELSE datahdr % ma END)) + nullhdr2 + 4)) / (bs - 20::float)) AS otta FROM bloat_info JOIN pg_class cc ON cc.relname = bloat_info.tablename;

SELECT a.indrelid::regclass, a.indexrelid::regclass, b.indexrelid::regclass FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid < b.indexrelid AND a.indkey::text = b.indkey::text AND a.indclass = b.indclass AND coalesce(a.indpred::text, '') = coalesce(b.indpred::text, '');

SELECT conrelid::regclass, conname FROM pg_constraint c WHERE contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey);

SELECT relname, 100 * idx_scan / nullif(seq_scan + idx_scan, 0) AS pct_index FROM pg_stat_user_tables WHERE seq_scan + idx_scan > 0 ORDER BY n_live_tup DESC;

SELECT sum(heap_blks_hit) / nullif(sum(heap_blks_hit) + sum(heap_blks_read), 0)::numeric AS ratio FROM pg_statio_user_tables;

SELECT indexrelname, idx_blks_read, idx_blks_hit FROM pg_statio_user_indexes;

SELECT relname, pg_size_pretty(pg_relation_size(reltoastrelid)) FROM pg_class WHERE reltoastrelid <> 0 ORDER BY pg_relation_size(reltoastrelid) DESC LIMIT 5;

SELECT relname, n_mod_since_analyze, last_analyze, last_autoanalyze, autoanalyze_count FROM pg_stat_all_tables WHERE schemaname = 'pg_catalog' ORDER BY n_mod_since_analyze DESC;

SELECT relname, n_tup_upd, n_tup_hot_upd, round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0), 1) AS hot_pct FROM pg_stat_user_tables ORDER BY n_tup_upd DESC;

SELECT c.relname, 50 + 0.2 * c.reltuples AS threshold, s.n_dead_tup FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE s.n_dead_tup > 50 + 0.2 * c.reltuples;

SELECT coalesce(wait_event_type, 'CPU') AS wait, count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC;

SELECT usename, count(*), (SELECT setting::int FROM pg_settings WHERE name = 'max_connections') AS max FROM pg_stat_activity GROUP BY usename;

SELECT funcname, calls, total_time, self_time FROM pg_stat_user_functions ORDER BY total_time DESC;

SELECT evtname, evtevent, evtenabled FROM pg_event_trigger;

SELECT polname, polcmd, pg_get_expr(polqual, polrelid) FROM pg_policy;

SELECT * FROM pg_policies WHERE tablename = 'orders';

SELECT * FROM pg_rules WHERE schemaname = 'app';

SELECT definition FROM pg_views WHERE viewname = 'active_orders';

SELECT * FROM pg_matviews;

SELECT stxname, stxkeys, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext;

SELECT * FROM pg_stats_ext;

SELECT oid, lomowner::regrole FROM pg_largeobject_metadata;

SELECT srvname, srvowner::regrole FROM pg_foreign_server;

SELECT to_regclass('app.orders'), to_regtype('int4'), to_regrole('postgres'), pg_typeof(1), pg_column_size('x'::text);

SELECT pg_column_compression(note), pg_column_size(note) FROM app.orders LIMIT 5;

SELECT pg_relation_is_updatable('app.v'::regclass, false), pg_table_is_visible('app.orders'::regclass);

SELECT random(), gen_random_uuid(), timeofday(), clock_timestamp() - statement_timestamp();

SELECT relname COLLATE "C" FROM pg_class ORDER BY relname COLLATE "C" DESC LIMIT 3;

SELECT pg_identify_object('pg_class'::regclass, 'app.orders'::regclass, 0), pg_get_partkeydef('app.events'::regclass);

SELECT pid, (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid) AS locks FROM pg_stat_activity a ORDER BY locks DESC LIMIT 5;

SELECT * FROM (VALUES ('a', 1), ('b', 2)) AS v(name, n) WHERE n > 1;

SELECT x FROM unnest(ARRAY[1, 2, 3]) AS x WHERE x <> ALL ('{2}'::int[]);

SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS t(n, s);

SELECT sum(calls) FILTER (WHERE query ILIKE 'update%') AS updates, sum(calls) FILTER (WHERE query ILIKE 'select%') AS selects FROM pg_stat_statements;

SELECT wait_event, count(*) * 100 / sum(count(*)) OVER () AS pct FROM pg_stat_activity GROUP BY wait_event;

SELECT pid, datname, query FROM pg_stat_activity WHERE query LIKE '%DROP TABLE%' OR query LIKE '%pg_sleep(%' OR query ~ 'pg_terminate_backend';

SELECT 'COMMIT; DROP TABLE x' AS text, 'it''s', E'tab\there', $$dollar 'quoted'; delete$$, U&'d\0061t\+000061';

-- which sessions are idle in a transaction
SELECT pid, state_change /* when it went idle */ FROM pg_stat_activity WHERE state = 'idle in transaction';

SELECT "user", "order", "group" FROM app.reserved_words;

SELECT t.table, t.count FROM (SELECT relname AS table, n_live_tup AS count FROM pg_stat_user_tables) t;

SELECT to_tsvector('english', body) @@ plainto_tsquery('english', 'lock wait') FROM app.notes;

SELECT id FROM app.notes WHERE body_tsv @@ websearch_to_tsquery('deadlock -test') ORDER BY ts_rank(body_tsv, to_tsquery('deadlock')) DESC;

SELECT count(*), count(DISTINCT customer_id), sum(total) / count(*) FROM app.orders WHERE created_at >= date_trunc('day', now()) AND created_at < date_trunc('day', now()) + interval '1 day';

SELECT customer_id, array_agg(id ORDER BY created_at DESC) FROM app.orders GROUP BY customer_id HAVING count(*) > 5 ORDER BY count(*) DESC LIMIT 10;

SELECT o.* FROM app.orders o NATURAL JOIN app.customers c;

SELECT * FROM app.a CROSS JOIN app.b LIMIT 10;

SELECT * FROM app.orders FULL OUTER JOIN app.refunds USING (order_id) WHERE orders.id IS NULL OR refunds.id IS NULL;

SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3;

SELECT result.table_name, result.column_name, result.key_seq FROM (SELECT ct.relname AS table_name, a.attname AS column_name, (information_schema._pg_expandarray(i.indkey)).n AS key_seq, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) WHERE i.indisprimary) result WHERE result.a_attnum = (result.keys).x;

SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0;

SELECT * FROM ts_debug('english', 'a quick brown fox');

SELECT ts_lexize('english_stem', 'stars');

SELECT * FROM ts_token_type('default');

SELECT * FROM ts_parse('default', 'foo bar');

SELECT current_database(), nspname AS schemaname, tblname, idxname, bs*(relpages)::bigint AS real_size, bs*(relpages-est_pages)::bigint AS extra_size, 100 * (relpages-est_pages)::float / relpages AS extra_pct, fillfactor, is_na FROM ( SELECT coalesce(1 + ceil(reltuples/floor((bs-pageopqdata-pagehdr)/(4+nulldatahdrwidth)::float)), 0) AS est_pages, bs, nspname, tblname, idxname, relpages, fillfactor, is_na FROM ( SELECT maxalign, bs, nspname, tblname, idxname, reltuples, relpages, idxoid, fillfactor, ( index_tuple_hdr_bm + maxalign - CASE WHEN index_tuple_hdr_bm%maxalign = 0 THEN maxalign ELSE index_tuple_hdr_bm%maxalign END + nulldatawidth + maxalign - CASE WHEN nulldatawidth = 0 THEN 0 WHEN nulldatawidth::integer%maxalign = 0 THEN maxalign ELSE nulldatawidth::integer%maxalign END )::numeric AS nulldatahdrwidth, pagehdr, pageopqdata, is_na FROM ( SELECT n.nspname, i.tblname, i.idxname, i.reltuples, i.relpages, i.idxoid, i.fillfactor, current_setting('block_size')::numeric AS bs, CASE WHEN version() ~ 'mingw32' OR version() ~ '64-bit|x86_64|ppc64|ia64|amd64' THEN 8 ELSE 4 END AS maxalign, 24 AS pagehdr, 16 AS pageopqdata, CASE WHEN max(coalesce(s.null_frac,0)) = 0 THEN 8 ELSE 8 + (( 32 + 8 - 1 ) / 8) END AS index_tuple_hdr_bm, sum( (1-coalesce(s.null_frac, 0)) * coalesce(s.avg_width, 1024)) AS nulldatawidth, max( CASE WHEN i.atttypid = 'pg_catalog.name'::regtype THEN 1 ELSE 0 END ) > 0 AS is_na FROM ( SELECT ct.relname AS tblname, ct.relnamespace, ic.idxname, ic.attpos, ic.indkey, ic.indkey[ic.attpos], ic.reltuples, ic.relpages, ic.tbloid, ic.idxoid, ic.fillfactor, coalesce(a1.attnum, a2.attnum) AS attnum, coalesce(a1.attname, a2.attname) AS attname, coalesce(a1.atttypid, a2.atttypid) AS atttypid, CASE WHEN a1.attnum IS NULL THEN ic.idxname ELSE ct.relname END AS attrelname FROM ( SELECT idxname, reltuples, relpages, tbloid, idxoid, fillfactor, indkey, pg_catalog.generate_series(1,indnatts) AS attpos FROM ( SELECT ci.relname AS idxname, ci.reltuples, ci.relpages, i.indrelid AS tbloid, i.indexrelid AS idxoid, coalesce(substring( array_to_string(ci.reloptions, ' ') from 'fillfactor=([0-9]+)')::smallint, 90) AS fillfactor, i.indnatts, pg_catalog.string_to_array(pg_catalog.textin( pg_catalog.int2vectorout(i.indkey)),' ')::int[] AS indkey FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid WHERE ci.relam=(SELECT oid FROM pg_am WHERE amname = 'btree') AND ci.relpages > 0 ) AS idx_data ) AS ic JOIN pg_catalog.pg_class ct ON ct.oid = ic.tbloid LEFT JOIN pg_catalog.pg_attribute a1 ON ic.indkey[ic.attpos] <> 0 AND a1.attrelid = ic.tbloid AND a1.attnum = ic.indkey[ic.attpos] LEFT JOIN pg_catalog.pg_attribute a2 ON ic.indkey[ic.attpos] = 0 AND a2.attrelid = ic.idxoid AND a2.attnum = ic.attpos ) i JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = i.attrelname AND s.attname = i.attname GROUP BY 1,2,3,4,5,6,7,8,9,10,11 ) AS rows_data_stats ) AS rows_hdr_pdg_stats ) AS relation_stats ORDER BY nspname, tblname, idxname;

SELECT tsquery_phrase('a'::tsquery,'b'::tsquery,2);

WITH RECURSIVE r AS (SELECT oid FROM pg_roles WHERE rolname='a' UNION SELECT m.roleid FROM pg_auth_members m NATURAL JOIN r) SELECT * FROM r;

SELECT lpad(to_hex(255), 8, '0'), lpad('7', greatest(2,3), '0'), repeat(' ', 2*2);

SELECT datname, round((pg_database_size(datname) / power(1024, 3))::numeric, 2) AS gb FROM pg_database;

SELECT datname, pg_database_size(datname) / pow(1024, 2) AS mb FROM pg_database;

SELECT power(2048, 2), power(10000, 0.5), power(1500.0/1000, 2);

SELECT id, exp(-extract(epoch FROM now() - created_at) / 86400) AS decay FROM app.posts;

SELECT id, score / power(extract(epoch FROM now() - created_at) / 3600 + 2, 1.8) AS hot FROM app.posts ORDER BY hot DESC LIMIT 20;

SELECT power(a - 5000, 2) FROM app.t;

SELECT sqrt(power(x - 1234.5, 2) + power(y - 4321, 2)) FROM app.places;

SELECT repeat('#', (sum(total) / 20000)::int) AS bar FROM app.orders GROUP BY status;

SELECT relname, repeat('█', (pg_relation_size(oid) / 1048576)::int) FROM pg_class WHERE relkind='r';

SELECT relname, rpad('', (n_live_tup / 100000)::int, '#') FROM pg_stat_user_tables;

SELECT lpad(count(*)::text, 12), repeat('=', least(count(*) / 50000, 60)::int) FROM app.orders GROUP BY status;

SELECT lo AS from_id, lo + 999999 AS to_id FROM generate_series((SELECT min(id) FROM app.orders), (SELECT max(id) FROM app.orders), 1000000) lo;

SELECT i FROM generate_series(0, (SELECT max(id) FROM app.orders), 500000) i;

SELECT d FROM generate_series(to_timestamp(1767225600), now(), '1 day') d;

SELECT d FROM generate_series(to_timestamp(1767225600), to_timestamp(1767312000), '1 hour') d;

WITH a AS (SELECT count(*) n FROM app.a), b AS (SELECT count(*) n FROM app.b), c AS (SELECT count(*) n FROM app.c), s AS (SELECT a.n + b.n + c.n AS t FROM a, b, c) SELECT * FROM s;

WITH a AS (SELECT count(*) n FROM app.a), b AS (SELECT count(*) n FROM app.b), c AS (SELECT count(*) n FROM app.c) SELECT 'sum' AS k, a.n + b.n + c.n FROM a, b, c UNION ALL SELECT 'max', greatest(a.n, b.n, c.n) FROM a, b, c;

WITH a AS (SELECT 1 n), b AS (SELECT 2 n), c AS (SELECT 3 n) SELECT x.* FROM (SELECT a.n, b.n AS m, c.n AS o FROM a CROSS JOIN b CROSS JOIN c) x;

WITH conn AS (SELECT count(*) AS total FROM pg_stat_activity), mx AS (SELECT setting::int AS max_conn FROM pg_settings WHERE name='max_connections'), res AS (SELECT setting::int AS reserved FROM pg_settings WHERE name='superuser_reserved_connections'), calc AS (SELECT total, max_conn, reserved, max_conn - reserved - total AS free FROM conn, mx, res) SELECT *, round(100.0*total/max_conn,1) AS pct FROM calc;

WITH constants AS (SELECT 8192 AS bs), hdr AS (SELECT 24 AS h), opt AS (SELECT 100 AS ff), est AS (SELECT c.relname, bs, h, ff FROM pg_class c, constants, hdr, opt) SELECT * FROM est;

WITH s AS (SELECT 1 a), u AS (SELECT 2 b), v AS (SELECT 3 c) SELECT (SELECT s.a + u.b + v.c FROM s, u, v);

WITH RECURSIVE chain AS (SELECT pid FROM pg_stat_activity WHERE pid = 123 UNION SELECT b.pid FROM chain, unnest(pg_blocking_pids(chain.pid)) AS b(pid)) SELECT * FROM chain;

WITH RECURSIVE chain AS (SELECT pid, ARRAY[pid] AS p FROM pg_stat_activity WHERE wait_event_type='Lock' UNION ALL SELECT b.pid, c.p || b.pid FROM chain c CROSS JOIN LATERAL unnest(pg_blocking_pids(c.pid)) AS b(pid)) SELECT * FROM chain;

WITH RECURSIVE t AS (SELECT id, name FROM app.cat WHERE parent_id IS NULL UNION ALL SELECT c.id, c.name FROM t, LATERAL (SELECT id, name FROM app.cat x WHERE x.parent_id = t.id) c) SELECT * FROM t;

WITH RECURSIVE t AS (SELECT id FROM app.cat WHERE parent_id IS NULL UNION ALL SELECT c.id FROM t CROSS JOIN LATERAL (SELECT id FROM app.cat x WHERE x.parent_id = t.id) c) SELECT * FROM t;

WITH RECURSIVE j AS (SELECT meta AS v, '$' AS p FROM app.orders WHERE id=1 UNION ALL SELECT e.value, j.p || '.' || e.key FROM j, jsonb_each(CASE WHEN jsonb_typeof(j.v)='object' THEN j.v ELSE '{}' END) e) SELECT * FROM j;

WITH RECURSIVE b AS (SELECT min(id) AS lo FROM app.orders UNION ALL SELECT lo + 1000000 FROM b WHERE lo < (SELECT max(id) FROM app.orders) - 1000000) SELECT * FROM b;

SELECT pg_subscription.subname, pg_subscription.ctid FROM pg_subscription;

SELECT indkey::int2[]::text, int2vectorout(indkey) FROM pg_index;

SELECT g FROM generate_series((extract(epoch from now()) - 604800)::bigint, extract(epoch from now())::bigint, 86400) g;

SELECT format('select count(*) from %I.%I where n > %s', schemaname, relname, 50000) FROM pg_stat_user_tables;

SELECT format('SELECT * FROM %I LIMIT %s', relname, 100000) FROM pg_stat_user_tables;

SELECT repeat('-', length('Table sizes'));

SELECT power(1024, 3);

SELECT pg_size_pretty((pow(1024, 3))::bigint);

SELECT pow(1024.0, 2)::bigint;

SELECT exp(-86400 / 3600.0);

SELECT sum(weight * exp(-extract(epoch FROM now() - created_at) / 604800.0)) FROM app.e;

SELECT power(revenue_2025 / 1000000, 1.0/5) - 1 FROM app.t;

SELECT power((SELECT max(v) FROM app.t) / 5000.0, 1/3.0) - 1;

SELECT 100 * (power(end_v / nullif(start_v, 0), 1.0/(2026-2020)) - 1) FROM app.t;

SELECT 1/(1+exp(-(score-1500)/400.0)) FROM app.elo;

SELECT 1/(1+power(10,(1500-elo)/400.0)) FROM app.elo;

SELECT 1/(1+10^((1500-elo)/400.0)) FROM app.elo;

WITH total AS (SELECT sum(total) s FROM app.orders), cnt AS (SELECT count(*) c FROM app.orders), avgv AS (SELECT avg(total) a FROM app.orders), m AS (SELECT s, c, a, s/nullif(c,0) r FROM total CROSS JOIN cnt CROSS JOIN avgv) SELECT * FROM m;

WITH p AS (SELECT 1 a), q AS (SELECT 2 b), r AS (SELECT 3 c) SELECT * FROM p, q, LATERAL (SELECT * FROM p, q, r) z;

SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') / pow(1024, 3) AS gb_written;

SELECT textin(int2vectorout(indkey)) FROM pg_index;

WITH RECURSIVE t AS (SELECT oid FROM pg_class WHERE relname='x' UNION ALL SELECT i.inhrelid FROM t NATURAL JOIN app.k) SELECT * FROM t;

SELECT x::pg_catalog.regtypemod FROM app.t;

SELECT exp(1500-1400);

SELECT exp(x * 0.5 / 3600) FROM app.t;

SELECT power(x / 1024, 2) FROM app.t;

SELECT repeat('*', (count(*) * 40 / 1000000)::int) FROM app.orders;

SELECT lpad(repeat('#', greatest(1, n_dead_tup::int / 20000)), 50) FROM pg_stat_user_tables;

SELECT lo FROM generate_series(1, (SELECT max(id) FROM app.o), 250000) lo;

SELECT h FROM generate_series(1700000000, extract(epoch from now())::bigint, 86400) h;

WITH act AS (SELECT count(*) n FROM pg_stat_activity), lck AS (SELECT count(*) n FROM pg_locks), slt AS (SELECT count(*) n FROM pg_replication_slots) SELECT json_build_object('a', (SELECT row_to_json(x) FROM (SELECT act.n, lck.n AS l, slt.n AS s FROM act, lck, slt) x));

WITH act AS (SELECT count(*) n FROM pg_stat_activity), lck AS (SELECT count(*) n FROM pg_locks), slt AS (SELECT count(*) n FROM pg_replication_slots) SELECT metric, value FROM (SELECT 'active' AS metric, act.n AS value FROM act, lck, slt UNION ALL SELECT 'locks', lck.n FROM lck) u;

WITH s AS (SELECT sum(size) FROM pg_ls_waldir()), m AS (SELECT 1), k AS (SELECT 2) SELECT * FROM s, m, k UNION SELECT * FROM s, m, k;

WITH params AS (SELECT 0.9 AS ff), bs AS (SELECT current_setting('block_size')::int AS bs), ver AS (SELECT current_setting('server_version_num')::int v), t AS (SELECT c.oid, bs.bs FROM pg_class c CROSS JOIN params CROSS JOIN bs CROSS JOIN ver) SELECT count(*) FROM t;

WITH params AS (SELECT 0.9 AS ff), bs AS (SELECT 8192 AS bs), t AS (SELECT c.oid, bs.bs FROM pg_class c CROSS JOIN params CROSS JOIN bs) SELECT count(*) FROM t;

WITH RECURSIVE blk AS (SELECT a.pid, b.blocker, 1 AS lvl FROM pg_stat_activity a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b(blocker) UNION ALL SELECT blk.blocker, b.blocker, lvl + 1 FROM blk CROSS JOIN LATERAL unnest(pg_blocking_pids(blk.blocker)) AS b(blocker)) SELECT * FROM blk;

WITH RECURSIVE keys AS (SELECT k, v FROM app.orders, jsonb_each(meta) AS e(k, v) UNION ALL SELECT keys.k || '.' || e.key, e.value FROM keys CROSS JOIN LATERAL jsonb_each(keys.v) e) SELECT DISTINCT k FROM keys;

SELECT ts.token, ts.lexemes FROM ts_debug('english', 'x') ts;

select pid, usename, application_name, client_addr, state, wait_event_type, wait_event, now() - query_start as running_for, left(regexp_replace(query, '\s+', ' ', 'g'), 120) as query from pg_stat_activity where state <> 'idle' and backend_type = 'client backend' order by query_start nulls last

select state, count(*), max(now() - state_change) as oldest from pg_stat_activity group by rollup (state) order by 2 desc

select count(*) filter (where state = 'active') as active, count(*) filter (where state like 'idle in transaction%') as idle_in_tx, count(*) as total, current_setting('max_connections')::int as max, round(100.0 * count(*) / current_setting('max_connections')::int, 1) as pct from pg_stat_activity where backend_type = 'client backend'

select pid, pg_blocking_pids(pid) as blockers, cardinality(pg_blocking_pids(pid)) as n from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0

select a.pid, b.pid as blocker, b.state, extract(epoch from clock_timestamp() - l.waitstart)::numeric(12, 1) as waited_s from pg_stat_activity a cross join lateral unnest(pg_blocking_pids(a.pid)) as u(pid) join pg_stat_activity b on b.pid = u.pid left join pg_locks l on l.pid = a.pid and not l.granted

with recursive tree(pid, blocker, depth, path) as (select pid, null::int, 0, array[pid] from pg_stat_activity where cardinality(pg_blocking_pids(pid)) = 0 and pid in (select unnest(pg_blocking_pids(pid)) from pg_stat_activity) union all select a.pid, t.pid, t.depth + 1, t.path || a.pid from tree t join pg_stat_activity a on t.pid = any (pg_blocking_pids(a.pid)) where not a.pid = any (t.path) and t.depth < 10) select repeat('  ', depth) || pid::text as tree, blocker from tree order by path

with recursive chain as (select l.pid, l.locktype, l.relation::regclass as rel, 1 as lvl from pg_locks l where not l.granted union select b.pid, b.locktype, b.relation::regclass, c.lvl + 1 from chain c, pg_locks b where b.granted and b.relation = c.rel and b.pid <> c.pid and c.lvl < 5) search depth first by pid set ord cycle pid set looped using path select * from chain order by ord

select locktype, mode, granted, count(*) from pg_locks group by grouping sets ((locktype, mode, granted), (mode), ()) order by count(*) desc

select l.relation::regclass, l.mode, l.fastpath, a.query from pg_locks l join pg_stat_activity a using (pid) where l.relation is not null and l.mode ilike '%exclusive%' and a.pid != pg_backend_pid()

select coalesce(wait_event_type, 'CPU') as class, coalesce(wait_event, '-') as event, count(*) as sessions, array_agg(distinct datname) filter (where datname is not null) from pg_stat_activity group by 1, 2 having count(*) >= 1 order by 3 desc

select client_addr, application_name, state, sent_lsn, write_lsn, flush_lsn, replay_lsn, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) as lag_bytes, write_lag, flush_lag, replay_lag, sync_state from pg_stat_replication

select pg_is_in_recovery(), case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn, now() - pg_last_xact_replay_timestamp() as replay_delay

select slot_name, slot_type, active, restart_lsn, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as retained, wal_status, safe_wal_size, age(xmin) as xmin_age, age(catalog_xmin) as catalog_xmin_age from pg_replication_slots order by pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) desc nulls last

select slot_name, spill_txns, spill_count, pg_size_pretty(spill_bytes), stream_txns, total_bytes, stats_reset from pg_stat_replication_slots

select subname, pid, received_lsn, latest_end_lsn, latest_end_time, now() - last_msg_receipt_time as silent from pg_stat_subscription

select subname, apply_error_count, sync_error_count from pg_stat_subscription_stats where apply_error_count + sync_error_count > 0

select status, receive_start_lsn, written_lsn, flushed_lsn, received_tli, latest_end_lsn, slot_name, sender_host, sender_port from pg_stat_wal_receiver

select schemaname, relname, n_live_tup, n_dead_tup, round(100.0 * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1), 2) as dead_pct, last_vacuum, last_autovacuum, last_analyze, last_autoanalyze, vacuum_count, autovacuum_count from pg_stat_user_tables where n_dead_tup > 1000 order by n_dead_tup desc limit 20

select s.schemaname, s.relname, n_dead_tup, (coalesce((select split_part(o, '=', 2) from unnest(c.reloptions) o where o like 'autovacuum_vacuum_threshold=%'), current_setting('autovacuum_vacuum_threshold'))::bigint + coalesce((select split_part(o, '=', 2) from unnest(c.reloptions) as o where o like 'autovacuum_vacuum_scale_factor=%'), current_setting('autovacuum_vacuum_scale_factor'))::float8 * c.reltuples)::bigint as threshold from pg_stat_user_tables s join pg_class c on c.oid = s.relid

select datname, age(datfrozenxid) as xid_age, mxid_age(datminmxid) as mxid_age, round(100 * age(datfrozenxid) / 2147483647.0, 2) as pct_to_wraparound, round(100.0 * age(datfrozenxid) / current_setting('autovacuum_freeze_max_age')::bigint, 1) as pct_to_emergency from pg_database order by 2 desc

select c.oid::regclass, greatest(age(c.relfrozenxid), age(t.relfrozenxid)) as age, pg_size_pretty(pg_table_size(c.oid)) from pg_class c left join pg_class t on c.reltoastrelid = t.oid where c.relkind in ('r', 'm') order by 2 desc limit 25

select p.pid, p.datname, p.relid::regclass, p.phase, p.heap_blks_total, p.heap_blks_scanned, round(100.0 * p.heap_blks_scanned / nullif(p.heap_blks_total, 0), 1) as pct, p.index_vacuum_count, p.num_dead_tuples, a.query from pg_stat_progress_vacuum p join pg_stat_activity a using (pid)

select pid, phase, max_dead_tuple_bytes, dead_tuple_bytes, num_dead_item_ids, indexes_total, indexes_processed, delay_time from pg_stat_progress_vacuum

select pid, command, phase, blocks_done, blocks_total, tuples_done, tuples_total, lockers_done, lockers_total, current_locker_pid from pg_stat_progress_create_index

select pid, relid::regclass, phase, sample_blks_total, sample_blks_scanned from pg_stat_progress_analyze

select pid, command, phase, heap_tuples_scanned, heap_blks_total from pg_stat_progress_cluster

select pid, phase, pg_size_pretty(backup_total), pg_size_pretty(backup_streamed), tablespaces_streamed || '/' || tablespaces_total from pg_stat_progress_basebackup

select pid, relid::regclass, command, type, pg_size_pretty(bytes_processed), pg_size_pretty(nullif(bytes_total, 0)), tuples_processed, tuples_excluded, tuples_skipped from pg_stat_progress_copy

select checkpoints_timed, checkpoints_req, round(100.0 * checkpoints_req / nullif(checkpoints_timed + checkpoints_req, 0), 1) as req_pct, pg_size_pretty(buffers_checkpoint * current_setting('block_size')::bigint) as by_checkpoint, pg_size_pretty(buffers_backend * 8192) from pg_stat_bgwriter

select num_timed, num_requested, num_done, write_time, sync_time, buffers_written, slru_written, stats_reset from pg_stat_checkpointer

select backend_type, object, context, reads, read_time, writes, write_time, writebacks, extends, hits, evictions, reuses, fsyncs from pg_stat_io where coalesce(reads, 0) + coalesce(writes, 0) > 0 order by reads desc nulls last

select backend_type, context, read_bytes, pg_size_pretty(write_bytes), extend_bytes, round((hits / nullif(hits + reads, 0)::numeric) * 100, 2) as hit_pct from pg_stat_io where object = 'relation'

select wal_records, wal_fpi, pg_size_pretty(wal_bytes) as wal, wal_buffers_full, wal_write, wal_sync, wal_write_time, stats_reset from pg_stat_wal

select name, blks_zeroed, blks_hit, blks_read, blks_written, blks_exists, flushes, truncates from pg_stat_slru order by blks_read desc

select archived_count, last_archived_wal, last_archived_time, failed_count, last_failed_wal, last_failed_time, now() - last_archived_time as since from pg_stat_archiver

select prefetch, hit, skip_init, skip_new, skip_fpw, skip_rep, wal_distance, block_distance, io_depth from pg_stat_recovery_prefetch

select datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, temp_files, pg_size_pretty(temp_bytes), deadlocks, checksum_failures, sessions_abandoned, sessions_fatal, sessions_killed from pg_stat_database where datname is not null

select datname, confl_tablespace, confl_lock, confl_snapshot, confl_bufferpin, confl_deadlock from pg_stat_database_conflicts

select sum(blks_hit)::numeric / nullif(sum(blks_hit) + sum(blks_read), 0) as hit_ratio from pg_stat_database

select relname, heap_blks_read, heap_blks_hit, idx_blks_read, toast_blks_read, case when heap_blks_hit + heap_blks_read > 0 then round(heap_blks_hit::numeric / (heap_blks_hit + heap_blks_read), 4) end as ratio from pg_statio_user_tables order by heap_blks_read desc limit 15

select schemaname || '.' || relname as tbl, indexrelname, idx_scan, idx_tup_read, idx_tup_fetch, pg_size_pretty(pg_relation_size(indexrelid)) from pg_stat_user_indexes where idx_scan < 50 order by pg_relation_size(indexrelid) desc

select i.indexrelid::regclass, s.idx_scan, s.last_idx_scan from pg_stat_all_indexes s join pg_index i using (indexrelid) where not i.indisunique and s.idx_scan = 0 and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)

select indrelid::regclass as tbl, array_agg(indexrelid::regclass) as dup from pg_index group by indrelid, indkey::text, indclass::text, coalesce(pg_get_expr(indexprs, indrelid), ''), coalesce(pg_get_expr(indpred, indrelid), '') having count(*) > 1

select a.indexrelid::regclass as shorter, b.indexrelid::regclass as longer from pg_index a join pg_index b on a.indrelid = b.indrelid and a.indexrelid <> b.indexrelid and b.indkey::text like a.indkey::text || ' %' where a.indpred is null

select c.relname, i.indisvalid, i.indisready, i.indislive from pg_index i join pg_class c on c.oid = i.indexrelid where not (i.indisvalid and i.indisready and i.indislive)

select conrelid::regclass, conname, pg_get_constraintdef(oid) from pg_constraint c where contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)

select conrelid::regclass, conname, convalidated, contype from pg_constraint where not convalidated

select relname, seq_scan, seq_tup_read, idx_scan, seq_tup_read / nullif(seq_scan, 0) as avg_rows, last_seq_scan from pg_stat_user_tables where seq_scan > 0 order by seq_tup_read desc fetch first 10 rows only

select relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_newpage_upd, n_tup_del, round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0), 1) as hot_pct from pg_stat_all_tables order by n_tup_upd desc limit 10

select relid::regclass, total_vacuum_time, total_autovacuum_time, total_analyze_time from pg_stat_all_tables order by total_autovacuum_time desc nulls last limit 5

select queryid, calls, round(total_exec_time::numeric, 1) as total_ms, round(mean_exec_time::numeric, 3) as mean_ms, stddev_exec_time, rows, shared_blks_hit, shared_blks_read, temp_blks_written, wal_bytes, left(query, 200) from pg_stat_statements order by total_exec_time desc limit 20

select userid::regrole, dbid, queryid, toplevel, plans, total_plan_time, jit_functions, jit_generation_time, blk_read_time + blk_write_time as io_ms from pg_stat_statements where calls > 100

select sum(total_exec_time) over (order by total_exec_time desc rows between unbounded preceding and current row) / sum(total_exec_time) over () as cumulative, queryid from pg_stat_statements order by total_exec_time desc limit 50

select dealloc, stats_reset, now() - stats_reset as since from pg_stat_statements_info

select shared_blk_read_time, local_blk_write_time, temp_blk_read_time, stats_since, minmax_stats_since, parallel_workers_to_launch from pg_stat_statements limit 3

select name, setting, unit, source, sourcefile, sourceline, pending_restart from pg_settings where source not in ('default', 'override') order by name

select name, setting, boot_val, reset_val from pg_settings where setting is distinct from boot_val and context <> 'internal'

select name, case unit when '8kB' then pg_size_pretty(setting::bigint * 8192) when 'kB' then pg_size_pretty(setting::bigint * 1024) when 'MB' then pg_size_pretty(setting::bigint << 20) else setting || coalesce(unit, '') end as value from pg_settings where category ~ 'Memory|Resource' and vartype = 'integer'

select name, setting from pg_settings where name like 'wal%' or name ~ '^(checkpoint|archive|max_wal)'

select name, setting from pg_settings where pending_restart

show work_mem

show all

select current_setting('shared_buffers'), current_setting('effective_cache_size', true), pg_size_bytes(current_setting('shared_buffers')) / 1024 / 1024 as mb

select string_agg(name || ' = ' || quote_literal(setting), E'\n' order by name) from pg_settings where source = 'configuration file'

select setdatabase, d.datname, setrole::regrole, unnest(setconfig) as setting from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase

select datname, pg_size_pretty(pg_database_size(datname)) from pg_database where datallowconn order by pg_database_size(oid) desc

select n.nspname, c.relname, c.relkind, pg_size_pretty(pg_total_relation_size(c.oid)) as total, pg_size_pretty(pg_relation_size(c.oid, 'main')) as main, pg_size_pretty(pg_relation_size(c.oid, 'fsm')) as fsm, pg_size_pretty(pg_relation_size(c.oid, 'vm')) as vm, pg_size_pretty(pg_indexes_size(c.oid)) as idx, pg_size_pretty(pg_total_relation_size(c.reltoastrelid)) as toast from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = any ('{r,m,p}') and n.nspname not in ('pg_catalog', 'information_schema') order by pg_total_relation_size(c.oid) desc limit 30

select spcname, pg_size_pretty(pg_tablespace_size(oid)), pg_tablespace_location(oid), spcoptions from pg_tablespace

select schemaname, sum(pg_total_relation_size(quote_ident(schemaname) || '.' || quote_ident(tablename)))::bigint as bytes from pg_tables group by schemaname

select relname, reltuples::bigint, relpages, relallvisible, relallfrozen, round(100.0 * relallvisible / nullif(relpages, 0), 1) as vis_pct from pg_class where relkind = 'r' and relpages > 0 order by relpages desc limit 10

select schemaname, sequencename, last_value, max_value, increment_by, cycle, round(100.0 * last_value / max_value, 2) as used_pct from pg_sequences where last_value is not null order by 7 desc

select seqrelid::regclass, format_type(seqtypid, null), seqmax, pg_sequence_last_value(seqrelid) from pg_sequence

select d.refobjid::regclass as tbl, a.attname, d.objid::regclass as seq from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid where d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refclassid = 'pg_class'::regclass

select inhparent::regclass as parent, count(*) as partitions, sum(pg_total_relation_size(inhrelid)) as bytes from pg_inherits group by inhparent

select relid, parentrelid, isleaf, level from pg_partition_tree('app.events')

select c.oid::regclass, pg_get_expr(c.relpartbound, c.oid) as bound, pg_get_partkeydef(i.inhparent) from pg_class c join pg_inherits i on i.inhrelid = c.oid where c.relispartition

select pg_partition_root('app.events_2026_01'), array(select relid::regclass from pg_partition_ancestors('app.events_2026_01'))

select schemaname, funcname, calls, total_time, self_time, round((total_time / nullif(calls, 0))::numeric, 3) from pg_stat_user_functions order by self_time desc limit 10

select gid, prepared, owner, database, now() - prepared as age, transaction from pg_prepared_xacts order by prepared

select pubname, puballtables, pubinsert, pubupdate, pubdelete, pubviaroot from pg_publication

select * from pg_publication_tables order by pubname, schemaname, tablename

select oid, subname, subenabled, subslotname, subpublications, subsynccommit, substream, subtwophasestate, subdisableonerr from pg_subscription

select srrelid::regclass, srsubstate, srsublsn from pg_subscription_rel where srsubstate <> 'r'

select extname, extversion, nspname, default_version, extversion is distinct from default_version as outdated from pg_extension e join pg_namespace n on n.oid = e.extnamespace left join pg_available_extensions a on a.name = e.extname

select rolname, rolsuper, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil, rolvaliduntil < now() + interval '7 days' as expires_soon from pg_roles where rolcanlogin

select r.rolname, array(select b.rolname from pg_auth_members m join pg_roles b on m.roleid = b.oid where m.member = r.oid) as member_of from pg_roles r where r.rolname !~ '^pg_'

select grantee::regrole, privilege_type, is_grantable from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) where c.oid = 'app.orders'::regclass

select table_schema, table_name, column_name, data_type, is_nullable, column_default from information_schema.columns where table_schema = 'app' order by table_name, ordinal_position

select tc.constraint_name, kcu.column_name, ccu.table_name as foreign_table from information_schema.table_constraints tc join information_schema.key_column_usage kcu using (constraint_schema, constraint_name) join information_schema.constraint_column_usage ccu using (constraint_schema, constraint_name) where tc.constraint_type = 'FOREIGN KEY'

select grantee, table_name, string_agg(privilege_type, ',' order by privilege_type) from information_schema.role_table_grants group by 1, 2

select routine_schema, routine_name, data_type from information_schema.routines where routine_schema not in ('pg_catalog', 'information_schema')

select trigger_name, event_manipulation, event_object_table, action_timing from information_schema.triggers

select schema_name, schema_owner from information_schema.schemata

select tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid, true) from pg_trigger where not tgisinternal

select n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), prokind, provolatile, prosecdef, l.lanname from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang where n.nspname not like 'pg\_%' escape '\' and n.nspname <> 'information_schema'

select polrelid::regclass, polname, polcmd, pg_get_expr(polqual, polrelid) from pg_policy

select schemaname, tablename, policyname, permissive, roles, cmd, qual from pg_policies

select schemaname, viewname, viewowner, definition from pg_views where schemaname not in ('pg_catalog', 'information_schema')

select matviewname, ispopulated, hasindexes from pg_matviews

select tablename, attname, null_frac, avg_width, n_distinct, correlation from pg_stats where schemaname = 'app' and abs(correlation) < 0.3

select attrelid::regclass, attname, attstattarget, attoptions, attstorage, attcompression from pg_attribute where attnum > 0 and not attisdropped and (attstattarget >= 0 or attoptions is not null)

select stxname, stxrelid::regclass, stxkeys, stxkind, pg_get_statisticsobjdef(oid) from pg_statistic_ext

select datname, datcollate, datctype, datcollversion, pg_database_collation_actual_version(oid) as actual from pg_database where datcollversion is distinct from pg_database_collation_actual_version(oid)

select collname, collprovider, collversion, pg_collation_actual_version(oid) from pg_collation where collversion <> pg_collation_actual_version(oid)

select pid, ssl, version, cipher, bits, client_dn from pg_stat_ssl join pg_stat_activity using (pid) where ssl

select pid, gss_authenticated, encrypted from pg_stat_gssapi

select name, statement, prepare_time, parameter_types, from_sql, generic_plans, custom_plans from pg_prepared_statements

select name, is_holdable, is_binary, is_scrollable, creation_time from pg_cursors

select name, size, allocated_size from pg_shmem_allocations order by allocated_size desc limit 20

select name, pg_size_pretty(total_bytes), total_nblocks, free_bytes, used_bytes from pg_backend_memory_contexts order by total_bytes desc limit 10

select type, name, description from pg_wait_events where type = 'IO'

select pid, io_id, operation, state, off, length, target_desc from pg_aios

select pid, wait_event, count(*) from generate_series(1, 5) g, pg_stat_activity group by 1, 2

select pg_postmaster_start_time(), now() - pg_postmaster_start_time() as uptime, pg_conf_load_time(), version(), current_setting('server_version_num')::int / 10000 as major

select * from pg_control_checkpoint()

select checkpoint_lsn, redo_lsn, timeline_id, next_xid, oldest_xid, oldest_multi_xid, checkpoint_time, now() - checkpoint_time as since from pg_control_checkpoint()

select system_identifier, pg_control_version, catalog_version_no, pg_control_last_modified from pg_control_system()

select max_connections_setting, max_worker_processes_setting, wal_level_setting from (select max_connections as max_connections_setting, max_worker_processes as max_worker_processes_setting, wal_level as wal_level_setting from pg_control_recovery() as r(max_connections, max_worker_processes, wal_level)) s

select count(*) as files, pg_size_pretty(sum(size)) as total, min(modification), max(modification) from pg_ls_waldir()

select count(*) from pg_ls_archive_statusdir() where name like '%.ready'

select name, pg_size_pretty(size), modification from pg_ls_logdir() order by modification desc limit 5

select pg_walfile_name(pg_current_wal_lsn()), (pg_walfile_name_offset(pg_current_wal_lsn())).*

select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes_since_start

select pg_current_snapshot(), pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot())

select max(age(backend_xmin)) as oldest_xmin, max(age(backend_xid)) from pg_stat_activity

select 'slot' as holder, slot_name::text as who, age(xmin) from pg_replication_slots where xmin is not null union all select 'backend', pid::text, age(backend_xmin) from pg_stat_activity where backend_xmin is not null union all select 'prepared', gid, age(transaction) from pg_prepared_xacts union all select 'standby', application_name, age(backend_xmin) from pg_stat_replication order by 3 desc nulls last limit 10

select usename, count(*) over (partition by usename) as by_user, rank() over (order by backend_start), lag(query_start) over w, first_value(state) over w, ntile(4) over w from pg_stat_activity window w as (partition by usename order by backend_start)

select date_trunc('hour', backend_start) as h, count(*), percentile_disc(0.5) within group (order by now() - backend_start) as median_age, mode() within group (order by state) from pg_stat_activity group by 1

select percentile_cont(array[0.5, 0.95, 0.99]) within group (order by extract(epoch from now() - xact_start)) from pg_stat_activity where xact_start is not null

select width_bucket(extract(epoch from now() - query_start), 0, 60, 6) as bucket, count(*), numrange(min(extract(epoch from now() - query_start)), max(extract(epoch from now() - query_start)), '[]') from pg_stat_activity group by 1 order by 1

select to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.MSOF'), to_char(1234567.891, 'FM9,999,999.00'), to_char(interval '90 minutes', 'HH24:MI')

select jsonb_build_object('pid', pid, 'state', state, 'age_s', extract(epoch from now() - query_start)) from pg_stat_activity

select jsonb_agg(to_jsonb(t) - 'query') from (select pid, query, state from pg_stat_activity limit 5) t

select row_to_json(d) from pg_stat_database d where datname = current_database()

select json_object_agg(name, setting) from pg_settings where name in ('work_mem', 'shared_buffers')

select key, value from jsonb_each_text((select to_jsonb(b) from pg_stat_bgwriter b))

select k, v from pg_stat_database d cross join lateral jsonb_each(to_jsonb(d)) as e(k, v) where d.datname = current_database() and jsonb_typeof(v) = 'number'

select ord, opt from pg_class c, unnest(c.reloptions) with ordinality as o(opt, ord) where c.relname = 'orders'

select (regexp_matches(query, 'from\s+([a-z_.]+)', 'gi'))[1] as tbl, count(*) from pg_stat_activity group by 1

select regexp_count(query, 'join', 1, 'i'), regexp_substr(query, '^\w+'), regexp_instr(query, 'where') from pg_stat_activity

select string_to_array(current_setting('shared_preload_libraries'), ','), unnest(string_to_array(current_setting('search_path'), ', '))

select format('%s.%I (%L)', n.nspname, c.relname, c.relkind) from pg_class c join pg_namespace n on c.relnamespace = n.oid limit 5

select pg_describe_object(classid, objid, objsubid), deptype from pg_depend where refobjid = 'app.orders'::regclass

select (pg_identify_object(classid, objid, objsubid)).* from pg_depend where refobjid = 'app.orders'::regclass limit 5

select obj_description('app.orders'::regclass, 'pg_class'), col_description('app.orders'::regclass, 1), shobj_description(oid, 'pg_database') from pg_database

select attname, format_type(atttypid, atttypmod), pg_get_expr(d.adbin, d.adrelid) from pg_attribute a left join pg_attrdef d on (a.attrelid, a.attnum) = (d.adrelid, d.adnum) where attrelid = to_regclass('app.orders') and attnum > 0

select relname from pg_class where oid = any (array['pg_class'::regclass, 'pg_proc'::regclass]::oid[])

select has_table_privilege('interlock_diag', 'app.orders', 'select'), has_database_privilege(current_database(), 'connect'), pg_has_role('pg_monitor', 'usage')

select t.typname, e.enumlabel, e.enumsortorder from pg_enum e join pg_type t on t.oid = e.enumtypid order by 1, 3

select explain.* from (values (1, 'a'), (2, 'b')) as explain(id, label)

values (current_database(), current_user, inet_server_addr(), inet_server_port())

table pg_stat_database

explain select * from app.orders where id = 1

explain (verbose, costs off, format yaml) select count(*) from app.orders o join app.customers c on c.id = o.customer_id where o.created_at > now() - interval '1 day'

explain (generic_plan) select * from app.orders where id = $1

explain (analyze false, buffers, settings, wal off, summary, memory) select 1

select count(*) from (select distinct client_addr from pg_stat_activity)

select * from (values (1, 'a'), (2, 'b'))

select datname, n from (select datname, count(*) as n from pg_stat_activity group by datname) where n > 1_0

select pg_size_pretty(1_073_741_824::bigint), 0x1F, 0b1010, 0o777, 1_000.5, 1e1_0

select relname from pg_class where pg_relation_size(oid) > 0x100000

select any_value(state), datname from pg_stat_activity group by datname

select system_user, current_user, session_user, current_role, current_catalog, current_schema

select now() at time zone 'UTC', now() at local, timezone('Europe/Zurich', now())

select json_object('pid': pid, 'state': state) from pg_stat_activity

select json_object('pid' value pid, 'state' value state returning jsonb) from pg_stat_activity

select json_arrayagg(relname order by relname) from pg_class

select json_objectagg(relname : relpages) from pg_class

select json_query(payload, '$.items') from app.events

select json_exists(payload, '$.x') from app.events

select json_scalar(1), json('{}'), json_serialize('{}')

select array_sample(array[1, 2, 3], 2), array_shuffle(array[1, 2]), array_sort(array[3, 1]), array_reverse(array[1, 2])

select random(1, 10), random_normal(), erf(1.0), gamma(5), lgamma(5), crc32('a'::bytea), casefold('A'), reverse('abc'::bytea)

select to_bin(10), to_oct(8), to_hex(255), unicode_assigned('a'), uuidv7(), uuid_extract_timestamp(gen_random_uuid())

select date_add(now(), interval '1 day', 'UTC'), date_subtract(now(), interval '1 day'), date_bin('15 minutes', now(), '2001-01-01'), date_trunc('day', now(), 'UTC')

select pg_get_acl('pg_class'::regclass, 1259, 0), pg_basetype('pg_catalog.int4'::regtype), to_regtypemod('varchar(10)')

select has_parameter_privilege('work_mem', 'set'), pg_settings_get_flags('work_mem'), pg_stat_have_stats('database', 1, 0)

select * from pg_stat_get_backend_io(pg_backend_pid())

select * from pg_stat_get_backend_wal(pg_backend_pid())

select inherited, invalidation_reason, inactive_since, two_phase, failover, synced from pg_replication_slots

select t.relname, l.waitstart from pg_locks l join pg_class t on t.oid = l.relation where waitstart < now() - interval '5 s'

select * from pg_available_wal_summaries(), pg_get_wal_summarizer_state()

select pg_xact_commit_timestamp(xmin) from app.orders limit 1

select * from pgstattuple('app.orders')

select * from pgstattuple_approx('app.orders'::regclass)

select * from pgstatindex('app.orders_pkey')

select leaf_fragmentation, avg_leaf_density from pgstatindex('app.orders_pkey'::regclass)

select c.relname, count(*) * 8192 as bytes from pg_buffercache b join pg_class c on b.relfilenode = pg_relation_filenode(c.oid) and b.reldatabase in (0, (select oid from pg_database where datname = current_database())) group by 1 order by 2 desc limit 10

select * from pg_buffercache_summary()

select * from pg_buffercache_usage_counts()

select usagecount, count(*), count(*) filter (where isdirty) from pg_buffercache group by 1

select * from pg_visibility_map_summary('app.orders')

select blkno, all_visible, all_frozen from pg_visibility_map('app.orders') where not all_visible limit 5

select count(*), avg(avail) from pg_freespace('app.orders')

select * from pg_check_frozen('app.orders')

select locked_row, locker, multi, xids, modes, pids from pgrowlocks('app.orders')

select event_type, event, sum(count) from pg_wait_sampling_profile group by 1, 2 order by 3 desc

select * from pg_wait_sampling_current

select * from pg_stat_kcache order by exec_user_time desc limit 5

select query, reads, writes, exec_user_time from pg_stat_kcache_detail

select * from hypopg_list_indexes

select hypopg_list_indexes.index_name from hypopg_list_indexes

select * from hypopg()

select bucket, query, calls, total_exec_time from pg_stat_monitor

select relation, attnum, occurences from pg_qualstats limit 5

select * from cron.job_run_details order by start_time desc limit 5

select hypertable_name, num_chunks from timescaledb_information.hypertables

with w as materialized (select now() as t), l as not materialized (select * from pg_locks) select w.t, l.* from w, l

with constants as (select current_setting('block_size')::numeric as bs, 23 as hdr, 8 as ma), t as (select oid, relpages from pg_class) select t.oid::regclass, t.relpages * bs from t, constants

with c as (select current_setting('block_size')::int bs), h as (select 24 as h), m as (select 8 as ma), x as (select count(*) n from pg_class) select * from c, h, m, x, pg_stat_bgwriter b, pg_stat_archiver a, pg_stat_database d where d.datname = current_database()

select s.n, pg_stat_get_backend_pid(s.backendid) as pid, pg_stat_get_backend_activity(s.backendid) from (select backendid, 1 as n from pg_stat_get_backend_idset() as backendid) s

select pg_stat_get_live_tuples(c.oid), pg_stat_get_dead_tuples(c.oid), pg_stat_get_blocks_fetched(c.oid) from pg_class c where relkind = 'r'

select d.datname, r.rolname from pg_database d cross join pg_roles r where has_database_privilege(r.oid, d.oid, 'connect') and r.rolcanlogin

select n.nspname, r.rolname, has_schema_privilege(r.rolname, n.nspname, 'create') from pg_namespace n, pg_roles r where r.rolcanlogin and n.nspname = 'public'

select a.name, a.setting as primary_value, b.setting from pg_settings a join pg_settings b on a.name = b.name where a.unit is not null

select (select setting from pg_settings where name = 'max_connections')::int - (select count(*) from pg_stat_activity) - (select setting::int from pg_settings where name = 'superuser_reserved_connections') as free

select m.max, u.used, s.res, m.max - u.used - s.res as free from (select setting::int max from pg_settings where name = 'max_connections') m, (select count(*) used from pg_stat_activity) u, (select setting::int res from pg_settings where name = 'superuser_reserved_connections') s, (select 1) k

select mc.setting, sb.setting, wm.setting, mw.setting from pg_settings mc, pg_settings sb, pg_settings wm, pg_settings mw where mc.name = 'max_connections' and sb.name = 'shared_buffers' and wm.name = 'work_mem' and mw.name = 'maintenance_work_mem'

select 'x' from pg_class c, pg_namespace n, pg_am a, pg_roles r where n.oid = c.relnamespace and a.oid = c.relam and r.oid = c.relowner

select nspname, relname, conname from pg_class, pg_namespace, pg_constraint where relnamespace = pg_namespace.oid and conrelid = pg_class.oid

select relname, attname, typname from pg_class, pg_attribute, pg_type where attrelid = pg_class.oid and atttypid = pg_type.oid and attnum > 0

select nspname, relname, attname from pg_namespace n, pg_class c, pg_attribute a where relnamespace = n.oid and attrelid = c.oid

select pg_size_pretty(sum(pg_database_size(oid))) from pg_database

select now() - interval '1 hour' * 24, interval '1 day' / 2, justify_interval(interval '36 hours'), make_interval(hours => 3)

select g.day::date, count(o.id) from generate_series(current_date - 7, current_date, interval '1 day') g(day) left join app.orders o on o.created_at >= g.day and o.created_at < g.day + interval '1 day' group by 1 order by 1

select h, count(a.pid) from generate_series(now() - interval '24 hours', now(), '1 hour') h left join pg_stat_activity a on a.backend_start between h and h + interval '1 hour' group by h

select ts, lead(ts) over (order by ts) - ts from generate_series(timestamptz '2026-01-01', timestamptz '2026-01-02', interval '5 min') ts

select generate_subscripts(indkey, 1) from pg_index limit 3

select i, indkey[i] from pg_index, generate_series(0, indnatts - 1) i

select attname from pg_index ix, generate_series(0, current_setting('max_index_keys')::int - 1) as k, pg_attribute a where a.attrelid = ix.indrelid and a.attnum = ix.indkey[k]

select c.relname, pg_stat_get_numscans(c.oid), pg_stat_get_tuples_returned(c.oid) from pg_class c order by 2 desc limit 5

select case when current_setting('server_version_num')::int >= 140000 then 'new' else 'old' end

select not pg_is_in_recovery() as primary, pg_is_wal_replay_paused() from (select 1) x where pg_is_in_recovery()

select extract(epoch from (now() - pg_last_xact_replay_timestamp()))::int as seconds

select coalesce(round(extract(epoch from max(now() - xact_start))::numeric), 0) from pg_stat_activity where state in ('idle in transaction', 'active') and pid <> pg_backend_pid()

select count(*) from pg_stat_activity where wait_event_type = 'Lock' and now() - state_change > interval '30 seconds'

select coalesce(sum(case when mode = 'AccessExclusiveLock' then 1 else 0 end), 0) as ael from pg_locks

select unnest(array['a', 'b']) as k, unnest(array[1, 2]) as v

select * from unnest(array['a', 'b'], array[1, 2]) with ordinality as t(k, v, n)

select * from rows from (unnest(array[1, 2]), generate_series(10, 12)) as t(a, b)

select string_agg(distinct usename::text, ', ' order by usename::text) from pg_stat_activity

select array_agg(pid order by query_start desc nulls last) from pg_stat_activity

select bool_or(granted), bool_and(granted), every(fastpath), bit_or(1) from pg_locks

select corr(idx_scan, seq_scan), regr_slope(n_dead_tup, n_live_tup), stddev_samp(n_dead_tup), variance(n_live_tup) from pg_stat_user_tables

select md5(query), length(query), octet_length(query), hashtext(query) from pg_stat_activity

select substring(query from 'from ([a-z_]+)'), substring(query for 20), overlay('abc' placing 'x' from 2), position('a' in 'bab'), trim(both ' ' from ' x '), initcap('a b'), translate('abc', 'ab', 'xy') from pg_stat_activity

select lower(left(query, 6)) as verb, count(*) from pg_stat_statements group by 1 order by 2 desc

select 'a' ~ '^[a-z]{1,3}$', 'abc' similar to '%(b|d)%', 'abc' like 'a_c' escape '!', 'A' ilike 'a', 'a' !~* 'B'

select inet '10.0.0.1' << inet '10.0.0.0/8', host(client_addr), masklen(client_addr), family(client_addr) from pg_stat_activity where client_addr is not null

select int4range(1, 5) @> 3, daterange(current_date, null) && daterange('2026-01-01', '2026-02-01'), tstzrange(now(), now() + interval '1 h', '[)')

select '{"a": {"b": 1}}'::jsonb #>> '{a,b}', '{"a": 1}'::jsonb @> '{"a": 1}', jsonb_path_query('{"a":[1,2]}', '$.a[*] ? (@ > 1)'), ('{"x": [1]}'::jsonb)['x'][0]

select row(1, 2) < row(1, 3), (1, 2) = (1, 2), row(1, null) is not null, (select 1, 2) = (1, 2)

select case when true then 1 else 2 end, nullif(1, 2), greatest(1, 2, 3), least(1, 2), coalesce(null, 1), 1 is distinct from 2, true is not unknown

select cast('1' as integer), '1'::int8, int4 '5', date '2026-01-01', timestamp 'now', interval '1' day, b'101', x'ff', e'\t', u&'\0041', $$text$$, $t$x$t$

select 5 / 2, 5 % 2, 5 & 3, 5 | 3, 5 # 3, ~5, 5 << 2, 5 >> 1, |/ 25.0, ||/ 27.0, @ -5, 2 ^ 3

select 'pg_class'::regclass::oid, 'now'::regproc, 'sum(int4)'::regprocedure, 'postgres'::regrole, 'int4'::regtype, 'pg_catalog'::regnamespace, '+(int4,int4)'::regoperator, 'english'::regconfig

select oid, * from pg_type where typtype = 'e' and typname collate "C" > 'a' order by typname collate "default" using <

select tableoid::regclass, ctid, xmin, xmax, cmin, cmax from app.orders limit 1

select (ctid::text::point)[0]::bigint as block, count(*) from app.orders group by 1 limit 10

select count(*) from app.orders tablesample system (1) repeatable (42)

select count(*) from app.orders tablesample bernoulli (0.5)

select distinct on (datname) datname, pid, query_start from pg_stat_activity order by datname, query_start desc

select pid from pg_stat_activity except select pid from pg_locks intersect all select pid from pg_stat_ssl order by 1 limit 5 offset 1

select relname from pg_class order by relpages desc fetch first 5 rows with ties

select grouping(datname, usename), datname, usename, count(*) from pg_stat_activity group by cube (datname, usename) having count(*) > 1

select sum(n_dead_tup) over (order by relname groups between 1 preceding and 1 following exclude ties) from pg_stat_user_tables

select * from pg_stat_activity a natural join pg_stat_ssl s

select * from pg_class c left join lateral (select count(*) from pg_attribute a where a.attrelid = c.oid and attnum > 0) x(n) on true limit 5

select exists (select from pg_stat_replication), not exists (select 1 from pg_replication_slots where not active), 1 in (select 1), array(select pid from pg_stat_activity)

select q.*, pg_size_pretty(q.b) from (select oid::regclass as t, pg_relation_size(oid) as b from pg_class where relkind = 'r') as q where q.b > (select avg(pg_relation_size(oid)) from pg_class where relkind = 'r')

select power(1024, 3), exp(1), ln(10), log(2, 8), sqrt(2), round(1.005, 2), trunc(1.9), ceil(1.1), floor(1.9), sign(-1), mod(5, 2), gcd(4, 6), pi()

select rpad(relname, 30, '.') || lpad(relpages::text, 10) from pg_class limit 5

select repeat('#', least(50, (pg_relation_size(oid) / 8192)::int)) from pg_class limit 5

select repeat('=', (100 * blks_hit / nullif(blks_hit + blks_read, 0))::int / 2) from pg_stat_database

select pg_typeof(now()), pg_column_size(query), pg_collation_for('a') from pg_stat_activity limit 1

select pg_encoding_to_char(encoding), datistemplate, datallowconn, datconnlimit from pg_database

select amname, amtype from pg_am

select castsource::regtype, casttarget::regtype, castcontext from pg_cast limit 5

select evtname, evtevent, evtenabled from pg_event_trigger

select srvname, srvtype, srvversion from pg_foreign_server

select ftrelid::regclass, ftserver from pg_foreign_table

select fdwname from pg_foreign_data_wrapper

select lanname, lanpltrusted from pg_language

select count(*) from pg_largeobject_metadata

select roident, roname from pg_replication_origin

select local_id, external_id, remote_lsn from pg_replication_origin_status

select * from pg_timezone_names where name like 'Europe/%' limit 3

select word, catcode from pg_get_keywords() where catcode = 'R' limit 3

select * from pg_seclabels limit 1

select * from pg_rules where schemaname = 'app'

select * from pg_user

select * from pg_group

select * from pg_config

select * from pg_stat_xact_user_tables

select * from pg_stat_sys_indexes limit 1

select * from pg_statio_all_sequences

select * from pg_stats_ext

select * from pg_stats_ext_exprs

select * from pg_tables where tablespace is not null

select * from pg_indexes where indexdef ilike '%gin%'

select * from pg_init_privs limit 1

select * from pg_default_acl

select * from pg_ts_config

select "pid", "query" from "pg_catalog"."pg_stat_activity" where "state" = 'active'

SELECT PG_SIZE_PRETTY(PG_TOTAL_RELATION_SIZE('app.orders'))

select 1 /* application: grafana */ + 1 -- trailing

(select 1) union (select 2) order by 1

select pg_catalog.count(*) from pg_catalog.pg_class where relname operator(pg_catalog.~) '^pg_' collate pg_catalog.default

select a.attname from pg_attribute a where a.attrelid = 'app.orders'::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped

select $1::int + 1

select conname, array_agg(attname order by u.ord) from pg_constraint c cross join lateral unnest(c.conkey) with ordinality as u(attnum, ord) join pg_attribute a on a.attrelid = c.conrelid and a.attnum = u.attnum group by conname

select s.*, round((s.idx_bytes / nullif(s.tbl_bytes, 0)::numeric), 2) as ratio from (select relid::regclass, pg_indexes_size(relid) idx_bytes, pg_table_size(relid) tbl_bytes from pg_stat_user_tables) s where s.tbl_bytes > 1024 * 1024 * 100 order by ratio desc nulls last

select count(*) * 100.0 / sum(count(*)) over () as pct, state from pg_stat_activity group by state

select l1.pid as waiter, l2.pid as holder, l1.locktype from pg_locks l1 join pg_locks l2 on (l1.locktype, l1.database, l1.relation, l1.transactionid) is not distinct from (l2.locktype, l2.database, l2.relation, l2.transactionid) and l1.pid <> l2.pid where not l1.granted and l2.granted

select name, setting from pg_settings where name like 'wal%'

select name, left(setting, 60) as setting, left(short_desc, 80) from pg_settings order by name

select name, substr(setting, 1, 40) from pg_settings

select split_part(name, '_', 1) as family, count(*) from pg_settings group by 1

select regexp_replace(category, ' /.*', '') as category, count(*) from pg_settings group by 1

select string_to_array(setting, ',') from pg_settings where name = 'shared_preload_libraries'

select trim(unnest(string_to_array(setting, ','))) as library from pg_settings where name in ('shared_preload_libraries', 'session_preload_libraries')

select replace(setting, '"', '') from pg_settings where name = 'search_path'

select name, setting || coalesce(' ' || unit, '') as value, source from pg_settings where source <> 'default'

select name, setting, boot_val from pg_settings where setting <> boot_val and name <> 'primary_conninfo'

select name, reverse(setting) from pg_settings where name not in ('primary_conninfo', 'ssl_passphrase_command')

select string_agg(name || '=' || setting, ', ' order by name) from pg_settings where name ~ 'autovacuum'

select name, current_setting(name) from pg_settings where context = 'user' limit 10

select n, current_setting(n) from unnest(array['work_mem', 'maintenance_work_mem', 'shared_buffers']) n

select jsonb_object_agg(name, setting) from pg_settings where name = any (array['fsync', 'wal_level'])

with s as (select name, setting from pg_settings where name in ('max_connections', 'superuser_reserved_connections')) select sum(setting::int) filter (where name = 'max_connections') from s

select upper(setting), length(setting), quote_literal(setting) from pg_settings

select md5(string_agg(name, ',' order by name)) from pg_settings

select current_setting('work_mem'), pg_size_bytes(current_setting('shared_buffers'))

select a.query, left(a.query, 40), s.setting from pg_stat_activity a cross join pg_settings s where s.name = 'max_connections'

select coalesce(nullif(current_setting('app.request_id', true), ''), '-')

select setting ~ '^\d+$' as numeric, count(*) from pg_settings group by 1

select * from pg_settings where name = lower('WORK_MEM')

SELECT gs FROM generate_series(now() - interval '10 seconds', now(), interval '100 milliseconds') gs

SELECT * FROM app.t WHERE hash ~ '^[0-9a-f]{128}$' OR key ~ '^[a-z]{100}[0-9]{200}$'

SELECT regexp_replace(query, '(.{100}).{200,}', '\1...') FROM pg_stat_activity

SELECT repeat('#', ceil(random()*10)::int)

SELECT c.*, p.*, t.* FROM app.company c, app.plan p, app.tariff t LIMIT 1

select d.day::date, c.country, coalesce(sum(o.total), 0) from generate_series(current_date - 30, current_date, interval '1 day') as d(day) cross join (select distinct country from app.customers) c left join app.customers cu on cu.country = c.country left join app.orders o on o.customer_id = cu.id and o.created_at >= d.day and o.created_at < d.day + interval '1 day' group by 1, 2

select h.hour, count(l.id) from generate_series(0, 23) as h(hour) left join app.events l on extract(hour from l.created_at) = h.hour group by 1

with t as (select count(*) as total from app.orders), s as (select status, count(*) as n from app.orders group by status) select s.status, s.n, round(100.0 * s.n / t.total, 1) from s, t

with a as (select * from pg_stat_activity), l as (select * from pg_locks), c as (select oid, relname from pg_class) select a.pid, l.mode, c.relname from a join l on l.pid = a.pid join c on c.oid = l.relation

select a.pid, c.relname, n.nspname, l.mode from pg_locks l, pg_stat_activity a, pg_class c, pg_namespace n where l.pid = a.pid and l.relation = c.oid and c.relnamespace = n.oid

select n.nspname, t.relname, a.attname from pg_catalog.pg_namespace n inner join pg_catalog.pg_class t on t.relnamespace = n.oid inner join pg_catalog.pg_attribute a on a.attrelid = t.oid where n.nspname = 'app'

select t.relname, i.relname, a.attname from pg_class t, pg_class i, pg_index ix, pg_attribute a where t.oid = ix.indrelid and i.oid = ix.indexrelid and a.attrelid = t.oid and a.attnum = any(ix.indkey) and t.relkind = 'r' order by 1, 2

select a.attname, t.typname, d.adsrc from pg_class c, pg_type t, pg_attribute a left join (select adrelid, adnum, pg_get_expr(adbin, adrelid) as adsrc from pg_attrdef) d on d.adrelid = a.attrelid and d.adnum = a.attnum where c.oid = a.attrelid and t.oid = a.atttypid and c.relname = 'orders'

select bl.pid, a.usename, kl.pid, ka.usename from pg_catalog.pg_locks bl join pg_catalog.pg_stat_activity a on bl.pid = a.pid join pg_catalog.pg_locks kl join pg_catalog.pg_stat_activity ka on kl.pid = ka.pid on bl.transactionid = kl.transactionid and bl.pid != kl.pid where not bl.granted

select s.schemaname, s.relname, pg_size_pretty(pg_relation_size(s.relid)), x.ratio from pg_stat_user_tables s, lateral (select round(100.0 * n_dead_tup / nullif(n_live_tup, 0), 1) as ratio from pg_stat_user_tables u where u.relid = s.relid) x

select * from pg_stat_database d, pg_stat_bgwriter b, pg_stat_archiver a, pg_stat_wal w where d.datname = current_database()

select c.relname, s.n_live_tup, i.indexrelname, st.calls from pg_class c left join pg_stat_user_tables s on s.relid = c.oid left join pg_stat_user_indexes i on i.relid = c.oid left join pg_stat_statements st on st.query ilike '%' || c.relname || '%' where c.relkind = 'r'

select p.name, p.setting, d.datname, r.rolname from pg_settings p, pg_database d, pg_roles r where p.name = 'work_mem' and d.datname = current_database() and r.rolname = current_user

select r1.rolname, r2.rolname from pg_auth_members m join pg_roles r1 on r1.oid = m.member join pg_roles r2 on r2.oid = m.roleid

with recursive parts as (select c.oid, c.oid as root, 0 as lvl from pg_class c where relkind = 'p' union all select i.inhrelid, p.root, p.lvl + 1 from parts p join pg_inherits i on i.inhparent = p.oid) select root::regclass, count(*), sum(pg_relation_size(oid)) from parts group by 1

with recursive fk as (select conrelid, confrelid, 1 as depth, array[conrelid] as path from pg_constraint where contype = 'f' union all select c.conrelid, c.confrelid, fk.depth + 1, fk.path || c.conrelid from fk, pg_constraint c where c.conrelid = fk.confrelid and c.contype = 'f' and not c.conrelid = any(fk.path)) select * from fk

with recursive dep as (select objid, refobjid, 1 as d from pg_depend where refobjid = 'app.orders'::regclass union select d.objid, d.refobjid, dep.d + 1 from pg_depend d join dep on d.refobjid = dep.objid where dep.d < 4) select distinct objid::regclass from dep

with recursive months(m) as (select date '2026-01-01' union all select (m + interval '1 month')::date from months where m < date '2026-12-01') select m, count(o.id) from months left join app.orders o on date_trunc('month', o.created_at) = m group by 1

with recursive split(part, rest, n) as (select '', current_setting('search_path') || ',', 0 union all select substr(rest, 1, strpos(rest, ',') - 1), substr(rest, strpos(rest, ',') + 1), n + 1 from split where rest <> '' and n < 20) select part from split where n > 0

with recursive b as (select pid, pg_blocking_pids(pid) as by, 0 as l from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0 union all select a.pid, pg_blocking_pids(a.pid), b.l + 1 from b cross join lateral unnest(b.by) as x(pid) join pg_stat_activity a on a.pid = x.pid where b.l < 6) select * from b

with recursive r as (select 1 as n, 'a'::text as s union all select n + 1, s || '.' || n::text from r where n < 10) select * from r

select x.*, y.* from (select count(*) from pg_stat_activity) x, (select count(*) from pg_locks) y, (select count(*) from pg_prepared_xacts) z, (select max(age(datfrozenxid)) from pg_database) w

select (select count(*) from pg_stat_activity), (select count(*) from pg_locks where not granted), (select max(now() - xact_start) from pg_stat_activity), (select count(*) from pg_replication_slots where not active)

select name, lead(name) over (order by name), setting from pg_settings order by 1

select json_build_object('activity', (select json_agg(a) from pg_stat_activity a), 'locks', (select json_agg(l) from pg_locks l), 'settings', (select json_object_agg(name, setting) from pg_settings where name in ('work_mem')))

select array(select relname from pg_class where relkind = 'r' order by relpages desc limit 10)

select string_agg(format('%s=%s', name, setting), '; ') from pg_settings where name in ('fsync', 'full_page_writes')

select replace(replace(query, E'\n', ' '), E'\t', ' ') as q, translate(query, E'\r\n', '  ') from pg_stat_activity

select regexp_replace(regexp_replace(query, '''[^'']*''', '?', 'g'), '\d+', '?', 'g'), count(*) from pg_stat_activity group by 1

select query ~ '^\s*(with|select)\M', query ~* '(\w+)\s+\1' from pg_stat_activity

select (regexp_match(pg_get_indexdef(indexrelid), 'USING (\w+)'))[1] as am, count(*) from pg_index group by 1

select a.name, a.setting, b.setting from pg_settings a, pg_settings b where a.name = 'autovacuum_max_workers' and b.name = 'autovacuum_naptime'

select c.oid::regclass, o.option_name, o.option_value from pg_class c cross join lateral pg_options_to_table(c.reloptions) o

select c.relname, u.ord, u.attnum from pg_index i join pg_class c on c.oid = i.indexrelid cross join lateral unnest(i.indkey::int2[]) with ordinality u(attnum, ord)

select s.sid, q.q from (values (1), (2), (3)) s(sid) cross join (values ('a'), ('b')) q(q)

select m.*, k.* from generate_series(1, 12) m, generate_series(1, m) k

select to_char(d, 'Mon') from generate_series(timestamp '2026-01-01', timestamp '2026-12-01', '1 month') d

select ts, count(*) from generate_series(date_trunc('minute', now() - interval '6 hours'), date_trunc('minute', now()), interval '1 minute') ts left join app.events e on e.created_at >= ts and e.created_at < ts + interval '1 minute' group by ts

select pid, age(clock_timestamp(), query_start), usename, query from pg_stat_activity where query != '<IDLE>' and query not ilike '%pg_stat_activity%' order by query_start desc

select relname, age(relfrozenxid) as xid_age, pg_size_pretty(pg_table_size(oid)) as table_size from pg_class where relkind = 'r' and pg_table_size(oid) > 1073741824 order by age(relfrozenxid) desc limit 20

select 2 ^ 31 - max(age(datfrozenxid)) as left_xids, power(2, 31)::bigint from pg_database

select pg_size_pretty(pg_relation_size(oid) / (1024 * 1024) * power(1024, 2)::bigint) from pg_class limit 1

select repeat(' ', 2 * level) || name from (values (0, 'a'), (1, 'b')) t(level, name)

select array_fill(0, array[3]), factorial(5), factorial(20);

select id from app.logs where message ~ (select '(' || string_agg(name, '|') || ')' from app.categories);

select upper(x), repeat(x, 3) from (select repeat('ab', 20) x) q;

select json_agg(t) from (select g.m, count(e.id) from generate_series(now() - interval '24 hours', now(), '1 hour') g(m) left join app.events e on date_trunc('hour', e.occurred_at) = g.m group by g.m) t;

select jsonb_pretty(jsonb_agg(to_jsonb(s))) from (select relname, relpages from pg_class limit 20) s;

select datname from pg_database where datname ~ ('^' || lower(current_user) || '.{2}');

select lpad('', 4 * depth, ' ') || node from app.tree

select rpad(name, (select max(length(name)) from pg_settings)) || setting from pg_settings

select * from pg_stat_activity where backend_start > now() - '00:10:00'::interval

select * from crosscheck.t where a between symmetric 5 and 1

select n, sum(n) over (rows unbounded preceding) from generate_series(1, 10000) n

select avg(x) from generate_series(1, 100000) x

select * from (table pg_stat_archiver) a, (table pg_stat_wal) w

select l.*, a.* from pg_locks l full outer join pg_stat_activity a on a.pid = l.pid

select c1.relname, c2.relname from pg_class c1 inner join pg_class c2 on c1.reltoastrelid = c2.oid inner join pg_index x on x.indrelid = c2.oid inner join pg_class c3 on c3.oid = x.indexrelid

select q.queryid, q.calls, d.datname, u.rolname from pg_stat_statements q, pg_database d, pg_roles u where q.dbid = d.oid and q.userid = u.oid order by q.total_exec_time desc limit 10

select nsp.nspname, cls.relname, count(*) from pg_buffercache buf, pg_class cls, pg_namespace nsp where buf.relfilenode = pg_relation_filenode(cls.oid) and nsp.oid = cls.relnamespace and buf.reldatabase = (select oid from pg_database where datname = current_database()) group by 1, 2

select relname, relpages from pg_class, (select setting::int as bs from pg_settings where name = 'block_size') b, pg_namespace n where relnamespace = n.oid and relpages * bs > 100000

select pid, datname, query from pg_stat_activity join pg_database using (datname) join pg_roles on usename = rolname

select i.relname as idx, tab.relname as tab, am.amname from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class tab on tab.oid = x.indrelid join pg_am am on am.oid = i.relam join pg_namespace n on n.oid = tab.relnamespace where n.nspname !~ '^pg_'

select 1 from app.a a join app.b b on case when a.k = 1 then a.x = b.x else a.y = b.y end join app.c c on c.id = b.id join app.d d on starts_with(d.name, c.name)

select unnest, count(*) from unnest(array['r', 'v']) left join pg_class on relkind::text = unnest group by 1

select pg_catalog.pg_class.relname from pg_catalog.pg_class, pg_catalog.pg_namespace, pg_catalog.pg_roles where pg_catalog.pg_class.relnamespace = pg_catalog.pg_namespace.oid and pg_catalog.pg_class.relowner = pg_catalog.pg_roles.oid

select "A".pid from pg_stat_activity "A", pg_locks "L", pg_class "C" where "A".pid = "L".pid and "L".relation = "C".oid

select * from (pg_class c join pg_namespace n on n.oid = c.relnamespace) join pg_roles r on r.oid = c.relowner

select j.relname from (pg_class c join pg_namespace n on n.oid = c.relnamespace) as j, pg_roles r, pg_am a where r.oid = j.relowner and a.oid = j.relam

select s.query, d.datname from pg_stat_statements s inner join pg_database d on (d.oid = s.dbid) where s.calls > 50 and s.mean_exec_time > 2.0 order by s.mean_exec_time desc, s.max_exec_time desc limit 10

select sum(heap_blks_read) as heap_read, sum(heap_blks_hit) as heap_hit, (sum(heap_blks_hit) - sum(heap_blks_read)) / nullif(sum(heap_blks_hit), 0) as ratio from pg_statio_user_tables

select blocked.pid, blocking.pid from pg_stat_activity blocked join pg_stat_activity blocking on blocking.pid = any(pg_blocking_pids(blocked.pid)) join pg_locks l on l.pid = blocked.pid and not l.granted left join pg_class c on c.oid = l.relation

select c.relname, ct.relname as toast from pg_class c, pg_class ct, pg_namespace n, pg_stat_all_tables s where ct.oid = c.reltoastrelid and n.oid = c.relnamespace and s.relid = c.oid and pg_relation_size(ct.oid) > 0

select wait.pid, hold.pid from pg_locks wait, pg_locks hold, pg_stat_activity wa, pg_stat_activity ha where not wait.granted and hold.granted and wait.locktype = hold.locktype and wait.pid <> hold.pid and wa.pid = wait.pid and ha.pid = hold.pid

select extract(epoch from now() - pg_postmaster_start_time())::bigint as up, (select count(*) from pg_stat_activity) as conns, current_setting('max_connections')::int as max, pg_database_size(current_database()) as bytes, pg_is_in_recovery()::int as standby

select to_timestamp(floor(extract(epoch from created_at) / 300) * 300) as bucket, count(*) from app.events where created_at > now() - interval '2 hours' group by 1 order by 1

select p.pid, p.query, p.state, s.ssl, g.encrypted, r.application_name from pg_stat_activity p left join pg_stat_ssl s on p.pid = s.pid left join pg_stat_gssapi g on p.pid = g.pid left join pg_stat_replication r on p.pid = r.pid

select d.datname, t.spcname, r.rolname from pg_database d join pg_tablespace t on t.oid = d.dattablespace join pg_roles r on r.oid = d.datdba

select c.relname as tbl, i.relname as idx, array_to_string(array_agg(a.attname order by k.n), ',') from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid cross join lateral unnest(x.indkey) with ordinality k(att, n) join pg_attribute a on a.attrelid = c.oid and a.attnum = k.att group by 1, 2

with lag as (select application_name, pg_wal_lsn_diff(sent_lsn, replay_lsn) as b from pg_stat_replication), me as (select pg_current_wal_lsn() as l), slots as (select slot_name, restart_lsn from pg_replication_slots), a as (select failed_count from pg_stat_archiver) select * from me, a left join lag on true left join slots on true

with q as (select queryid, sum(calls) c, sum(total_exec_time) t from pg_stat_statements group by 1), tot as (select sum(t) as tt from q) select queryid, t / tt from q, tot order by 2 desc limit 10

select a.*, b.*, c.* from (select count(*) as n from pg_stat_activity group by state order by 1 limit 5) a, (select * from pg_locks limit 5) b, (select * from pg_prepared_xacts limit 3) c

select x.a, y.b, z.c from (values (1)) x(a), (values (2), (3)) y(b), (values (4)) z(c), pg_stat_database d, pg_roles r where r.rolname = current_user

select hashint8(id) % 8, count(*) from app.orders group by 1

select null::record

select * from pg_ls_replslotdir('slot1')

select name, setting from pg_config()

with recursive s as (select message rest, 0 n from app.logs where id=1 union all select substr(rest, position(' ' in rest)+1), n+1 from s where position(' ' in rest) > 0) select count(*) from s

select json_agg(t order by t.m) from (select g.m, count(e.id) from generate_series(date_trunc('hour', now()) - interval '60 days', now(), '1 hour') g(m) left join app.events e on date_trunc('hour', e.occurred_at) = g.m group by 1) t

select array_agg(n) from (select count(o.*) n from generate_series(1, 2000) i left join app.orders o on o.customer_id = i group by i) s

select string_agg(i::text, ',') from generate_series(1, 5000) i left join app.orders o on o.id = i where o.id is null

select array_agg(i) from generate_series(1, 2000) i left join app.users u using (id)

select i from generate_series(1, 60000) i left join app.orders o on o.id = i where o.id is null

with recursive x(pid) as (select 123 union select unnest(pg_blocking_pids(x.pid)) from x) select * from x

with recursive x(pid) as (select 123 union select b.pid from x cross join lateral (select unnest(pg_blocking_pids(x.pid)) pid) b) select * from x

with recursive parts as (select id, split_part(path, '/', 1) p, 1 i, path from app.categories union all select id, split_part(path, '/', i+1), i+1, path from parts where split_part(path, '/', i+1) <> '') select * from parts

with recursive t(rest) as (select 'a,b,c' union all select substring(rest from position(',' in rest)+1) from t where rest like '%,%') select * from t

with recursive s(rest, word) as (select 'a,b,c'::text || ',', '' union all select substr(rest, strpos(rest, ',')+1), substr(rest,1,strpos(rest, ',')-1) from s where rest <> '') select word from s where word<>''

with recursive s as (select message rest, 0 n from app.logs where id=1 union all select substr(rest, 10), n+1 from s where length(rest) > 10) select count(*) from s

with recursive x(a) as (select 1 union select (a*7) % 11 from x) select * from x

with recursive cte(pid) as (select 123 union select unnest(pg_blocking_pids(pid)) from cte) select a.* from cte join pg_stat_activity a using (pid)

select json_agg(t) from (select g.m, count(e.id) from generate_series(now() - interval '24 hours', now(), '1 minute') g(m) left join app.events e on e.occurred_at >= g.m and e.occurred_at < g.m + interval '1 minute' group by g.m) t

select array_agg(c order by m) from (select g.m, count(e.id) c from generate_series(now() - interval '24 hours', now(), '1 minute') g(m) left join app.events e on date_trunc('minute', e.occurred_at) = g.m group by g.m) t

select string_agg(c::text, ',' order by m) from (select g.m, count(e.id) c from generate_series(now() - interval '24 hours', now(), '1 minute') g(m) left join app.events e on date_trunc('minute', e.occurred_at) = g.m group by g.m) t

select json_agg(x) from generate_series(1,1440) x left join app.orders o on o.id=x

select json_agg(t) from (select d.datname, t.spcname from pg_database d cross join pg_tablespace t) t

select string_agg(d.datname||t.spcname, ',') from pg_database d cross join pg_tablespace t

select jsonb_object_agg(d, n) from (select d::date::text d, count(o.id) n from generate_series(date '2026-01-01', date '2026-12-31', interval '1 hour') d left join app.orders o on o.created_at::date=d group by 1) s

select array_to_string(array(select count(*) from generate_series(now() - interval '2 days', now(), '1 minute') m left join app.orders o on date_trunc('minute', o.created_at)=m group by m), ' ')

select json_agg(t) from (select slot, count(s.id) from generate_series(now() - interval '6 hours', now(), interval '15 seconds') slot left join app.sessions s on slot between s.started_at and s.ended_at group by slot order by slot) t

select s, count(e.id) from generate_series(now() - interval '1 day', now(), '1 second') s left join app.events e on date_trunc('second', e.occurred_at) = s group by s order by 2 desc limit 10

select array_agg(x.c) from (select g.m, count(e.id) c from generate_series(now() - interval '7 days', now(), '5 minutes') g(m) left join app.events e on date_trunc('minute', e.occurred_at) = g.m group by g.m) x
