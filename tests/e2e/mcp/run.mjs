// Real MCP clients against the built interlock-server and a real PostgreSQL with an incident.
// Usage: node tests/e2e/mcp/run.mjs --bin DIR     (DIR holds interlock and interlock-server)
// Prints one line a check; exit code 0 only when every check passed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Listening } from '../support/child.mjs';
import { Postgres } from '../support/postgres.mjs';
import { moduleFile, program } from '../support/programs.mjs';
import { Report } from '../support/report.mjs';
import { serverArguments } from '../support/server.mjs';

const serverProgram = program('interlock-server');
const cliProgram = program('interlock');
moduleFile('ajv/package.json');
const { clients } = await import('../support/clients.mjs');
const parts = await import('./parts.mjs');

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-e2e-state-'));
/** In this order: later parts use what earlier ones found. */
const order = [
    parts.diagnoses,
    parts.errs,
    parts.proposes,
    parts.reads,
    parts.prompts,
    parts.completes,
    parts.cancels,
    parts.watches,
];

/** `more`: what a seat has on this transport only, and the parts that need it. */
async function drive(transportName, kind, transport, postgres, more = {}, last = []) {
    const seat = { kind, client: kind.make(), postgres, ...more };
    const label = `${transportName}, ${kind.name}`;
    const check = (name, ...rest) => report.check(`${label}: ${name}`, ...rest);
    try {
        await seat.client.connect(transport);
        for (const part of [...order, ...last]) {
            await report.part(`${label}: ${part.name}`, () => part(check, seat));
        }
    } catch (problem) {
        report.check(label, false, problem.stack);
    } finally {
        await seat.client.close().catch(() => {});
    }
}

/** A credential that can write must stop the start, whatever the transport. */
function refusesWriter(conninfo) {
    const args = ['--stdio', ...serverArguments({ shop: conninfo }, join(scratch, 'refused'))];
    const ended = spawnSync(serverProgram, args, { encoding: 'utf8', input: '', timeout: 30_000 });
    const refused = 'a superuser credential ends the start with exit code 3';
    report.check(refused, ended.status === 3, ended.stderr);
    report.check('... and stdout stays empty', ended.stdout === '', ended.stdout);
}

async function operators(url) {
    for (const path of ['/healthz', '/readyz', '/metrics']) {
        const response = await fetch(url + path);
        report.check(`HTTP: GET ${path} is 200`, response.status === 200, response.status);
    }
}

/** The curl commands of docs/clients.md, against this server. */
function documented(url) {
    const text = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
    const blocks = [...text.matchAll(/```sh\n([^`]*?)```/g)].map((match) => match[1]);
    const commands = blocks.filter((block) => block.includes('curl '));
    report.check('docs/clients.md shows both eras', commands.length === 2, commands.length);
    for (const command of commands) {
        const here = command.replace(/https?:\/\/[\w.:]+\/mcp/g, `${url}/mcp`);
        const env = { ...process.env, INTERLOCK_TOKEN: 'none' };
        const ran = spawnSync('bash', ['-c', here], { encoding: 'utf8', env, timeout: 30_000 });
        const answered = ran.status === 0 && ran.stdout.includes('"result"');
        report.check('a documented curl command works', answered, ran.stdout + ran.stderr);
    }
}

let postgres;
let server;
try {
    postgres = await Postgres.start();
    const targets = {
        shop: postgres.target(cliProgram, 'shop'),
        slow: postgres.target(cliProgram, 'slow'),
    };
    postgres.slow('slow');
    await postgres.incident('shop');
    for (const kind of clients) {
        const args = ['--stdio', ...serverArguments(targets, join(scratch, 'stdio'))];
        await drive('stdio', kind, kind.stdio(serverProgram, args), postgres);
    }
    const config = join(scratch, 'server.yaml');
    const configure = (toolsets) => writeFileSync(config, `toolsets: [${toolsets.join(', ')}]\n`);
    configure(parts.toolsets);
    const args = ['--config', config, ...serverArguments(targets, scratch)];
    server = await Listening.start(serverProgram, args, scratch);
    const reload = (toolsets) => {
        configure(toolsets);
        server.child.kill('SIGHUP');
    };
    for (const kind of clients) {
        await drive('HTTP', kind, kind.http(server.url), postgres, { reload }, [parts.reloads]);
    }
    await operators(server.url);
    documented(server.url);
    refusesWriter(postgres.conninfo('postgres', 'shop'));
    report.check('the server ends with exit code 0', (await server.stop()) === 0, server.log);
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    await server?.stop();
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
report.finish();
