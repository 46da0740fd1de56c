// Run by run.mjs, which made the certificates in INTERLOCK_E2E_SCRATCH.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';

import { Listening, until } from '../support/child.mjs';
import { clients } from '../support/clients.mjs';
import { Postgres } from '../support/postgres.mjs';
import { program } from '../support/programs.mjs';
import { modern, modernHeaders, post } from '../support/raw.mjs';
import { brief, Report } from '../support/report.mjs';
import { issuer, jwks, Key, resource } from './tokens.mjs';

const serverProgram = program('interlock-server');
const cliProgram = program('interlock');
const scratch = process.env.INTERLOCK_E2E_SCRATCH;
const report = new Report();
const role = 'shop_reader';
const [first, second] = [new Key('k1'), new Key('k2')];
const stranger = new Key('k1'); // another key under a known name

const file = (name) => join(scratch, name);
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const challengeOf = (response) => response.headers.get('www-authenticate') ?? '';

/** In one piece, so that the server never reads half of it. */
function replace(name, text) {
    writeFileSync(file(`${name}.next`), text, { mode: 0o600 });
    renameSync(file(`${name}.next`), file(name));
}

function useCertificate(name) {
    for (const [from, to] of [[`${name}.pem`, 'server.pem'], [`${name}.key`, 'server.key']]) {
        copyFileSync(file(from), file(`${to}.next`));
        renameSync(file(`${to}.next`), file(to));
    }
}

function configure(target) {
    replace('keys.json', jwks(first));
    useCertificate('first');
    replace(
        'server.yaml',
        `state: state
targets: [{name: shop, conninfo: "${target}"}]
tls: {certificate: server.pem, key: server.key}
authorization:
  resource: ${resource}
  clock_skew_seconds: 0
  issuers:
    - {issuer: "${issuer}", jwks: keys.json, algorithms: [RS256]}
  rules:
    - {claims: {groups: dba}, database_role: ${role}}
`,
    );
}

const list = modern(1, 'tools/list');
const status = async (url, token) =>
    (await post(url, list, { headers: { ...modernHeaders(list), ...bearer(token) } })).status;

async function tellsTheWay(url) {
    const refused = await post(url, list, { headers: modernHeaders(list) });
    const metadata = 'https://interlock.example/.well-known/oauth-protected-resource/mcp';
    report.check('without a token: 401', refused.status === 401, refused.status);
    const named = challengeOf(refused).includes(`resource_metadata="${metadata}"`);
    report.check('... with the way to the metadata', named, challengeOf(refused));
    const blamed = challengeOf(refused).includes('error=');
    report.check('... and no error', !blamed, challengeOf(refused));
    for (const [path, of] of [['', 'https://interlock.example'], ['/mcp', resource]]) {
        const response = await fetch(`${url}/.well-known/oauth-protected-resource${path}`);
        const document = await response.json();
        const servers = document.authorization_servers;
        const right = document.resource === of && servers?.length === 1 && servers[0] === issuer;
        report.check(`the metadata of ${of}`, response.status === 200 && right, brief(document));
    }
}

/** Only of those who wait is it asked who blocks them. */
async function someWait(postgres) {
    postgres.sql('create table orders (id int)', 'shop');
    const locks = (condition) =>
        Number(postgres.sql(`select count(*) from pg_locks where ${condition}`, 'shop'));
    const held = "relation = 'orders'::regclass and mode = 'AccessExclusiveLock'";
    postgres.session('begin; lock table orders in access exclusive mode;', 'shop', 'postgres');
    await until(() => locks(held) === 1, 'the holder holding');
    postgres.session('select * from orders;', 'shop', 'postgres');
    await until(() => locks('not granted') === 1, 'the waiter waiting');
}

/** Who a statement runs as shows in the lock that it holds: the number of its current role. */
function runsAs(postgres) {
    const locks = "pg_locks where locktype = 'advisory' and granted";
    return postgres.sql(`select string_agg(distinct objid::regrole::text, ',') from ${locks}`);
}

async function works(url, kind, postgres) {
    const client = kind.make();
    const check = (name, ...rest) => report.check(`${kind.name}: ${name}`, ...rest);
    const call = (name, args) => kind.call(client, { name, arguments: args });
    try {
        await client.connect(kind.http(url, bearer(first.token())));
        const targets = await call('list_targets', {});
        check('list_targets over https', targets.isError !== true, brief(targets));
        const activity = await call('get_activity', { target: 'shop' });
        check('get_activity over https', activity.isError !== true, brief(activity));
        const blocking = call('get_blocking', { target: 'shop' });
        const seen = await until(() => runsAs(postgres), 'the statement running');
        check('its statement runs as the role of the rule', seen === role, seen);
        const result = await blocking;
        check('... and comes back', result.isError !== true, brief(result));
    } finally {
        await client.close().catch(() => {});
    }
}

async function refuses(url) {
    const now = Math.floor(Date.now() / 1000);
    const [head, claims, signature] = first.token().split('.');
    const [, others] = first.token({ sub: 'root' }).split('.');
    const forged = {
        'another key': stranger.token(),
        'an unknown key': second.token(),
        'alg none': first.unsigned(),
        'the public key as a secret': first.confused(),
        'other claims under the signature': `${head}.${others}.${signature}`,
        'no signature': `${head}.${claims}.`,
        'a key file by its path': stranger.token({}, { kid: '../../keys.json' }),
        'a key of its own': stranger.token({}, { jwk: stranger.jwk(), jku: `${url}/keys` }),
        'another audience': first.token({ aud: 'https://other.example/mcp' }),
        'another issuer': first.token({ iss: 'https://evil.example' }),
        'a second ago': first.token({ exp: now - 1 }),
        'tomorrow': first.token({ nbf: now + 86_400 }),
        'no end': first.token({ exp: undefined }),
        'a subject of this machine': first.token({ sub: 'os:root' }),
    };
    for (const [name, token] of Object.entries(forged)) {
        const headers = { ...modernHeaders(list), ...bearer(token) };
        const response = await post(url, list, { headers });
        const told = challengeOf(response).includes('error="invalid_token"');
        report.check(`a token of ${name}: 401`, response.status === 401 && told, response.status);
    }
    const unmapped = await status(url, first.token({ groups: ['other'] }));
    report.check('a caller without a rule: 403', unmapped === 403, unmapped);
    const call = modern(2, 'tools/call', { name: 'get_activity', arguments: {} });
    const narrow = first.token({ scope: 'interlock:orientation' });
    const headers = { ...modernHeaders(call), ...bearer(narrow) };
    const response = await post(url, call, { headers });
    const challenge = challengeOf(response);
    report.check('a scope that is missing: 403', response.status === 403, response.status);
    const named =
        challenge.includes('error="insufficient_scope"') && /scope="interlock:\w+"/.test(challenge);
    report.check('... named in the challenge', named, challenge);
    const body = { method: 'POST', body: 'x'.repeat(1000), headers: bearer(first.token()) };
    const stray = await fetch(`${url}/healthz`, body);
    report.check('a body where none belongs: 413', stray.status === 413, stray.status);
}

/** Streams end with the token that opened them, whatever else the client does. */
async function endsStreams(url) {
    const lifetime = 3_000;
    const exp = Math.floor((Date.now() + lifetime) / 1000) + 1;
    const listen = modern(3, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
    const headers = { ...modernHeaders(listen), ...bearer(first.token({ exp })) };
    const stream = await post(url, listen, { headers });
    report.check('a stream opens with a token', stream.status === 200, stream.status);
    const text = await Promise.race([stream.text().catch(String), pause(20_000)]);
    const late = Date.now() - exp * 1000;
    report.check('... and ends with it', text !== undefined && late >= 0 && late < 2_000, late);
}

async function rotates(server, url) {
    replace('keys.json', jwks(second));
    server.child.kill('SIGHUP');
    const taken = await until(async () => (await status(url, second.token())) === 200, 'rotation');
    report.check('SIGHUP takes the new key', taken);
    const old = await status(url, first.token());
    report.check('... and no token of the old one', old === 401, old);
    replace('keys.json', '{"keys":[]}');
    server.child.kill('SIGHUP');
    const closed = await until(async () => (await status(url, second.token())) === 503, 'closing');
    report.check('a key set without keys closes the door', closed);
    replace('keys.json', jwks(first, second));
    server.child.kill('SIGHUP');
    await until(async () => (await status(url, first.token())) === 200, 'both keys');
}

/** One request over the agent's only connection: its status, and whose certificate it was under. */
function ask(server, agent) {
    return new Promise((resolve, reject) => {
        const options = { port: server.port, host: '127.0.0.1', path: '/healthz', agent };
        const sent = request(options, (response) => {
            const { CN } = response.socket.getPeerCertificate().subject;
            const seen = { status: response.statusCode, CN, port: response.socket.localPort };
            response.resume().once('end', () => resolve(seen));
        });
        sent.once('error', reject).end();
    });
}

/** What a new connection sees. */
function servedCertificate(server) {
    return new Promise((resolve, reject) => {
        const options = { port: server.port, host: '127.0.0.1' };
        const socket = connect(options, () => {
            resolve(socket.getPeerCertificate().subject.CN);
            socket.end();
        });
        socket.once('error', reject);
    });
}

async function reloadsCertificate(server) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = await ask(server, agent);
    useCertificate('second');
    server.child.kill('SIGHUP');
    const served = await until(
        async () => (await servedCertificate(server)) === 'second',
        'the new certificate',
    );
    report.check('SIGHUP serves the new certificate', served);
    const after = await ask(server, agent);
    const same = after.status === 200 && after.CN === 'first' && after.port === before.port;
    report.check('... and keeps the connections that are there', same, brief([before, after]));
    agent.destroy();
}

/** The curl commands of docs/clients.md that carry a token. */
async function documented(url) {
    const text = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
    const blocks = [...text.matchAll(/```sh\n([^`]*?)```/g)].map((match) => match[1]);
    const commands = blocks.filter((block) => block.includes('$INTERLOCK_TOKEN'));
    report.check('docs/clients.md shows a token', commands.length > 0, commands.length);
    for (const command of commands) {
        const here = command.replace(/https?:\/\/[\w.:]+\/mcp/g, `${url}/mcp`);
        const trusted = process.env.NODE_EXTRA_CA_CERTS;
        const run = (token) => {
            const env = { ...process.env, INTERLOCK_TOKEN: token, CURL_CA_BUNDLE: trusted };
            return spawnSync('bash', ['-c', here], { encoding: 'utf8', env, timeout: 30_000 });
        };
        const good = run(first.token());
        const answered = good.status === 0 && good.stdout.includes('"result"');
        report.check('a documented curl command works', answered, good.stdout + good.stderr);
        const bad = run(stranger.token()).stdout;
        report.check('... and not with a forged token', bad.includes('invalid_token'), bad);
    }
}

function staysIn(target) {
    const shop = ['--target', `shop=${target}`];
    const args = ['--listen', '192.0.2.1:0', '--state', file('refused'), ...shop];
    const ended = spawnSync(serverProgram, args, { encoding: 'utf8', timeout: 30_000 });
    const told = ended.status === 2 && ended.stderr.includes('authorization');
    report.check('beyond loopback without authorization: exit code 2', told, ended.stderr);
}

let postgres;
let server;
try {
    postgres = await Postgres.start();
    const target = postgres.target(cliProgram, 'shop');
    postgres.sql(`create role ${role}; grant pg_monitor to ${role}`);
    postgres.sql(`grant ${role} to interlock_diag`);
    postgres.marked('shop');
    await someWait(postgres);
    configure(target);
    server = await Listening.start(serverProgram, ['--config', file('server.yaml')], scratch);
    const url = `https://127.0.0.1:${server.port}`;
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, 'the keys read');
    await report.part('the way to a token', () => tellsTheWay(url));
    for (const kind of clients) {
        await report.part(kind.name, () => works(url, kind, postgres));
    }
    await report.part('refusals', () => refuses(url));
    await report.part('documentation', () => documented(url));
    await report.part('streams', () => endsStreams(url));
    await report.part('key rotation', () => rotates(server, url));
    await report.part('certificate reload', () => reloadsCertificate(server));
    const leaked = [first, second].some((key) => server.log.includes(key.token().split('.')[0]));
    report.check('no token is in the log', !leaked, server.log);
    staysIn(target);
    report.check('the server ends with exit code 0', (await server.stop()) === 0, server.log);
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    await server?.stop();
    await postgres?.stop();
}
report.finish();
