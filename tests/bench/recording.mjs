// What spans and the audit log cost, measured within one run: the product, the product without
// spans, and the same server without spans and audit records (tests/bench/unrecorded) are asked in
// turns, so that what else the machine does falls on all of them. Started by tests/bench/recording,
// which says how.
import { writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { BenchCluster } from './cluster.mjs';
import { output, syncMs } from './processes.mjs';
import { judged, median, round, rows } from './report.mjs';
import { Interlock } from './servers.mjs';

const { values: options } = parseArgs({
    options: {
        bin: { type: 'string' },
        load: { type: 'string' },
        rounds: { type: 'string', default: '7' },
        seconds: { type: 'string', default: '1.5' },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
    },
});
const rounds = options.quick ? 1 : Number(options.rounds);
const seconds = options.quick ? 0.2 : Number(options.seconds);
const widths = [1, 16];
const loaded = 16; // connections of the paced figures
const share = 0.5; // of what the server without both can do: busy, and no queue that hides a cost
const say = (text) => process.stderr.write(`${text}\n`);

// What each is held against has its state in the same place. A call's answer waits until its record
// is on the disk: with the state in memory the rest of the cost is left.
const memoryRoot = '/dev/shm';
const kinds = {
    both: { title: 'spans and audit', against: 'none' },
    audit: { title: 'audit only', against: 'none', spans: false },
    none: { title: 'neither', records: false, spans: false },
    bothInMemory: { title: 'both, state in memory', against: 'noneInMemory', root: memoryRoot },
    noneInMemory: { title: 'neither, in memory', records: false, spans: false, root: memoryRoot },
};

class Recording extends Interlock {
    constructor(name, cluster) {
        const { records = true, spans = true, root } = kinds[name];
        const program = records ? 'interlock-server' : 'interlock-server-unrecorded';
        super(options.load, join(options.bin, program), cluster, { name, root });
        this.environment = spans ? {} : { OTEL_SDK_DISABLED: 'true' };
    }
}

const samples = new Map(); // figure → one number a round, by kind
function note(figure, kind, value) {
    const found = samples.get(figure) ?? {};
    samples.set(figure, found);
    (found[kind] ??= []).push(value);
}

async function measureRound(servers, rate) {
    for (const operation of ['list', 'activity']) {
        for (const width of widths) {
            for (const server of servers) {
                const found = await server.run(operation, width, seconds);
                note(`${operation}.${width}.per_second`, server.name, found.per_second);
                note(`${operation}.${width}.p99_us`, server.name, found.p99_us);
            }
        }
        for (const server of servers) {
            const found = await server.run(operation, loaded, seconds, rate[operation]);
            note(`${operation}.paced.p50_us`, server.name, found.p50_us);
            note(`${operation}.paced.p99_us`, server.name, found.p99_us);
        }
    }
}

/** Of each round by itself, so that a slow round is one for both. */
function compare(figure, kind, how) {
    const found = samples.get(figure);
    const without = found[kinds[kind].against];
    return median(found[kind].map((value, at) => how(value, without[at])));
}
const lost = (value, without) => 1 - value / without;
const later = (value, without) => (value - without) / 1000;

function table(machine, marks) {
    const titles = Object.values(kinds).map(({ title }) => title);
    const lines = [['figure (median)', ...titles]];
    for (const [figure, found] of samples) {
        const medians = Object.keys(kinds).map((kind) => String(round(median(found[kind]), 0)));
        lines.push([figure, ...medians]);
    }
    const compared = Object.keys(kinds).filter((kind) => kinds[kind].against);
    const costs = [['cost, of each round (median)', ...compared.map((kind) => kinds[kind].title)]];
    for (const figure of samples.keys()) {
        const cost = (kind) =>
            figure.endsWith('per_second')
                ? `${round(100 * compare(figure, kind, lost), 1)} %`
                : `${round(compare(figure, kind, later), 3)} ms`;
        costs.push([figure, ...compared.map(cost)]);
    }
    const where = Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join('\n');
    return [where, rows(lines), rows(costs), judged(marks)].join('\n\n');
}

function marksOf() {
    const mark = (name, value, wanted) => ({
        name, value: round(value, 3), wanted: `<= ${wanted}`, holds: value <= wanted,
    });
    return [['both', ''], ['bothInMemory', ', state in memory']].flatMap(([kind, where]) => [
        mark(
            `share of activity calls per second, ${loaded} connections${where}`,
            compare(`activity.${loaded}.per_second`, kind, lost), 0.05,
        ),
        mark(
            `ms of an activity call's p99 at half of that rate${where}`,
            compare('activity.paced.p99_us', kind, later), 0.3,
        ),
    ]);
}

const cluster = await BenchCluster.start();
const servers = Object.keys(kinds).map((kind) => new Recording(kind, cluster));
try {
    const rate = {};
    for (const server of servers) {
        await server.start();
        await server.run('activity', loaded, seconds); // pools fill, plans are made
    }
    for (const operation of ['list', 'activity']) {
        rate[operation] = share * (await servers.find(({ name }) => name === 'none').run(operation, loaded, seconds)).per_second;
    }
    for (let at = 0; at < rounds; ++at) {
        say(`round ${at + 1} of ${rounds}`);
        // None is always the first after another.
        const turn = at % servers.length;
        await measureRound([...servers.slice(turn), ...servers.slice(0, turn)], rate);
    }
    const machine = {
        processors: `${cpus().length} x ${cpus()[0].model.trim()}`,
        memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
        kernel: release(),
        postgresql: cluster.version,
        interlock: (await output(join(options.bin, 'interlock-server'), ['--version'])).trim(),
        rounds,
        seconds,
        paced_list_per_second: Math.round(rate.list),
        paced_activity_per_second: Math.round(rate.activity),
        disk_sync_ms: Number(syncMs(tmpdir()).toFixed(2)),
    };
    const marks = marksOf();
    console.log(table(machine, marks));
    if (options.json) {
        const document = { machine, samples: Object.fromEntries(samples), marks };
        writeFileSync(options.json, JSON.stringify(document, null, 2) + '\n');
    }
} finally {
    await Promise.all(servers.map((server) => server.stop()));
    await cluster.stop();
}
