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
