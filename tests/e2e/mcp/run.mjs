// Real MCP clients against the built interlock-server and a real PostgreSQL with an incident.
// Usage: node tests/e2e/mcp/run.mjs --bin DIR     (DIR holds interlock and interlock-server)
// Prints one line a check; exit code 0 only when every check passed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { bin: { type: 'string' } } });
if (!values.bin) {
    console.error('usage: node run.mjs --bin DIR');
    process.exit(2);
}
const program = (name) => {
    const path = join(resolve(values.bin), name);
    if (!existsSync(path)) {
        console.error(`fail  ${path} is not built`);
        process.exit(1);
    }
    return path;
};
const serverProgram = program('interlock-server');
const cliProgram = program('interlock');

let modules;
try {
    modules = {
        ...(await import('./clients.mjs')),
        ...(await import('./postgres.mjs')),
        ...(await import('./server.mjs')),
        Ajv: (await import('ajv/dist/2020.js')).default,
    };
} catch (problem) {
    console.error(`fail  node modules are missing (npm ci in tests/e2e): ${problem.message}`);
    process.exit(1);
}
const { clients, Postgres, HttpServer, stdioArguments, Ajv } = modules;

let failures = 0;
let checks = 0;
function check(name, holds, detail = '') {
    ++checks;
    failures += holds ? 0 : 1;
    console.log(`${holds ? 'pass' : 'fail'}  ${name}${holds || !detail ? '' : `: ${detail}`}`);
}

const ajv = new Ajv({ strict: false });
const readOnly = (tool) => tool.annotations?.readOnlyHint === true;

async function drive(label, client, transport) {
    try {
        await client.connect(transport);
        const { tools } = await client.listTools();
        const diagnose = tools.find((tool) => tool.name === 'diagnose');
        check(`${label}: tools/list has diagnose, read-only`, diagnose && readOnly(diagnose));
        const result = await client.callTool({ name: 'diagnose', arguments: { target: 'shop' } });
        const detail = JSON.stringify(result).slice(0, 800);
        check(`${label}: diagnose answers`, result.isError !== true, detail);
        const valid = ajv.compile(diagnose.outputSchema);
        check(
            `${label}: structuredContent fits outputSchema`,
            valid(result.structuredContent),
            ajv.errorsText(valid.errors),
        );
        const [cause] = result.structuredContent?.causes ?? [];
        check(`${label}: the incident is named`, cause?.id === 'lock.idle_in_tx', detail);
        check(
            `${label}: text for a reader comes with it`,
            result.content?.[0]?.type === 'text' && result.content[0].text.length > 0,
        );
        const wrong = await client.callTool({ name: 'diagnose', arguments: { target: 7 } });
        check(`${label}: a bad argument is a tool error`, wrong.isError === true);
        const unknown = await client.callTool({ name: 'no_such_tool', arguments: {} }).then(
            () => undefined,
            (problem) => problem,
        );
        check(`${label}: an unknown tool is a protocol error`, unknown?.code === -32602, unknown);
        const plan = await propose(client, result.structuredContent);
        check(
            `${label}: a plan can be proposed`,
            plan.isError !== true && plan.structuredContent?.digest,
            JSON.stringify(plan).slice(0, 800),
        );
    } catch (problem) {
        check(label, false, problem.stack);
    } finally {
        await client.close().catch(() => {});
    }
}

function propose(client, diagnosis) {
    const [cause] = diagnosis.causes;
    const [runbook] = cause.runbooks;
    return client.callTool({
        name: 'propose_plan',
        arguments: {
            runbook: runbook.id,
            target: 'shop',
            cause: cause.id,
            parameters: runbook.parameters,
            hypothesis: 'an application left its transaction open',
            evidence: [diagnosis.id],
        },
    });
}

/** A credential that can write must stop the start, whatever the transport. */
function refusesWriter(conninfo, directory) {
    const args = stdioArguments(`shop=${conninfo}`, directory);
    const ended = spawnSync(serverProgram, args, { encoding: 'utf8', input: '', timeout: 30_000 });
    check('a superuser credential ends the start with exit code 3', ended.status === 3, ended.stderr);
    check('... and stdout stays empty', ended.stdout === '', ended.stdout);
}

async function operators(server) {
    for (const path of ['/healthz', '/readyz', '/metrics']) {
        const response = await fetch(server.url + path);
        check(`HTTP: GET ${path} is 200`, response.status === 200, response.status);
    }
}

const scratch = mkdtempSync(join(tmpdir(), 'interlock-e2e-state-'));
let postgres;
let server;
try {
    postgres = await Postgres.start();
    postgres.sql('create database shop');
    postgres.sql(execFileSync(cliProgram, ['init', '--database', 'shop'], { encoding: 'utf8' }), 'shop');
    await postgres.incident('shop');
    const target = `shop=${postgres.conninfo('interlock_diag', 'shop')}`;
    for (const { name, make, stdio } of clients) {
        const args = stdioArguments(target, join(scratch, 'stdio'));
        await drive(`stdio, ${name}`, make(), stdio(serverProgram, args));
    }
    server = await HttpServer.start(serverProgram, target, scratch);
    for (const { name, make, http } of clients) {
        await drive(`HTTP, ${name}`, make(), http(server.url));
    }
    await operators(server);
    refusesWriter(postgres.conninfo('postgres', 'shop'), join(scratch, 'refused'));
    check('the server ends with exit code 0 on SIGTERM', (await server.stop()) === 0, server.log);
} catch (problem) {
    check('the run', false, problem.stack);
} finally {
    await server?.stop();
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
console.log(`${checks - failures} of ${checks} checks passed`);
process.exit(failures === 0 ? 0 : 1);
