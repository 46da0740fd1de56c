// MCP Inspector's CLI, as a person would use it, against interlock-conformance and against
// interlock-server with a real PostgreSQL: every era it knows, over stdio and HTTP, and its lint of
// tool schemas.
// Usage: node tests/e2e/inspector/run.mjs --bin DIR
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Listening } from '../support/child.mjs';
import { Postgres } from '../support/postgres.mjs';
import { moduleFile, program } from '../support/programs.mjs';
import { brief, Report } from '../support/report.mjs';
import { serverArguments } from '../support/server.mjs';

const inspector = moduleFile('@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const conformance = program('interlock-conformance');
const server = program('interlock-server');
const cli = program('interlock');
const eras = ['legacy', 'auto', 'modern'];

/** What is asked of each target, and what its answer must hold. */
const questions = {
    conformance: [
        [['tools/list'], (result) => result.tools.length > 30],
        [
            ['tools/call', '--tool-name', 'greet', '--tool-arg', 'name=Ada'],
            (result) => result.content[0].text === 'Hello, Ada!',
        ],
        [['resources/list'], (result) => result.resources.length === 3],
        [
            ['resources/read', '--uri', 'test://template/7/data'],
            (result) => JSON.parse(result.contents[0].text).id === '7',
        ],
        [['prompts/list'], (result) => result.prompts.length === 5],
        [
            [
                'prompts/get',
                '--prompt-name',
                'test_prompt_with_arguments',
                '--prompt-args',
                'arg1=a',
                'arg2=b',
            ],
            (result) => result.messages[0].content.text.includes("arg1='a', arg2='b'"),
        ],
    ],
    server: [
        [['tools/list', '--strict'], (result) => result.tools.length >= 8],
        [
            ['tools/call', '--tool-name', 'get_activity', '--tool-arg', 'target=shop'],
            (result) => result.isError !== true && result.structuredContent.id.length > 0,
        ],
        [
            ['resources/list'],
            (result) => result.resources.some((each) => each.uri.startsWith('runbook://')),
        ],
        [
            ['resources/read', '--uri', 'runbook://release-blocking-session'],
            (result) => result.contents[0].text.length > 0,
        ],
        [['prompts/list'], (result) => result.prompts.length === 2],
        [
            ['prompts/get', '--prompt-name', 'diagnose_incident', '--prompt-args', 'target=shop'],
            (result) => result.messages[0].content.text.includes('shop'),
        ],
    ],
};

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-inspector-'));
const config = join(scratch, 'config.json');

// No keychain is asked, and nothing is written to the home of who runs this.
const env = { ...process.env, HOME: scratch, MCP_INSPECTOR_SECRET_STORE: 'memory' };

function ask(target, era, method) {
    const args = [
        inspector,
        '--cli',
        '--config',
        config,
        '--server',
        target,
        '--protocol-era',
        era,
        '--format',
        'json',
        '--method',
        ...method,
    ];
    const options = { encoding: 'utf8', env, timeout: 60_000 };
    return new Promise((resolve) => {
        execFile(process.execPath, args, options, (problem, stdout, stderr) => {
            resolve({ code: problem ? (problem.code ?? 'killed') : 0, stdout, stderr });
        });
    });
}

/** One line of output of `--format json`: the result, wrapped or not. */
function resultOf(stdout) {
    const parsed = JSON.parse(stdout);
    return parsed.result ?? parsed;
}

async function check({ name, target, era, method, holds }) {
    const label = `${name}, ${era}: ${method.join(' ')}`;
    await report.part(label, async () => {
        const { code, stdout, stderr } = await ask(target, era, method);
        const good = code === 0 && holds(resultOf(stdout));
        report.check(label, good, `exit code ${code} ${stderr.slice(-800)} ${brief(stdout)}`);
    });
}

/** All of them, some at a time: each is a process of its own that mostly waits. */
async function checkAll(work) {
    const next = work.values();
    const worker = async () => {
        for (const each of next) {
            await check(each);
        }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
}

let postgres;
const listening = [];
try {
    postgres = await Postgres.start();
    const shop = { shop: postgres.target(cli, 'shop') };
    const args = (transport) => serverArguments(shop, join(scratch, transport));
    const fixtures = await Listening.start(conformance, [], join(scratch, 'fixtures'));
    listening.push(fixtures);
    const real = await Listening.start(server, args('http'), join(scratch, 'http'));
    listening.push(real);
    const http = ({ url }) => ({ type: 'streamable-http', url: `${url}/mcp` });
    const targets = {
        'conformance-stdio': { command: conformance, args: ['--stdio'] },
        'conformance-http': http(fixtures),
        'server-stdio': { command: server, args: ['--stdio', ...args('stdio')] },
        'server-http': http(real),
    };
    writeFileSync(config, JSON.stringify({ mcpServers: targets }));
    const work = Object.keys(targets).flatMap((target) => {
        const [name] = target.split('-');
        return eras.flatMap((era) =>
            questions[name].map(([method, holds]) => ({
                name: target,
                target,
                era,
                method,
                holds,
            })),
        );
    });
    await checkAll(work);
    for (const each of listening) {
        report.check('a server ends with exit code 0', (await each.stop()) === 0, each.log);
    }
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    for (const each of listening) {
        await each.stop();
    }
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
report.finish();
