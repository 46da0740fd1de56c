// One incident, three servers: how often an agent asks, what it writes and what it reads until the
// decisive facts are on the screen. Each server is asked as somebody would who knows it and knows
// PostgreSQL: the peers' own tools first, SQL by an expert where they have none. Started by
// tests/bench/incident, which says how.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LoopbackCluster } from './cluster.mjs';
import { Lines, Unanswered } from './lines.mjs';
import { until } from './processes.mjs';
import { rows } from './report.mjs';

const { values: options } = parseArgs({
    options: {
        bin: { type: 'string' }, // where interlock-server is; the last one given counts
        json: { type: 'string' },
        show: { type: 'boolean', default: false },
    },
});
const here = dirname(fileURLToPath(import.meta.url));
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * An orders table. A session updated a row and went idle in its transaction; a migration waits for
 * it, and the shop waits for the migration. Three quarters of the rows came after the last ANALYZE.
 * An index that nobody ever read costs every write.
 */
class IncidentCluster extends LoopbackCluster {
    async prepare() {
        this.sql('create role agent login; grant pg_monitor to agent; create role app login superuser');
        this.sql(
            `create table orders (id bigint primary key, customer int, state text, note text);
             create index orders_note_idx on orders (note);
             create table customers (id int primary key, name text);
             insert into customers select i, 'customer ' || i from generate_series(1, 500) i;`,
        );
        const fill = (state, from, to) =>
            this.sql(
                `insert into orders select i, i % 500, '${state}', repeat(md5(i::text), 4) from generate_series(${from}, ${to}) i`,
            );
        fill('new', 1, 50_000);
        this.sql('analyze'); // a transaction of its own, or it would count what it has seen
        fill('paid', 50_001, 200_000);
        for (let i = 1; i <= 20; ++i) {
            this.sql(`select * from orders where id = ${i}; select count(*) from customers`);
        }
        const waiting = (count) => () => this.sql(`select count(*) from pg_locks where not granted`) === String(count);
        this.session(`begin; update orders set state = 'held' where id = 1;`, 'postgres', 'app');
        const idle = () => this.sql(`select pid from pg_stat_activity where state = 'idle in transaction'`);
        await until(() => idle() !== '', 'the open transaction');
        this.holder = idle();
        this.session('alter table orders add column gift boolean;', 'postgres', 'app');
        await until(waiting(1), 'the migration waiting');
        for (let i = 0; i < 6; ++i) {
            this.session(`select * from orders where id = ${100 + i};`, 'postgres', 'app');
        }
        await until(waiting(7), 'the shop waiting');
        this.migration = this.sql(`select pid from pg_locks where not granted and mode = 'AccessExclusiveLock'`);
        this.modified = this.sql(`select n_mod_since_analyze from pg_stat_user_tables where relname = 'orders'`);
    }
}

const word = (text) => new RegExp(`(?<!\\w)${text}(?!\\w)`);

/** What must stand in what was read before the fact is on the screen. */
function facts(cluster) {
    return {
        'who holds the queue': [word(cluster.holder), word(cluster.migration), /idle.in.transaction/i],
        'stale statistics': [word('orders'), word(cluster.modified)],
        'unused index': [word('orders_note_idx')],
    };
}

const call = (name, args = {}) => ({ name, arguments: args });
const sql = (text) => call('execute_sql', { sql: text });

/** The calls that an agent makes for each fact, in order; it stops when it has read the fact. */
function interlock() {
    return {
        'who holds the queue': [call('get_blocking')],
        'stale statistics': [call('get_tables', { view: 'statistics' })],
        'unused index': [call('find_tools', { intent: 'unused indexes' }), call('get_indexes', { view: 'unused' })],
    };
}

function toolbox() {
    return {
        'who holds the queue': [
            call('list_locks'),
            call('long_running_transactions', { min_duration: '0 seconds' }),
            sql(blockersSql),
        ],
        'stale statistics': [call('list_table_stats', { table_name: 'orders' }), sql(modifiedSql)],
        'unused index': [call('list_indexes', { only_unused: true })],
    };
}

function dbhub() {
    return {
        'who holds the queue': [sql(blockersSql)],
        'stale statistics': [sql(modifiedSql)],
        'unused index': [sql(unusedSql)],
    };
}

const blockersSql =
    'select a.pid, a.state, a.query, pg_blocking_pids(a.pid) as blocked_by, a.xact_start from pg_stat_activity a ' +
    'where cardinality(pg_blocking_pids(a.pid)) > 0 or a.pid in (select unnest(pg_blocking_pids(b.pid)) from pg_stat_activity b)';
const modifiedSql =
    'select relname, n_live_tup, n_mod_since_analyze, last_analyze, last_autoanalyze from pg_stat_user_tables ' +
    'order by n_mod_since_analyze desc limit 10';
const unusedSql =
    'select s.relname, s.indexrelname, s.idx_scan, pg_relation_size(s.indexrelid) as bytes from pg_stat_user_indexes s ' +
    'join pg_index i using (indexrelid) where s.idx_scan = 0 and not i.indisunique';

const bytes = (text) => Buffer.byteLength(text, 'utf8');
const read = (result) => (result.content ?? []).map((part) => part.text ?? '').join('\n');

/** Follows one server's way to one fact. A server that hangs is started anew, as a person would. */
async function follow(server, calls, wanted) {
    const found = { calls: 0, hung: 0, written: 0, read: 0, wire: 0, told: false };
    let screen = '';
    for (const each of calls) {
        const result = await server.lines.ask('tools/call', each).catch((problem) => {
            if (!(problem instanceof Unanswered)) {
                throw problem;
            }
            found.hung += 1;
            return { content: [], isError: true };
        });
        if (found.hung > 0) {
            await server.restart();
        }
        const text = read(result);
        if (options.show) {
            say(`--- ${each.name} ${JSON.stringify(each.arguments)}\n${text}\n`);
        }
        found.calls += 1;
        found.written += bytes(JSON.stringify(each));
        found.read += bytes(text);
        found.wire += bytes(JSON.stringify(result));
        screen += text;
        found.told = !result.isError && wanted.every((pattern) => pattern.test(screen));
        if (found.told) {
            break;
        }
    }
    return found;
}

class Server {
    constructor({ command, environment }) {
        this.open = () => new Lines(command, environment);
        this.lines = this.open();
    }

    async restart() {
        await this.lines.stop();
        this.lines = this.open();
        await this.lines.start();
    }
}

async function measure({ name, command, environment, plan }, wanted) {
    say(`${name} …`);
    const server = new Server({ command, environment });
    try {
        const { tools } = await server.lines.start();
        const found = { name, tools: tools.length, list: bytes(JSON.stringify(tools)), facts: {} };
        for (const [fact, calls] of Object.entries(plan)) {
            found.facts[fact] = await follow(server, calls, wanted[fact]);
        }
        return found;
    } finally {
        await server.lines.stop();
    }
}

function version(path) {
    return JSON.parse(readFileSync(join(here, path, 'package.json'))).version;
}

function servers(cluster, state) {
    const packages = 'node_modules/@toolbox-sdk';
    const hub = 'peers/node_modules/@bytebase/dbhub';
    return [
        {
            name: 'Interlock',
            command: [
                ...[join(options.bin, 'interlock-server'), '--stdio', '--state', state],
                ...['--target', `bench=${cluster.conninfo('agent')}`],
            ],
            plan: interlock(),
        },
        {
            name: `Toolbox ${version(`${packages}/server`)}`,
            command: [
                join(here, packages, `server-${process.platform}-${process.arch}`, 'bin', 'toolbox'),
                ...['--prebuilt', 'postgres', '--disable-version-check', '--stdio'],
            ],
            environment: {
                POSTGRES_HOST: '127.0.0.1',
                POSTGRES_PORT: String(cluster.port),
                POSTGRES_DATABASE: 'postgres',
                POSTGRES_USER: 'agent',
                POSTGRES_PASSWORD: 'trusted',
            },
            plan: toolbox(),
        },
        {
            name: `dbhub ${version(hub)}`,
            command: [
                ...[process.execPath, join(here, hub, 'dist', 'index.js'), '--transport', 'stdio'],
                ...['--dsn', `postgres://agent:trusted@127.0.0.1:${cluster.port}/postgres?sslmode=disable`],
            ],
            plan: dbhub(),
        },
    ];
}

function report(found) {
    const lines = [['Until the fact is read', ...found.map((each) => each.name)]];
    const row = (title, figure) => lines.push([title, ...found.map((each) => figure(each))]);
    for (const fact of Object.keys(found[0].facts)) {
        row(fact, ({ facts: { [fact]: one } }) =>
            [
                `${one.told ? '' : 'NOT TOLD: '}${one.calls} ${one.calls === 1 ? 'call' : 'calls'}`,
                ...(one.hung ? [`${one.hung} hung`] : []),
                `reads ${one.read}`,
            ].join(', '),
        );
    }
    const sum = (each, key) => Object.values(each.facts).reduce((all, one) => all + one[key], 0);
    row('all three: calls', (each) => String(sum(each, 'calls')));
    row('all three: bytes written', (each) => String(sum(each, 'written')));
    row('all three: bytes read', (each) => String(sum(each, 'read')));
    row('all three: bytes on the wire', (each) => String(sum(each, 'wire')));
    row('tools listed', (each) => `${each.tools}, ${each.list} bytes`);
    return rows(lines);
}

const state = mkdtempSync(join(tmpdir(), 'interlock-bench-'));
say('PostgreSQL with the incident …');
const cluster = await IncidentCluster.start();
try {
    const found = [];
    for (const server of servers(cluster, join(state, 'state'))) {
        found.push(await measure(server, facts(cluster)));
    }
    console.log(report(found));
    if (options.json) {
        writeFileSync(options.json, JSON.stringify(found, null, 2) + '\n');
    }
} finally {
    await cluster.stop();
    rmSync(state, { recursive: true, force: true });
}
