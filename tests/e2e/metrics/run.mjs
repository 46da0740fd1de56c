// What packaging/ offers to those who watch Interlock, held against the real thing: a Prometheus
// that scrapes a live interlock-server, with our rules loaded, asked all that the dashboard asks.
// Usage: node tests/e2e/metrics/run.mjs --bin DIR
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Listening, until } from '../support/child.mjs';
import { Postgres } from '../support/postgres.mjs';
import { program } from '../support/programs.mjs';
import { brief, Report } from '../support/report.mjs';
import { serverArguments } from '../support/server.mjs';

const packaging = fileURLToPath(new URL('../../../packaging/', import.meta.url));
const docs = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));
// Series that begin with a decision, an execution, a caller without proof, or a cut. That their
// names are those of the program is held by tests/telemetry/metrics_test.cpp.
const needsPeople = new Set([
    'interlock_decision_seconds', 'interlock_plan_execution_seconds', 'interlock_turned_away_total',
    'interlock_execution_step_seconds', 'interlock_plan_transitions_total', 'interlock_cut_bytes_total',
]);
const dashboard = JSON.parse(readFileSync(join(packaging, 'grafana', 'interlock.json'), 'utf8'));

function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

class Prometheus {
    static async start(directory, target) {
        const prometheus = new Prometheus();
        const port = await freePort();
        prometheus.url = `http://127.0.0.1:${port}`;
        const config = join(directory, 'prometheus.yml');
        writeFileSync(config, JSON.stringify({
            global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
            rule_files: [join(packaging, 'prometheus', '*.yml')],
            scrape_configs: [{ job_name: 'interlock-server', static_configs: [{ targets: [target] }] }],
        }));
        prometheus.log = '';
        prometheus.child = spawn('prometheus', [
            `--config.file=${config}`,
            `--storage.tsdb.path=${join(directory, 'tsdb')}`,
            `--web.listen-address=127.0.0.1:${port}`,
        ], { stdio: ['ignore', 'ignore', 'pipe'] });
        prometheus.child.stderr.on('data', (bytes) => (prometheus.log += bytes));
        prometheus.child.on('error', (problem) => (prometheus.log += problem));
        await until(async () => {
            try {
                return (await fetch(`${prometheus.url}/-/ready`)).ok;
            } catch {
                return false;
            }
        }, 'Prometheus answering').catch((problem) => {
            throw new Error(`${problem.message}\n${prometheus.log}`);
        });
        return prometheus;
    }

    async ask(path, parameters = {}) {
        const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
        return response.json();
    }

    /** The samples of an expression now. */
    async query(expression) {
        const answer = await this.ask('query', { query: expression });
        if (answer.status !== 'success') {
            throw new Error(`${expression}: ${answer.error}`);
        }
        return answer.data.result;
    }

    async stop() {
        if (this.child.exitCode === null && this.child.pid !== undefined) {
            const ended = new Promise((resolve) => this.child.once('exit', resolve));
            this.child.kill('SIGTERM');
            await ended;
        }
    }
}

let id = 0;
async function call(url, name, args) {
    const method = name === undefined ? 'tools/list' : 'tools/call';
    const meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'interlock-e2e', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
    };
    const params = { ...(name === undefined ? {} : { name, arguments: args }), _meta: meta };
    const response = await fetch(`${url}/mcp`, {
        method: 'POST',
        headers: {
            'Content-Type': 'application/json',
            Accept: 'application/json, text/event-stream',
            'MCP-Protocol-Version': '2026-07-28',
            'Mcp-Method': method,
            ...(name === undefined ? {} : { 'Mcp-Name': name }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
    });
    return response.text();
}

/** One round of what agents do, well and badly. */
async function work(url) {
    await call(url);
    await call(url, 'get_activity', { target: 'shop' });
    await call(url, 'get_activity', { target: 7 });
    await call(url, 'diagnose', { target: 'shop' });
}

/** A session of the older revisions that ends, and a method that there is not. */
async function workOfOld(url) {
    const send = (body, headers = {}, method = 'POST') =>
        fetch(`${url}/mcp`, {
            method,
            headers: {
                'Content-Type': 'application/json',
                Accept: 'application/json, text/event-stream',
                ...headers,
            },
            body: body && JSON.stringify({ jsonrpc: '2.0', id: ++id, ...body }),
        });
    const protocolVersion = '2025-11-25';
    const clientInfo = { name: 'interlock-e2e', version: '1' };
    const params = { protocolVersion, capabilities: {}, clientInfo };
    const begun = await send({ method: 'initialize', params });
    const session = {
        'Mcp-Session-Id': begun.headers.get('mcp-session-id'),
        'MCP-Protocol-Version': protocolVersion,
    };
    await begun.text();
    await (await send({ method: 'no/such/method' }, session)).text();
    await (await send(undefined, session, 'DELETE')).text();
}

async function checkRules(report, prometheus) {
    const { data } = await prometheus.ask('rules');
    const rules = data.groups.flatMap((group) => group.rules);
    const evaluated = (rule) => rule.health === 'ok' || rule.health === 'unknown';
    const wrong = rules.filter((rule) => !evaluated(rule) || rule.lastError);
    report.check('all rules are loaded', rules.length >= 20, brief(rules.map((rule) => rule.name)));
    report.check('no rule fails on a live server', wrong.length === 0, brief(wrong));
    const firing = rules.filter((rule) => rule.state === 'firing');
    report.check('no alert fires on a healthy server', firing.length === 0, brief(firing));
}

async function checkDashboard(report, prometheus) {
    const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
    const empty = [];
    for (const { title, targets } of panels) {
        await report.part(`panel ${title}`, async () => {
            const found = await Promise.all(targets.map(({ expr }) => prometheus.query(expr)));
            if (found.every((samples) => samples.length === 0)) {
                empty.push(title);
            }
        });
    }
    // What has not happened in this run: no cut, no suspension, no plan, nobody turned away.
    const quiet = new Set([
        'Left out of results', 'Suspensions', 'Turned away', 'Brakes in force', 'Plans by state',
        'Longest wait', 'Decisions and executions, median',
    ]);
    const missing = empty.filter((title) => !quiet.has(title));
    report.check('every panel that has something to show shows it', missing.length === 0, missing.join());
}

/** Names of series in what packaging/ and the documentation speak of; recorded ones have a colon. */
function spokenOf() {
    const files = ['prometheus/alerts.yml', 'prometheus/recording.yml', 'grafana/interlock.json'];
    const text = [...files.map((file) => join(packaging, file)), docs]
        .map((file) => readFileSync(file, 'utf8')).join('\n');
    const found = text.match(/\b(?:interlock_|mcp_server_|interlock:)[a-z0-9_:]+[a-z0-9]/g);
    const family = (name) => name.replace(/_(bucket|sum|count)$/, '');
    return [...new Set(found.map(family))].sort();
}

async function checkNames(report, prometheus) {
    const there = async (name) => {
        const series = `{__name__=~"${name}(_bucket)?"}`;
        return (await prometheus.query(`count(${series})`)).length > 0;
    };
    const missing = [];
    for (const name of spokenOf()) {
        if (!(await there(name)) && !needsPeople.has(name)) {
            missing.push(name);
        }
    }
    report.check('every metric spoken of is on a live /metrics', missing.length === 0, missing.join());
}

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-metrics-'));
let postgres, server, prometheus;
try {
    postgres = await Postgres.start();
    const targets = { shop: postgres.target(program('interlock'), 'shop') };
    // The work below is the same again and again: a loop, if it were an agent's.
    const config = join(scratch, 'server.yaml');
    writeFileSync(config, 'supervisor: {identical_calls: 1000}\n');
    const options = [...serverArguments(targets, scratch), '--config', config];
    server = await Listening.start(program('interlock-server'), options, scratch);
    await work(server.url);
    await workOfOld(server.url);
    prometheus = await Prometheus.start(scratch, `127.0.0.1:${server.port}`);
    const up = () => prometheus.query('up{job="interlock-server"} == 1');
    await until(async () => (await up()).length === 1, 'a scrape that Prometheus understands');
    report.check('a real Prometheus understands /metrics', true);
    // Rates need two scrapes with something in between, and the recorded series one evaluation.
    await until(async () => {
        await work(server.url);
        return (await prometheus.query('interlock:audit_commit_seconds:p99 > 0')).length > 0
            && (await prometheus.query('interlock:schema_errors:ratio_rate15m > 0')).length > 0
            && (await prometheus.query('interlock:discovery_duration_seconds:p99 > 0')).length > 0;
    }, 'the recorded series', 90_000);
    report.check('the recorded series have values', true);
    await checkNames(report, prometheus);
    await checkRules(report, prometheus);
    await checkDashboard(report, prometheus);
} catch (problem) {
    report.check('the run', false, `${problem.stack}\n${server?.log ?? ''}`);
} finally {
    await prometheus?.stop();
    await server?.stop();
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
report.finish();
