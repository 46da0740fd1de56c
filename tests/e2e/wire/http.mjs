// Streamable HTTP as bytes: sessions and their end, streams that break, what a disconnect means.
import { setTimeout as pause } from 'node:timers/promises';

import { until } from '../support/child.mjs';
import { brief } from '../support/report.mjs';
import {
    answerOf,
    events,
    initialize,
    legacy,
    modern,
    modernHeaders,
    post,
    Session,
    tasks,
    version,
} from '../support/raw.mjs';

const slowCall = (seconds) => ({ name: 'slow_compute', arguments: { seconds } });
const textOf = (answer) => answer?.result?.content?.[0]?.text ?? '';
const send = (url, message, options = {}) =>
    post(url, message, { ...options, headers: { ...modernHeaders(message), ...options.headers } });

async function sessions(check, url) {
    const session = await Session.open(url);
    check('a session has a visible id', /^[\x21-\x7e]{16,}$/.test(session.id), session.id);
    check('which works', (await session.ask('tools/list')).result?.tools?.length > 0);
    const bare = await post(url, legacy(1, 'tools/list'));
    check('without it: 400', bare.status === 400, bare.status);
    const wrong = { 'MCP-Protocol-Version': '1999-01-01' };
    const unknown = await session.post(legacy(1, 'ping'), { headers: wrong });
    check('an unknown version: 400', unknown.status === 400, unknown.status);
    const ended = await session.end();
    check('DELETE ends it', ended.status >= 200 && ended.status < 300, ended.status);
    const statuses = [
        (await session.post(legacy(2, 'tools/list'))).status,
        (await session.listen()).status,
        (await session.end()).status,
    ];
    check('after that: 404', statuses.join() === '404,404,404', statuses.join());
    const forged = { 'Mcp-Session-Id': 'no-such-session' };
    const nowhere = await post(url, legacy(3, 'ping'), { headers: forged });
    check('an unknown session: 404', nowhere.status === 404, nowhere.status);
    const anew = await post(url, initialize(4), { headers: { 'Mcp-Session-Id': session.id } });
    const id = anew.headers.get('mcp-session-id');
    check(
        'initialize with an old id opens another',
        anew.ok && id && id !== session.id,
        anew.status,
    );
}

async function methods(check, url) {
    const headers = { 'MCP-Protocol-Version': version };
    for (const method of ['GET', 'DELETE', 'PUT']) {
        const response = await fetch(`${url}/mcp`, { method, headers });
        check(`modern ${method}: 405`, response.status === 405, response.status);
    }
    const told = await post(
        url,
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        {
            headers: (await Session.open(url)).headers(),
        },
    );
    const body = await told.text();
    check('a notification: 202 and nothing', told.status === 202 && body === '', told.status);
    const plain = await post(url, initialize(1), { headers: { 'Content-Type': 'text/plain' } });
    check('another content type: 415', plain.status === 415, plain.status);
    const broken = await post(url, '{"jsonrpc":', { headers: { 'MCP-Protocol-Version': version } });
    check('broken JSON: 400', broken.status === 400, broken.status);
    check('... and -32700', (await answerOf(broken)).error?.code === -32700);
}

async function batches(check, url) {
    const session = await Session.open(url, '2025-03-26');
    const array = [legacy('a', 'ping'), legacy('b', 'tools/list')];
    const answers = await answerOf(await session.post(array));
    const ids = Array.isArray(answers)
        ? answers
              .map((each) => each.id)
              .sort()
              .join()
        : '';
    check('2025-03-26 has batches', ids === 'a,b', brief(answers));
    const calls = [1, 2].map((id) => legacy(id, 'tools/call', { name: 'test_simple_text' }));
    const called = await answerOf(await session.post(calls));
    check('of calls too', Array.isArray(called) && called.length === 2, brief(called));
    const newer = await Session.open(url);
    const refused = await newer.post(array);
    check('2025-11-25 has none', refused.status === 400, refused.status);
    check('... and says so', (await answerOf(refused)).error?.code === -32600);
}

/** Calls of slow_compute that have ended, however they did. */
async function ended(url) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const count = 'mcp_server_operation_duration_seconds_count';
    const lines = metrics.split('\n').filter((line) => line.startsWith(count));
    const ours = lines.filter((line) => line.includes('"slow_compute"'));
    return ours.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function disconnects(check, url) {
    const before = await ended(url);
    const gone = new AbortController();
    const call = send(url, modern(1, 'tools/call', slowCall(60)), { signal: gone.signal });
    await pause(300);
    check('a modern call runs', (await ended(url)) === before);
    gone.abort();
    await call.catch(() => {});
    const stopped = async () => (await ended(url)) === before + 1;
    const seen = await until(stopped, 'the end of the call', 5_000).catch(() => false);
    check('and ends with its connection', seen);
}

/** A legacy call goes on when its connection breaks; what was missed is said again. */
async function breaks(check, url) {
    const session = await Session.open(url);
    const left = new AbortController();
    const _meta = { progressToken: 'token' };
    const message = legacy(7, 'tools/call', { name: 'test_tool_with_progress', _meta });
    const response = await session.post(message, { signal: left.signal });
    let last;
    for await (const { id, data } of events(response)) {
        last = id;
        if (data) {
            break;
        }
    }
    left.abort();
    check('a stream has places to come back to', last !== undefined);
    await pause(300);
    const patience = AbortSignal.timeout(10_000);
    const stream = await session.listen({ after: last, signal: patience });
    const missed = [];
    for await (const { data } of events(stream)) {
        const said = data ? JSON.parse(data) : {};
        missed.push(said.params?.progress ?? textOf(said));
        if (said.id === 7) {
            break;
        }
    }
    const replayed = missed.length === 3 && missed[0] === 50 && missed[1] === 100;
    check('what was missed is said again', replayed, brief(missed));
    const unknown = await session.listen({ after: 'nowhere', signal: AbortSignal.timeout(5_000) });
    check('an unknown place is refused', unknown.status >= 400, unknown.status);
}

async function standing(check, url) {
    const session = await Session.open(url);
    const gone = new AbortController();
    const stream = await session.listen({ signal: gone.signal });
    const type = stream.headers.get('content-type');
    check('GET opens a stream', stream.ok && type?.includes('text/event-stream'), type);
    const news = [];
    const reading = (async () => {
        for await (const { data } of events(stream)) {
            if (data) {
                news.push(JSON.parse(data).method);
            }
        }
    })().catch(() => {});
    await session.ask('tools/call', { name: 'test_trigger_tool_change' });
    await until(() => news.length > 0, 'news', 5_000).catch(() => {});
    check('which carries news', news.join() === 'notifications/tools/list_changed', news.join());
    await session.ask('tools/call', { name: 'test_trigger_tool_change' });
    gone.abort();
    await reading;
}

/** A call that turns out to be slow becomes a task while its client waits, if it knows tasks. */
async function becomesTask(check, url) {
    const able = { extensions: { [tasks]: {} } };
    const call = { name: 'test_slow_tool', arguments: { seconds: 7 } };
    const [knowing, other] = await Promise.all(
        [able, {}].map(async (capabilities, id) =>
            answerOf(await send(url, modern(id, 'tools/call', call, capabilities))),
        ),
    );
    check('for who knows tasks', knowing.result?.resultType === 'task', brief(knowing));
    check('and for nobody else', textOf(other) === 'Computed for 7 s.', brief(other));
    const { taskId } = knowing.result;
    const task = async (id) =>
        (await answerOf(await send(url, modern(id, 'tasks/get', { taskId }, able)))).result;
    const done = async () => {
        const now = await task('get');
        return now.status === 'completed' && now;
    };
    const result = await until(done, 'the end of the task', 10_000);
    check('the same call ends it', textOf(result) === 'Computed for 7 s.', brief(result));
}

async function taskNews(check, url) {
    const able = { extensions: { [tasks]: {} } };
    const call = await answerOf(await send(url, modern(1, 'tools/call', slowCall(1), able)));
    const taskId = call.result?.taskId;
    check('a slow call becomes a task', call.result?.resultType === 'task', brief(call));
    const gone = new AbortController();
    const notifications = { taskIds: [taskId] };
    const listen = modern('listen', 'subscriptions/listen', { notifications }, able);
    const heard = [];
    const stream = await send(url, listen, { signal: gone.signal });
    const patience = setTimeout(() => gone.abort(), 8_000);
    try {
        for await (const { data } of events(stream)) {
            const message = JSON.parse(data ?? '{}');
            heard.push(message);
            if (message.params?.status === 'completed') {
                break;
            }
        }
    } catch {
        // Its time was up: the check below tells.
    }
    clearTimeout(patience);
    gone.abort();
    const done = heard.find((each) => each.method === 'notifications/tasks');
    check('whose end is told', textOf(done?.params) !== '', brief(heard));
    const tag = done?.params?._meta?.['io.modelcontextprotocol/subscriptionId'];
    check('under the listen that asked', tag === 'listen', tag);
    const foreign = modern(2, 'tasks/get', { taskId: 'task_unknown' }, able);
    const unknown = await answerOf(await send(url, foreign));
    check('an unknown task is -32602', unknown.error?.code === -32602, brief(unknown));
}

export async function checkHttp(report, url) {
    for (const part of [
        sessions,
        methods,
        batches,
        disconnects,
        breaks,
        standing,
        becomesTask,
        taskNews,
    ]) {
        const label = `HTTP, ${part.name}`;
        const check = (name, ...rest) => report.check(`${label}: ${name}`, ...rest);
        await report.part(label, () => part(check, url));
    }
}
