// A throw-away PostgreSQL with an incident in it: a session idle in a transaction that holds a lock,
// and sessions that wait behind it.
import { execFileSync } from 'node:child_process';

import { until } from './child.mjs';
import { Cluster } from './cluster.mjs';

const patience = 60_000;

export class Postgres extends Cluster {
    /** A new database with the narrow lane that `interlock init` prints; the lane's connection. */
    target(cli, database) {
        this.sql(`create database ${database}`);
        const lane = execFileSync(cli, ['init', '--database', database], { encoding: 'utf8' });
        this.sql(lane, database);
        return this.conninfo('interlock_diag', database);
    }

    /**
     * The incident: one holder, idle in a transaction, and `waiters` behind it that have waited for
     * long enough for a runbook to be offered. All are an ordinary role: superusers are out of every runbook's reach.
     */
    async incident(database, waiters = 2) {
        this.sql(
            'create role shop_app login; create table orders (id int); grant all on orders to shop_app',
            database,
        );
        const count = (sql) => Number(this.sql(`select count(*) from ${sql}`, database));
        const lock = 'begin; lock table orders in access exclusive mode;';
        this.session(lock, database, 'shop_app');
        await until(
            () => count("pg_stat_activity where state = 'idle in transaction'") === 1,
            'the holder holding',
            patience,
        );
        for (let i = 0; i < waiters; ++i) {
            this.session('select count(*) from orders;', database, 'shop_app');
        }
        const waited = "pg_locks where not granted and now() - waitstart > interval '10.5 s'";
        await until(() => count(waited) === waiters, 'the queue forming', patience);
    }

    /**
     * A database in which asking who blocks whom takes seconds, so that a call can be given up while
     * its statement runs. Renamed, because PostgreSQL calls its own functions by number: another
     * body would not run.
     */
    slow(database) {
        this.sql(
            `alter function pg_catalog.pg_blocking_pids(integer) rename to pg_blocking_pids_fast;
             create function pg_catalog.pg_blocking_pids(integer) returns integer[]
             language plpgsql as $$begin perform pg_catalog.pg_sleep(20); return '{}'; end$$`,
            database,
        );
    }

    /**
     * A database in which asking who blocks whom takes a while and holds a lock meanwhile: its
     * number is that of the role which asks.
     */
    marked(database) {
        this.sql(
            `alter function pg_catalog.pg_blocking_pids(integer) rename to pg_blocking_pids_fast;
             create function pg_catalog.pg_blocking_pids(integer) returns integer[]
             language plpgsql as $$begin
                 perform pg_catalog.pg_advisory_xact_lock_shared(0, current_user::regrole::oid::int);
                 perform pg_catalog.pg_sleep(1);
                 return '{}';
             end$$`,
            database,
        );
    }

    /** Statements of ours that are in the middle of the slow part, in whichever database. */
    asleep() {
        const ours = "application_name like 'interlock:%' and wait_event = 'PgSleep'";
        return Number(this.sql(`select count(*) from pg_stat_activity where ${ours}`));
    }
}
