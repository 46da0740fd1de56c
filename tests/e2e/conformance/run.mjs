// The official conformance suite against interlock-conformance: both requirement sets must pass
// with nothing excused, and so must what the suite runs without scoring it.
// Usage: node tests/e2e/conformance/run.mjs --bin DIR
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Listening } from '../support/child.mjs';
import { moduleFile, program } from '../support/programs.mjs';
import { Report } from '../support/report.mjs';

const { parse } = await import(moduleFile('yaml/dist/index.js'));
const server = program('interlock-conformance');
const suite = '@modelcontextprotocol/conformance';
const suiteProgram = moduleFile(`${suite}/dist/index.js`);

/** A scenario that is only announced: the suite reports it as skipped, whatever the server does. */
const announced = new Set(['tasks-status-notifications']);
/** Made for every scenario from what the server said; a scenario must have found more than that. */
const always = 'wire-schema-valid';

const requirementSets = ['2026-07-28', '2025-11-25'];
/** Beside the sets: the older revisions that we speak, as far as the suite knows them. */
const olderRuns = [
    ['--suite', 'all', '--spec-version', '2025-06-18'],
    ['--scenario', 'server-session-lifecycle', '--spec-version', '2025-03-26'],
];

/** What a requirement set runs against a server, scored or not. */
function scenariosOf(revision) {
    const file = moduleFile(`${suite}/requirements/${revision}.yaml`);
    const requirements = parse(readFileSync(file, 'utf8'));
    const unscored = requirements.not_scored.filter((entry) => entry.leg === 'server');
    return [...requirements.server, ...unscored.map((entry) => entry.scenario)];
}

/** Runs the suite; its exit code, and what it found by scenario. */
async function run(url, args, output) {
    const child = spawn(
        process.execPath,
        [suiteProgram, 'server', '--url', url, '--output-dir', output, ...args],
        { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    child.stdout.on('data', (bytes) => (log += bytes));
    child.stderr.on('data', (bytes) => (log += bytes));
    const code = await new Promise((resolve) => child.once('close', resolve));
    const found = new Map();
    for (const directory of readdirSync(output)) {
        const scenario = /^server-(.*)-\d{4}-\d\d-\d\dT/.exec(directory)?.[1];
        const file = join(output, directory, 'checks.json'); // none when the scenario broke off
        found.set(scenario, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
    }
    return { code, found, log };
}

function problems(checks) {
    return checks
        .filter((each) => each.status === 'FAILURE' || each.status === 'WARNING')
        .map((each) => `\n      ${each.status} ${each.id}: ${each.errorMessage ?? each.name}`)
        .join('');
}

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-conformance-'));
let passed = 0;

function judge(label, scenario, checks) {
    const own = checks.filter((each) => each.id !== always && each.status === 'SUCCESS').length;
    passed += own;
    report.check(`${label}: ${scenario}, ${own} checks`, problems(checks) === '', problems(checks));
    if (own === 0 && !announced.has(scenario)) {
        report.check(`${label}: ${scenario} found something to check`, false);
    }
}

let listening;
try {
    listening = await Listening.start(server, [], scratch);
    const url = `${listening.url}/mcp`;
    for (const revision of requirementSets) {
        await report.part(revision, async () => {
            const args = ['--requirements', revision];
            const { code, found, log } = await run(url, args, join(scratch, revision));
            report.check(`${revision}: the suite exits with 0`, code === 0, log.slice(-2000));
            for (const scenario of scenariosOf(revision)) {
                judge(revision, scenario, found.get(scenario) ?? []);
            }
        });
    }
    for (const [number, args] of olderRuns.entries()) {
        const label = args.at(-1);
        await report.part(label, async () => {
            const { code, found, log } = await run(url, args, join(scratch, `older-${number}`));
            report.check(`${label}: the suite exits with 0`, code === 0, log.slice(-2000));
            report.check(`${label}: scenarios ran`, found.size > 0);
            for (const [scenario, checks] of found) {
                judge(label, scenario, checks);
            }
        });
    }
    report.check('the server ends with exit code 0', (await listening.stop()) === 0, listening.log);
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    await listening?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} checks of the suite passed`);
report.finish();
