// A throw-away PostgreSQL with an incident in it: a session idle in a transaction that holds a lock,
// and sessions that wait behind it. PostgreSQL refuses to run as root, so as root it runs as the
// user `postgres`.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, chownSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './child.mjs';

const patience = 60_000;

function programs() {
    const found = [];
    try {
        found.push(execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim());
    } catch {
        // Not installed; the usual directories are next.
    }
    const versions = '/usr/lib/postgresql';
    if (existsSync(versions)) {
        const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
        found.push(...newest.map((version) => join(versions, version, 'bin')));
    }
    const directory = found.find((each) => existsSync(join(each, 'initdb')));
    if (!directory) {
        throw new Error('PostgreSQL server programs (initdb) were not found; install postgresql.');
    }
    return directory;
}

function serverUser() {
    if (process.getuid() !== 0) {
        return {};
    }
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    return { uid: id('-u'), gid: id('-g') };
}

export class Postgres {
    #children = [];

    static async start() {
        const postgres = new Postgres();
        try {
            await postgres.#start();
        } catch (problem) {
            await postgres.stop();
            throw problem;
        }
        return postgres;
    }

    async #start() {
        this.bin = programs();
        this.user = serverUser();
        this.directory = mkdtempSync(join(tmpdir(), 'interlock-e2e-'));
        if (this.user.uid !== undefined) {
            chownSync(this.directory, this.user.uid, this.user.gid);
        }
        chmodSync(this.directory, 0o700);
        const data = join(this.directory, 'data');
        const options = { ...this.user, cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'] };
        execFileSync(
            join(this.bin, 'initdb'),
            ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
            options,
        );
        this.server = spawn(
            join(this.bin, 'postgres'),
            ['-D', data, '-k', this.directory, '-c', 'listen_addresses=', '-c', 'fsync=off'],
            { ...options, stdio: 'ignore' },
        );
        await until(() => this.#answers(), 'PostgreSQL answering', patience);
    }

    #answers() {
        try {
            this.sql('select 1');
            return true;
        } catch {
            return false;
        }
    }

    conninfo(user, database = 'postgres') {
        return `host=${this.directory} user=${user} dbname=${database}`;
    }

    /** Runs SQL as the superuser; what psql prints, unaligned. */
    sql(text, database = 'postgres') {
        return execFileSync(
            join(this.bin, 'psql'),
            ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo('postgres', database)],
            { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
        ).trim();
    }

    /** A new database with the narrow lane that `interlock init` prints; the lane's connection. */
    target(cli, database) {
        this.sql(`create database ${database}`);
        const lane = execFileSync(cli, ['init', '--database', database], { encoding: 'utf8' });
        this.sql(lane, database);
        return this.conninfo('interlock_diag', database);
    }

    /** A session that runs SQL and stays open. */
    session(text, database, user) {
        const child = spawn(
            join(this.bin, 'psql'),
            ['-XAtq', '-d', this.conninfo(user, database)],
            { stdio: ['pipe', 'ignore', 'ignore'] },
        );
        child.stdin.write(text + '\n');
        this.#children.push(child);
        return child;
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

    async stop() {
        for (const child of this.#children) {
            child.kill('SIGKILL');
        }
        if (this.server && this.server.exitCode === null) {
            const ended = new Promise((resolve) => this.server.once('exit', resolve));
            this.server.kill('SIGINT');
            await ended;
        }
        if (this.directory) {
            rmSync(this.directory, { recursive: true, force: true });
        }
    }
}
