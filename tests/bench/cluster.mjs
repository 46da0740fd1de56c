// A PostgreSQL of the comparison's own: loopback only, trusted logins (both servers then connect
// the same way), a little activity to look at.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '../e2e/support/cluster.mjs';
import { freePort, until } from './processes.mjs';

const settings = {
    max_connections: '100',
    shared_buffers: '128MB',
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_directory: 'log',
    log_filename: 'postgresql.log',
};

/** On loopback, with settings of its own. */
export class LoopbackCluster extends Cluster {
    async settings(own = {}) {
        this.port = await freePort();
        const autovacuum = 'off'; // a figure must not depend on when it wakes
        return { listen_addresses: '127.0.0.1', port: String(this.port), fsync: 'off', autovacuum, ...own };
    }

    conninfo(user, database = 'postgres') {
        return `host=127.0.0.1 port=${this.port} user=${user} dbname=${database}`;
    }
}

export class BenchCluster extends LoopbackCluster {
    static start() {
        return super.start('pgbench');
    }

    settings() {
        return super.settings(settings);
    }

    async prepare() {
        this.version = this.sql('show server_version');
        this.#makeRoles();
        await this.#makeActivity();
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
        statements.forEach((each) => this.session(each, 'postgres', 'app'));
        const count = (what) => this.sql(`select count(*) from pg_stat_activity where ${what}`);
        await until(() => count("state = 'idle in transaction'") === '2', 'two open transactions');
        this.session(update(1), 'postgres', 'app');
        await until(() => count("wait_event_type = 'Lock'") === '1', 'a session waiting');
        await until(() => count("usename = 'app'") === '12', 'the activity');
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
}

/** "parameters: $1 = 'a', $2 = NULL" as a list. */
function parameters(detail) {
    const values = [];
    for (const [, number, quoted] of detail.matchAll(/\$(\d+) = (?:'((?:[^']|'')*)'|NULL)/g)) {
        values[Number(number) - 1] = quoted === undefined ? null : quoted.replaceAll("''", "'");
    }
    return values;
}
