// The spans that the built interlock-server sends, read by the protobuf definitions of OpenTelemetry.
// Usage: node tests/e2e/telemetry/run.mjs --bin DIR     (DIR holds interlock and interlock-server)
// Prints one line a check; exit code 0 only when every check passed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Listening, until } from '../support/child.mjs';
import { Postgres } from '../support/postgres.mjs';
import { moduleFile, program } from '../support/programs.mjs';
import { modern, modernHeaders, post } from '../support/raw.mjs';
import { brief, Report } from '../support/report.mjs';
import { serverArguments } from '../support/server.mjs';

const serverProgram = program('interlock-server');
const cliProgram = program('interlock');
moduleFile('@opentelemetry/otlp-transformer/package.json');
const { clients } = await import('../support/clients.mjs');
const { Collector, decoded, spansOf } = await import('./collector.mjs');

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-e2e-telemetry-'));
const secret = 'Bearer s3cret-of-the-collector';
const literal = 'hunter2-in-the-arguments';
const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const ambient = { traceId: '11111111111111111111111111111111', spanId: '2222222222222222' };
const traceparent = ({ traceId, spanId }) => `00-${traceId}-${spanId}-01`;

function settings(collector, more = {}) {
    return {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(secret)},x-tenant=t1`,
        OTEL_SERVICE_NAME: 'interlock-under-test',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=e2e',
        OTEL_BSP_SCHEDULE_DELAY: '50',
        ...more,
    };
}

/** Both official clients, every kind of operation that a diagnosis has. */
async function drive(kind, url) {
    const client = kind.make();
    await client.connect(kind.http(url));
    const call = (name, args) => kind.call(client, { name, arguments: args });
    await client.listTools();
    await call('get_activity', { target: 'shop' });
    await call('get_activity', { target: 'nowhere' });
    await call('get_activity', { target: 'shop', surprise: literal });
    await call('diagnose', { target: 'shop' });
    await client.listResources();
    await client.getPrompt({
        name: 'diagnose_incident',
        arguments: { target: 'shop', symptom: literal },
    });
    await call(literal, {}).catch(() => {});
    await client.close();
}

/** What no client library sends: a caller's trace in _meta, and another in the HTTP headers. */
async function callWithTraces(url) {
    const message = modern(7, 'tools/call', {
        name: 'get_activity',
        arguments: { target: 'shop' },
        _meta: { traceparent: traceparent(parent) },
    });
    const headers = { ...modernHeaders(message), traceparent: traceparent(ambient) };
    const response = await post(url, message, { headers });
    report.check('a call with a trace is answered', response.status === 200, response.status);
    await response.text();
}

function checkRequests(collector) {
    const all = (holds) => collector.requests.every(holds);
    report.check('requests came', collector.requests.length > 0);
    report.check('... by POST /v1/traces', all((r) => r.method === 'POST' && r.url === '/v1/traces'));
    report.check('... as JSON', all((r) => r.headers['content-type'] === 'application/json'));
    report.check('... packed', all((r) => r.headers['content-encoding'] === 'gzip'));
    report.check('... with the headers', all((r) => r.headers.authorization === secret));
    report.check('... again after 503', collector.requests[0].status === 503);
    report.check('... the same again', collector.requests[1]?.text === collector.requests[0].text);
    report.check(
        'every request reads the same by the protobuf definitions',
        collector.problems.length === 0,
        collector.problems[0],
    );
    const services = new Set(collector.spans.map((span) => span.service));
    report.check('the service has its name', [...services].join() === 'interlock-under-test');
    report.check('no argument is in a span', !all((r) => !r.text.includes('get_activity')) &&
        all((r) => !r.text.includes(literal)));
    const ids = collector.spans.map((span) => span.spanId);
    report.check('span ids are unique', new Set(ids).size === ids.length);
    report.check(
        'no span ends before it starts',
        collector.spans.every((s) => BigInt(s.endTimeUnixNano) >= BigInt(s.startTimeUnixNano)),
    );
}

function checkCall(collector, kind, transport) {
    const label = `${transport}, ${kind.name}`;
    const version = kind.modern ? '2026-07-28' : '2025-11-25';
    const of = (method, more = () => true) =>
        collector.find(
            ({ attributes: a }) =>
                a['mcp.method.name'] === method && a['mcp.protocol.version'] === version && more(a),
        );
    const call = of('tools/call', (a) => a['interlock.tool.outcome'] === 'ok' &&
        a['gen_ai.tool.name'] === 'get_activity');
    if (!call) {
        report.check(`${label}: a call has a span`, false);
        return;
    }
    const a = call.attributes;
    const has = (name, holds, detail = brief(a)) => report.check(`${label}: ${name}`, holds, detail);
    has('its span is a server\'s', call.kind === 2 && call.name === 'tools/call get_activity', call.name);
    has('it is no failure', !call.status?.code);
    has('execute_tool', a['gen_ai.operation.name'] === 'execute_tool');
    has('the request is named', /^\d+$/.test(a['jsonrpc.request.id'] ?? ''));
    has('transport', a['network.transport'] === 'tcp' && a['network.protocol.name'] === 'http' &&
        a['network.protocol.version'] === '1.1');
    has('caller', a['client.address'] === '127.0.0.1' && Number(a['client.port']) > 0);
    has('a session in legacy spans only', ('mcp.session.id' in a) === !kind.modern);
    has('payload sizes', Number(a['mcp.payload_bytes']) > 0 && Number(a['mcp.payload_bytes_in']) > 0 &&
        Number(a['mcp.payload_bytes_uncut']) > 0);
    const who = JSON.parse(a['mcp.identity_context'] ?? '{}');
    has('who asked', who.subject && who.issuer === 'loopback' && who.proof === 'none' &&
        who.database_role === null, brief(who));
    has('no schema errors', a['mcp.schema_validation_errors'] === '0');
    has('digest of the arguments', /^[0-9a-f]{64}$/.test(a['interlock.arguments.hmac'] ?? ''));
    const children = collector.children(call);
    const names = children.map((child) => child.name);
    for (const name of ['validate_arguments', 'borrow_connection', 'render_result']) {
        has(`child ${name}`, names.includes(name), names.join());
    }
    const statements = children.filter((child) => child.kind === 3);
    has('a span for each statement', statements.length > 0 && statements.every(({ attributes: s }) =>
        s['db.system.name'] === 'postgresql' && s['interlock.db.role'] === 'interlock_diag' &&
        Number(s['interlock.db.backend_pid']) > 0 && 'db.response.returned_rows' in s &&
        'interlock.db.bytes' in s), brief(statements[0]));
    const misfit = of('tools/call', (x) => x['mcp.schema_validation_errors'] === '1');
    has('arguments that do not fit are counted', misfit?.attributes['error.type'] === 'tool_error' &&
        misfit.status.code === 2 && misfit.attributes['interlock.tool.outcome'] === 'invalid_arguments',
        brief(misfit));
    const stranger = of('tools/call', (x) => x['rpc.response.status_code'] === '-32602');
    has('a tool that there is not is no name of a span', stranger?.name === 'tools/call' &&
        !stranger.status?.code, brief(stranger));
    has('a prompt has its name', of('prompts/get')?.name === 'prompts/get diagnose_incident');
    has('tools/list has a span', of('tools/list')?.kind === 2);
}

function checkTraces(collector) {
    const call = collector.find((span) => span.traceId === parent.traceId && span.kind === 2);
    report.check('_meta.traceparent is the parent', call?.parentSpanId === parent.spanId, brief(call));
    const [link] = call?.links ?? [];
    report.check('the trace of the HTTP request is linked', link?.traceId === ambient.traceId &&
        link?.spanId === ambient.spanId, brief(call?.links));
}

/** The local file holds the same, whatever becomes of the collector. */
function checkFile(state, least) {
    const text = readFileSync(join(state, 'spans', 'interlock-server.jsonl'), 'utf8');
    const spans = text.trim().split('\n').flatMap((line) => spansOf(decoded(line)));
    report.check('the local file has the spans too', spans.length >= least, spans.length);
    return spans;
}

async function withServer(name, targets, env, action) {
    const directory = join(scratch, name);
    const server = await Listening.start(
        serverProgram, serverArguments(targets, directory), directory, env);
    try {
        await action(server);
    } finally {
        const began = Date.now();
        const exit = await server.stop();
        report.check(`${name}: the server ends with exit code 0`, exit === 0, server.log);
        report.check(`${name}: and soon`, Date.now() - began < 10_000, Date.now() - began);
    }
    return { state: join(directory, 'state'), log: server.log };
}

async function sends(targets) {
    const collector = await Collector.start();
    collector.answers.push([503, { 'Retry-After': '0' }]);
    try {
        const { state, log } = await withServer('sends', targets, settings(collector), async (server) => {
            for (const kind of clients) {
                await drive(kind, server.url);
            }
            await callWithTraces(server.url);
            await until(() => collector.find((s) => s.traceId === parent.traceId && s.kind === 2),
                'the last call\'s span arriving');
            const args = readFileSync(`/proc/${server.child.pid}/cmdline`, 'utf8');
            report.check('no secret is in the arguments', !args.includes('s3cret'));
        });
        report.check('no secret is in the log', !log.includes('s3cret'));
        checkRequests(collector);
        for (const kind of clients) {
            checkCall(collector, kind, 'HTTP');
        }
        checkTraces(collector);
        const kept = checkFile(state, 20);
        const ids = (spans) => spans.map((span) => span.spanId).sort().join();
        report.check('... and exactly those', ids(kept) === ids(collector.spans));
    } finally {
        await collector.stop();
    }
}

/** What waits for a batch is sent at the end. */
async function flushes(targets) {
    const collector = await Collector.start();
    try {
        const env = settings(collector, { OTEL_BSP_SCHEDULE_DELAY: '3600000' });
        await withServer('flushes', targets, env, (server) => callWithTraces(server.url));
        report.check('a stop sends what waits', collector.spans.length > 4, collector.spans.length);
    } finally {
        await collector.stop();
    }
}

/** Nobody listens there: calls do not notice, the loss is counted, the file has all. */
async function survives(targets) {
    const collector = await Collector.start();
    await collector.stop();
    const env = settings(collector, { OTEL_BSP_EXPORT_TIMEOUT: '100', OTEL_BSP_MAX_QUEUE_SIZE: '4' });
    const { state } = await withServer('survives', targets, env, async (server) => {
        for (let i = 0; i < 5; ++i) {
            await callWithTraces(server.url);
        }
        await until(async () => {
            const text = await (await fetch(`${server.url}/metrics`)).text();
            return /interlock_spans_dropped_total\{reason="export_\w+"\} [1-9]/.test(text);
        }, 'the loss being counted');
    });
    checkFile(state, 20);
}

function refuses(targets) {
    const args = ['--stdio', ...serverArguments(targets, join(scratch, 'refuses'))];
    const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    const ended = spawnSync(serverProgram, args, { encoding: 'utf8', input: '', timeout: 30_000, env });
    report.check('another protocol is refused', ended.status !== 0 && ended.status !== null, ended.status);
    report.check('... and why', ended.stderr.includes('OTEL_EXPORTER_OTLP_PROTOCOL') &&
        ended.stderr.includes('http/json'), ended.stderr);
}

let postgres;
try {
    postgres = await Postgres.start();
    const targets = { shop: postgres.target(cliProgram, 'shop') };
    refuses(targets);
    await sends(targets);
    await flushes(targets);
    await survives(targets);
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
report.finish();
