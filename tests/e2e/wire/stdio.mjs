// stdio as bytes: framing, races between the eras, cancellation, the end of input.
import { Buffer } from 'node:buffer';
import { setTimeout as pause } from 'node:timers/promises';

import { brief } from '../support/report.mjs';
import { initialize, initialized, legacy, modern, Stdio } from '../support/raw.mjs';

const greeting = (id, name) => modern(id, 'tools/call', { name: 'greet', arguments: { name } });
const slow = (id) => modern(id, 'tools/call', { name: 'slow_compute', arguments: { seconds: 60 } });
const textOf = (answer) => answer.result?.content?.[0]?.text ?? '';

/** A client that probes, gives up waiting, and falls back: both are in the pipe at once. */
async function races(check, open) {
    const server = open();
    server.send(modern('probe', 'server/discover'), initialize('init'), initialized);
    const probe = await server.answer('probe');
    check(
        'a probe is answered',
        probe.result?.supportedVersions?.includes('2026-07-28'),
        brief(probe),
    );
    const init = await server.answer('init');
    check('initialize behind it too', init.result?.protocolVersion === '2025-11-25', brief(init));
    server.send(legacy(1, 'tools/list'), modern(2, 'tools/list'), legacy(3, 'ping'));
    const [old, now] = [await server.answer(1), await server.answer(2)];
    check(
        'legacy calls after modern ones',
        old.result?.tools?.length > 0 && !old.result.resultType,
    );
    check('modern calls after legacy ones', now.result?.resultType === 'complete', brief(now));
    check('ping is legacy', brief((await server.answer(3)).result) === '{}');
    check('the end of input ends the program', (await server.end()) === 0);
}

async function unknownFirst(check, open) {
    const server = open();
    server.send(legacy('early', 'tools/list'), legacy('none', 'no/such/method'));
    const early = await server.answer('early');
    const none = await server.answer('none');
    check('a first message of any kind is answered', none.error && (early.result || early.error));
    server.send(initialize('unknown', '1999-01-01'));
    const unknown = await server.answer('unknown');
    const version = unknown.result?.protocolVersion;
    check('an unknown version gets our newest', version === '2025-11-25', brief(unknown));
    await server.end();
}

async function framing(check, open) {
    const server = open();
    const bytes = Buffer.from(`${JSON.stringify(greeting('split', 'Ærøskøbing'))}\n`);
    for (const byte of bytes) {
        server.child.stdin.write(Buffer.from([byte]));
    }
    const split = await server.answer('split');
    check('a message byte by byte', textOf(split) === 'Hello, Ærøskøbing!', brief(split));
    server.send(`\r\n\n${JSON.stringify(greeting('crlf', 'CR'))}\r\n`);
    check('blank lines and CRLF', textOf(await server.answer('crlf')) === 'Hello, CR!');
    server.send('this is not JSON\n', '{"jsonrpc":"2.0","id":"cut","meth\n', '[]\n', '7\n');
    server.send(greeting('after', 'all'));
    check(
        'what is no message harms nothing',
        textOf(await server.answer('after')) === 'Hello, all!',
    );
    const refused = server.messages.filter((each) => each.error && each.id === undefined);
    check(
        'and is refused without an id',
        refused.every((each) => each.error.code <= -32600),
    );
    const text = 'x'.repeat(200_000);
    server.send(greeting('long', text), greeting('short', 'a'));
    check('a long line', textOf(await server.answer('long')) === `Hello, ${text}!`);
    check('stdout holds messages only', server.strays.length === 0, server.strays[0]);
    check('exit code 0', (await server.end()) === 0);
}

async function order(check, open) {
    const server = open();
    server.send(slow('slow'), greeting('fast', 'Ada'));
    check(
        'a fast call overtakes a slow one',
        textOf(await server.answer('fast')) === 'Hello, Ada!',
    );
    const cancelled = { requestId: 'slow', reason: 'enough' };
    server.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: cancelled });
    server.send(greeting('later', 'Bob'));
    await server.answer('later');
    await pause(300);
    check('a cancelled call is not answered', !server.messages.some((each) => each.id === 'slow'));
    server.send(slow('left'));
    const began = Date.now();
    check('a call under way does not hold up the end', (await server.end()) === 0);
    check('... which comes within 10 s', Date.now() - began < 10_000, Date.now() - began);
}

async function listening(check, open) {
    const server = open();
    const notifications = { toolsListChanged: true };
    server.send(modern('listen', 'subscriptions/listen', { notifications }));
    server.send(modern('change', 'tools/call', { name: 'test_trigger_tool_change' }));
    await server.answer('change');
    const cancelled = { requestId: 'listen' };
    server.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: cancelled });
    server.send(modern('again', 'tools/call', { name: 'test_trigger_tool_change' }));
    await server.answer('again');
    await pause(100);
    const heard = server.messages.filter((each) => each.method).map((each) => each.method);
    const expected = [
        'notifications/subscriptions/acknowledged',
        'notifications/tools/list_changed',
    ];
    check('a listen hears until it is cancelled', heard.join() === expected.join(), heard.join());
    await server.end();
}

async function batches(check, open) {
    const server = open();
    server.send(initialize('init', '2025-03-26'), initialized);
    const agreed = (await server.answer('init')).result?.protocolVersion;
    check('2025-03-26 is spoken', agreed === '2025-03-26', agreed);
    server.send([legacy('a', 'ping'), initialized, legacy('b', 'tools/list')]);
    server.send(legacy('c', 'ping'));
    await server.answer('c');
    await pause(100);
    const batch = server.messages.find(Array.isArray) ?? [];
    const ids = batch
        .map((each) => each.id)
        .sort()
        .join();
    check('a batch is answered as one', ids === 'a,b', brief(server.messages));
    await server.end();
    const newer = open();
    newer.send(initialize('init', '2025-11-25'), initialized);
    await newer.answer('init');
    newer.send([legacy('a', 'ping')], legacy('c', 'ping'));
    await newer.answer('c');
    const refused = newer.messages.some((each) => each.error?.code === -32600);
    check('later revisions have no batches', refused, brief(newer.messages));
    await newer.end();
}

export async function checkStdio(report, program) {
    const open = () => new Stdio(program, ['--stdio']);
    for (const part of [races, unknownFirst, framing, order, listening, batches]) {
        const label = `stdio, ${part.name}`;
        const check = (name, ...rest) => report.check(`${label}: ${name}`, ...rest);
        await report.part(label, () => part(check, open));
    }
}
