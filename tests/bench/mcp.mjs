// The measured comparison: Interlock against MCP Toolbox and against the floor (floor.mjs), in
// turns on one machine, so that what else the machine does falls on all of them. Started by
// tests/bench/mcp, which says how.
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { BenchCluster } from './cluster.mjs';
import { Floor, poolConnections } from './floor.mjs';
import { output, peakDuring, syncMs } from './processes.mjs';
import { judge, median, table } from './report.mjs';
import { Interlock, Toolbox } from './servers.mjs';

const { values: options } = parseArgs({
    options: {
        server: { type: 'string' }, // interlock-server
        load: { type: 'string' }, // interlock-load
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '1.5' },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
    },
});
const rounds = options.quick ? 1 : Number(options.rounds);
const seconds = options.quick ? 0.2 : Number(options.seconds);
const widths = options.quick ? [1, 16] : [1, 16, 64];
const heldConnections = options.quick ? 200 : 10_000;
const blockedCalls = 16;
const inMemory = 'InMemory';

const samples = new Map(); // figure → one number a round
function note(figure, value) {
    samples.set(figure, [...(samples.get(figure) ?? []), value]);
}
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * Requests/s and latencies of the servers, and the floor's, in turns. The one whose state lies in
 * memory shows what the disk costs; it is asked for activity only.
 */
async function measureLoad(servers, floor) {
    for (const operation of ['list', 'activity']) {
        for (const width of widths) {
            for (const server of servers) {
                if (server.name === inMemory && operation !== 'activity') {
                    continue;
                }
                let found;
                const watch = () => server.service.residentMb();
                const peak = await peakDuring(watch, async () => {
                    found = await server.run(operation, width, seconds);
                });
                note(`${server.name}.${operation}.${width}.per_second`, found.per_second);
                note(`${server.name}.${operation}.${width}.p50_us`, found.p50_us);
                note(`${server.name}.${operation}.${width}.p99_us`, found.p99_us);
                note(`${server.name}.memory_load_mb`, peak);
            }
            if (operation === 'activity' && width === 16) {
                note('Floor.activity.per_second', (await floor.run(seconds)).per_second);
            }
        }
    }
}

/** In turns; `counted` is false for the starts that fill caches and state directories. */
async function measureStarts(starters, counted = true) {
    for (const transport of ['http', 'stdio']) {
        for (const server of starters) {
            const took = await server.startTime(transport);
            if (counted) {
                note(`${server.name}.start_${transport}_ms`, took);
            }
        }
    }
}

/**
 * tools/list while nothing that touches the database can go on: the postmaster and every backend of
 * the pool are stopped, and more calls wait than the pool has connections.
 */
async function measureBlocked(cluster, interlock) {
    const idle = await interlock.run('list', 16, seconds);
    note('Interlock.blocked.idle_p99_us', idle.p99_us);
    const stopped = [...cluster.backends('interlock_diag'), cluster.server.pid];
    let calls = [];
    try {
        stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
        calls = Array.from({ length: blockedCalls }, (_, i) =>
            interlock.ask(i < 2 ? 'triage' : 'activity').catch(() => ''),
        );
        await pause(200);
        note('Interlock.blocked.p99_us', (await interlock.run('list', 16, seconds)).p99_us);
    } finally {
        stopped.forEach((pid) => process.kill(pid, 'SIGCONT'));
        await Promise.all(calls);
    }
}

/** Resident memory with many connections that were answered once and are idle since. */
async function measureHeld(interlock) {
    const before = interlock.service.residentMb();
    const holder = spawn(
        options.load,
        [
            'hold',
            ...['--port', String(interlock.port), '--connections', String(heldConnections)],
            ...interlock.request('list'),
        ],
        { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
        const ended = new Promise((_, reject) =>
            holder.once('exit', (code) => reject(new Error(`the holder ended with ${code}`))),
        );
        ended.catch(() => {}); // it also ends when all went well
        const lines = createInterface({ input: holder.stdout });
        const answered = new Promise((resolve) => lines.once('line', resolve));
        const found = JSON.parse(await Promise.race([answered, ended]));
        if (found.requests !== heldConnections || found.wrong > 0) {
            throw new Error(`only ${found.requests} connections were answered: ${found.first_wrong}`);
        }
        await pause(options.quick ? 100 : 1_000);
        note('Interlock.held_mb', interlock.service.residentMb());
        note('Interlock.held_before_mb', before);
    } finally {
        holder.stdin.end();
        await new Promise((resolve) => (holder.exitCode === null ? holder.once('exit', resolve) : resolve()));
    }
}

const memoryRoot = '/dev/shm';
const makeInMemory = (cluster) =>
    new Interlock(options.load, options.server, cluster, { root: memoryRoot, name: inMemory });
const makeInterlock = (cluster) => new Interlock(options.load, options.server, cluster);
const makeToolbox = (cluster) => new Toolbox(options.load, cluster);

async function measure(cluster, servers, starters) {
    const [interlock, toolbox, ...others] = servers;
    for (const server of [interlock, toolbox]) {
        await server.start();
        await pause(options.quick ? 100 : 1_000);
        note(`${server.name}.memory_idle_mb`, server.service.residentMb());
        note(`${server.name}.list_bytes`, Buffer.byteLength(await server.ask('list')));
    }
    await measureHeld(interlock);
    // What held connections left behind is not memory under load.
    await interlock.service.stop();
    await interlock.start();
    for (const other of others) {
        await other.start();
    }
    const floor = await Floor.make(cluster, interlock);
    say(`the lane: ${floor.statements.length} statements a call`);
    for (const server of servers) {
        await server.run('activity', 16, seconds); // pools fill, plans are made
    }
    await measureStarts(starters, false);
    for (let round = 1; round <= rounds; ++round) {
        say(`round ${round} of ${rounds}`);
        await measureLoad(round % 2 === 0 ? [...servers].reverse() : servers, floor);
        await measureBlocked(cluster, interlock);
        await measureStarts(starters);
    }
    return toolbox.version;
}

async function machine(cluster, toolboxVersion) {
    const gigabytes = Math.round(totalmem() / 2 ** 30);
    return {
        processors: `${cpus().length} x ${cpus()[0].model.trim()}`,
        memory: `${gigabytes} GB`,
        kernel: release(),
        postgresql: cluster.version,
        interlock: (await output(options.server, ['--version'])).trim(),
        toolbox: `@toolbox-sdk/server ${toolboxVersion}`,
        node: process.version,
        rounds,
        seconds,
        pool_connections: poolConnections,
        disk_sync_ms: Number(syncMs(tmpdir()).toFixed(2)),
    };
}

const cluster = await BenchCluster.start();
const servers = [makeInterlock(cluster), makeToolbox(cluster)];
if (existsSync(memoryRoot)) {
    servers.push(makeInMemory(cluster));
}
const starters = [makeInterlock(cluster), makeToolbox(cluster)];
try {
    const toolboxVersion = await measure(cluster, servers, starters);
    const figures = Object.fromEntries([...samples].map(([name, all]) => [name, median(all)]));
    const marks = judge(figures, widths, heldConnections);
    const where = await machine(cluster, toolboxVersion);
    console.log(table(where, figures, widths, marks));
    if (options.json) {
        const document = { machine: where, figures, samples: Object.fromEntries(samples), marks };
        writeFileSync(options.json, JSON.stringify(document, null, 2) + '\n');
    }
    const missing = Object.entries(figures).filter(([, value]) => !(value > 0));
    if (missing.length > 0) {
        throw new Error(`no figure for ${missing.map(([name]) => name).join(', ')}`);
    }
} finally {
    await Promise.all([...servers, ...starters].map((server) => server.stop()));
    await cluster.stop();
}
