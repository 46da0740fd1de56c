// A PostgreSQL of the comparison's own: loopback only, trusted logins (both servers then connect
// the same way), a little activity to look at. PostgreSQL refuses to run as root, so as root it
// runs as the user `postgres`.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from './processes.mjs';

const settings = {
    listen_addresses: '127.0.0.1',
    max_connections: '100',
    shared_buffers: '128MB',
    fsync: 'off',
    autovacuum: 'off', // a figure must not depend on when it wakes
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_directory: 'log',
    log_filename: 'postgresql.log',
};

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
    const directory = found.find((each) => existsSync(join(each, 'pgbench')));
    if (!directory) {
        throw new Error('PostgreSQL with pgbench was not found; install postgresql.');
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

export class Cluster {
    #sessions = [];

    static async start() {
        const cluster = new Cluster();
        try {
            await cluster.#start();
        } catch (problem) {
            await cluster.stop();
            throw problem;
        }
        return cluster;
    }

    async #start() {
        this.bin = programs();
        const user = serverUser();
        this.directory = mkdtempSync(join(tmpdir(), 'interlock-bench-pg-'));
        if (user.uid !== undefined) {
            chownSync(this.directory, user.uid, user.gid);
        }
        chmodSync(this.directory, 0o700);
        this.data = join(this.directory, 'data');
        const options = { ...user, cwd: this.directory, stdio: 'ignore' };
        execFileSync(
            join(this.bin, 'initdb'),
            ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
            options,
        );
        this.port = await freePort();
        const chosen = { ...settings, port: String(this.port), unix_socket_directories: this.directory };
        const flags = Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
        this.server = spawn(join(this.bin, 'postgres'), ['-D', this.data, ...flags], options);
        await until(() => this.#answers(), 'PostgreSQL answering');
        this.version = this.sql('show server_version');
        this.#makeRoles();
        await this.#makeActivity();
    }

    #answers() {
        try {
            this.sql('select 1');
            return true;
        } catch {
            return false;
        }
    }

    /** Three roles that may do the same: Interlock's, Toolbox's, and the floor's. */
    #makeRoles() {
        for (const role of ['interlock_diag', 'bench_toolbox', 'bench_floor']) {
            this.sql(`create role ${role} login; grant pg_monitor to ${role}`);
        }
        this.sql('revoke create on schema public from public; create role app login');
        this.sql('create table orders (id int primary key, total numeric)');
        this.sql('insert into orders select i, i from generate_series(1, 1000) i; grant all on orders to app');
    }

    /** Idle sessions, working ones, two idle in a transaction, and one that waits for a lock. */
    async #makeActivity() {
        const update = (id) => `begin; update orders set total = 0 where id = ${id};`;
        const statements = [update(1), update(2), ...Array(3).fill('select pg_sleep(36000);')];
        statements.push(...Array(6).fill('select count(*) from orders;'));
        statements.forEach((each) => this.session(each));
        const count = (what) => this.sql(`select count(*) from pg_stat_activity where ${what}`);
        await until(() => count("state = 'idle in transaction'") === '2', 'two open transactions');
        this.session(update(1));
        await until(() => count("wait_event_type = 'Lock'") === '1', 'a session waiting');
        await until(() => count("usename = 'app'") === '12', 'the activity');
    }

    conninfo(user) {
        return `host=127.0.0.1 port=${this.port} user=${user} dbname=postgres`;
    }

    /** Runs SQL as the superuser; what psql prints, unaligned. */
    sql(text) {
        return execFileSync(
            join(this.bin, 'psql'),
            ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo('postgres')],
            { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
        ).trim();
    }

    /** A session of the application that runs SQL and stays open. */
    session(text) {
        const child = spawn(
            join(this.bin, 'psql'),
            ['-XAtq', '-d', this.conninfo('app')],
            { stdio: ['pipe', 'ignore', 'ignore'] },
        );
        child.stdin.write(text + '\n');
        this.#sessions.push(child);
    }

    /** Every statement that `role` executed, in order, since its log was switched on. */
    loggedStatements(role) {
        const lines = readFileSync(join(this.data, 'log', 'postgresql.json'), 'utf8').split('\n');
        const entries = lines.filter((line) => line.trim()).map((line) => JSON.parse(line));
        const found = [];
        for (const { user, message = '', detail = '', pid } of entries) {
            const executed = /^duration: \S+ ms  execute [^:]*: ([^]*)$/.exec(message);
            if (user === role && executed) {
                found.push({ pid, text: executed[1], values: parameters(detail) });
            }
        }
        return found;
    }

    /** Backends of `role`. */
    backends(role) {
        const rows = this.sql(`select pid from pg_stat_activity where usename = '${role}'`);
        return rows.split('\n').filter(Boolean).map(Number);
    }

    async stop() {
        for (const child of this.#sessions) {
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

/** "parameters: $1 = 'a', $2 = NULL" as a list. */
function parameters(detail) {
    const values = [];
    for (const [, number, quoted] of detail.matchAll(/\$(\d+) = (?:'((?:[^']|'')*)'|NULL)/g)) {
        values[Number(number) - 1] = quoted === undefined ? null : quoted.replaceAll("''", "'");
    }
    return values;
}
