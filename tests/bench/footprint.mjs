// What Interlock's tools cost the PostgreSQL that they look at, and Interlock itself: processor time of
// the backends and memory of the server, tool by tool, where there are many tables and sessions, and a
// cell of 200 MB. Started by tests/bench/footprint, which says how.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LoopbackCluster } from './cluster.mjs';
import { Lines } from './lines.mjs';
import { until } from './processes.mjs';
import { rows } from './report.mjs';
import { WireSession } from './sessions.mjs';

const { values: options } = parseArgs({
    options: {
        bin: { type: 'string' }, // where interlock-server is; the last one given counts
        tables: { type: 'string', default: '10000' },
        sessions: { type: 'string', default: '500' },
        'statement-bytes': { type: 'string', default: '1000' },
        json: { type: 'string' },
    },
});
const tables = Number(options.tables);
const sessions = Number(options.sessions);
const statementBytes = Number(options['statement-bytes']);
const say = (text) => process.stderr.write(`${text}\n`);
const allowed_ms = 1000; // for all tools together, with 10,000 tables and 500 sessions
const allowed_mb = 32; // more memory of Interlock's for any of it
const allowed_characters = 10_000; // of any answer's text
const cellBytes = 200_000_000;

/** What each tool is asked. A tool that is not here stops the measurement. */
const calls = {
    diagnose: {},
    get_incident: {},
    get_activity: {},
    get_blocking: {},
    get_connections: {},
    get_io: {},
    get_replication: {},
    get_settings: {},
    get_statements: {},
    get_tables: {},
    get_vacuum: {},
    get_indexes: {},
    describe_schema: { search: 'table_77' },
    explain_query: { query: 'select * from public.table_7 t join public.table_8 u using (id) where t.id = $1' },
    run_query: { sql: 'select count(*) from pg_catalog.pg_stat_activity' },
};
/** What reading it costs PostgreSQL is the question's, not the tool's. */
const largeCell = { sql: 'select cell from public.large' };
const elsewhere = ['find_tools', 'list_targets', 'read_logs', 'list_runbooks', 'propose_plan', 'get_plan'];

/** Many small tables with two indexes, and sessions that work, wait and idle. */
class BusyCluster extends LoopbackCluster {
    settings() {
        return super.settings({
            max_connections: String(sessions + 30),
            max_locks_per_transaction: '1000',
            track_activity_query_size: String(Math.max(1024, statementBytes)),
            shared_buffers: '64MB',
        });
    }

    async prepare() {
        this.sql('create role agent login; grant pg_monitor to agent; create role app login superuser');
        const chunk = 500;
        for (let first = 1; first <= tables; first += chunk) {
            const last = Math.min(first + chunk - 1, tables);
            this.sql(`do $$ begin for i in ${first}..${last} loop
                execute format('create table table_%s (id int primary key, other int, note text)', i);
                execute format('create index on table_%s (other)', i);
                execute format('insert into table_%s select n, n, n from generate_series(1, 20) n', i);
            end loop; end $$`);
        }
        this.sql('vacuum analyze');
        this.sql(`create table large (cell text); insert into large select repeat('x', ${cellBytes});
                  grant select on table_7, table_8, large to agent`);
        const long = `select count(*) from table_2 /* ${'x'.repeat(Math.max(0, statementBytes - 50))} */;`;
        const waits = 'update table_1 set other = 1 where id = 1;';
        this.opened = [await this.#open('begin; update table_1 set other = 0 where id = 1;')];
        for (let i = 1; i < sessions; ++i) {
            this.opened.push(await this.#open(i % 25 === 0 ? waits : long));
        }
        const count = () => this.sql("select count(*) from pg_stat_activity where usename = 'app'");
        await until(() => count() === String(sessions), 'the sessions');
        this.sql('select pg_stat_reset()');
    }

    #open(text) {
        return WireSession.open(this.port, 'app', 'postgres', text);
    }

    async stop() {
        this.opened?.forEach((session) => session.close());
        await super.stop();
    }

    /** Nanoseconds of processor time by backend of the agent's. */
    spent() {
        const pids = this.sql("select pid from pg_stat_activity where usename = 'agent'");
        const each = pids.split('\n').filter(Boolean);
        return new Map(
            each.map((pid) => [pid, Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0])]),
        );
    }

    /** How often tables of users were read, but for those that sessions or run_query read. */
    reads() {
        return Number(
            this.sql(`select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) from pg_stat_user_tables
                      where relname not in ('table_1', 'table_2', 'large')`),
        );
    }
}

/** Milliseconds that the agent's backends spent between two looks. */
function between(before, after) {
    let sum = 0;
    for (const [pid, spent] of after) {
        sum += spent - (before.get(pid) ?? 0);
    }
    return sum / 1e6;
}

/** Of a process, in MB: resident now (VmRSS), or the most that it ever was (VmHWM). */
function memory(pid, which) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return (Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)[1]) * 1024) / 1e6;
}

/** What the server's own start cost: the check that every statement can be planned. Waits for its end. */
async function settled(cluster) {
    let last = -1;
    const quiet = () => {
        const spent = between(new Map(), cluster.spent());
        const same = spent === last && spent > 0;
        last = spent;
        return same;
    };
    let times = 0;
    await until(() => (quiet() ? ++times : (times = 0)) >= 10, 'the end of the check at the start');
    return last;
}

async function measure(cluster, lines) {
    const { tools } = await lines.start();
    const unknown = tools.map(({ name }) => name).filter((name) => !(name in calls) && !elsewhere.includes(name));
    if (unknown.length > 0) {
        throw new Error(`tests/bench/footprint does not know what to ask: ${unknown.join(', ')}`);
    }
    const found = [{ name: 'start: drift check', ms: await settled(cluster), mb: 0, characters: 0 }];
    for (const [name, args] of [...Object.entries(calls), ['run_query', largeCell]]) {
        const before = cluster.spent();
        const held = memory(lines.child.pid, 'VmRSS');
        const result = await lines.ask('tools/call', { name, arguments: args });
        const text = (result.content ?? []).map((part) => part.text ?? '').join('\n');
        if (result.isError) {
            throw new Error(`${name}: ${text}`);
        }
        found.push({
            name: args === largeCell ? 'run_query, a cell of 200 MB' : name,
            counted: args !== largeCell,
            ms: between(before, cluster.spent()),
            mb: Math.max(0, memory(lines.child.pid, 'VmHWM') - held),
            characters: text.length,
        });
    }
    return found;
}

function report(found, reads) {
    const tools = found.slice(1);
    const sum = tools.filter(({ counted }) => counted).reduce((all, { ms }) => all + ms, 0);
    const most = (key) => Math.max(...tools.map((each) => each[key]));
    const lines = [['tool', "ms of PostgreSQL's processor time", 'MB more in Interlock', 'characters read']];
    for (const { name, ms, mb, characters } of found) {
        lines.push([name, ms.toFixed(1), mb.toFixed(1), String(characters)]);
    }
    lines.push(['all tools, without the large cell', sum.toFixed(1), '', '']);
    const marks = [['mark', 'reached', 'wanted', 'verdict']];
    const mark = (name, value, wanted) =>
        marks.push([name, value.toFixed(0), `<= ${wanted}`, value <= wanted ? 'PASS' : 'FAIL']);
    mark('ms of all tools together', sum, allowed_ms);
    mark('MB more in Interlock, any tool', most('mb'), allowed_mb);
    mark('characters of any answer', most('characters'), allowed_characters);
    mark('reads of tables of users', reads, 0);
    return rows(lines) + '\n\n' + rows(marks);
}

const state = mkdtempSync(join(tmpdir(), 'interlock-bench-'));
say(`PostgreSQL with ${tables} tables and ${sessions} sessions …`);
const cluster = await BusyCluster.start();
try {
    const lines = new Lines([
        ...[join(options.bin, 'interlock-server'), '--stdio', '--state', join(state, 'state')],
        ...['--toolsets', 'orientation,triage,postgres', '--target', `bench=${cluster.conninfo('agent')}`],
    ]);
    try {
        const found = await measure(cluster, lines);
        const reads = cluster.reads();
        console.log(report(found, reads));
        if (options.json) {
            writeFileSync(options.json, JSON.stringify({ tables, sessions, reads, found }, null, 2) + '\n');
        }
    } finally {
        await lines.stop();
    }
} finally {
    await cluster.stop();
    rmSync(state, { recursive: true, force: true });
}
