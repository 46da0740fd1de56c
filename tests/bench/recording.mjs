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
        rounds: { type: 'string', default: '9' },
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

const names = { both: 'spans and audit', audit: 'audit only', none: 'neither' };

/** The program of one kind, with or without spans. */
class Recording extends Interlock {
    constructor(kind, cluster) {
        const program = kind === 'none' ? 'interlock-server-unrecorded' : 'interlock-server';
        super(options.load, join(options.bin, program), cluster, { name: kind });
        this.environment = kind === 'both' ? {} : { OTEL_SDK_DISABLED: 'true' };
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
    return median(found[kind].map((value, at) => how(value, found.none[at])));
}
const lost = (value, without) => 1 - value / without;
const later = (value, without) => (value - without) / 1000;

function table(machine, marks) {
    const lines = [['figure (median)', ...Object.values(names)]];
    for (const [figure, found] of samples) {
        lines.push([figure, ...Object.keys(names).map((kind) => String(round(median(found[kind]), 0)))]);
    }
    const costs = [['cost against neither, of each round (median)', names.both, names.audit]];
    for (const figure of samples.keys()) {
        const rate = figure.endsWith('per_second');
        const cost = (kind) =>
            rate
                ? `${round(100 * compare(figure, kind, lost), 1)} %`
                : `${round(compare(figure, kind, later), 3)} ms`;
        costs.push([figure, cost('both'), cost('audit')]);
    }
    const where = Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join('\n');
    return [where, rows(lines), rows(costs), judged(marks)].join('\n\n');
}

function marksOf() {
    const mark = (name, value, wanted) => ({
        name, value: round(value, 3), wanted: `<= ${wanted}`, holds: value <= wanted,
    });
    return [
        mark(
            `share of activity calls per second that both cost, ${loaded} connections`,
            compare(`activity.${loaded}.per_second`, 'both', lost), 0.05,
        ),
        mark(
            `ms of an activity call's p99 that both cost, ${loaded} connections, half of the rate`,
            compare('activity.paced.p99_us', 'both', later), 0.3,
        ),
    ];
}

const cluster = await BenchCluster.start();
const servers = Object.keys(names).map((kind) => new Recording(kind, cluster));
try {
    const rate = {};
    for (const server of servers) {
        await server.start();
        await server.run('activity', loaded, seconds); // pools fill, plans are made
    }
    for (const operation of ['list', 'activity']) {
        rate[operation] = share * (await servers.at(-1).run(operation, loaded, seconds)).per_second;
    }
    for (let at = 0; at < rounds; ++at) {
        say(`round ${at + 1} of ${rounds}`);
        // Each comes first, second and last equally often.
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
