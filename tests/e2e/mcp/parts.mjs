// What an agent does with interlock-server, part by part, whatever its client and transport. `seat`
// holds client and kind, the database, and what earlier parts found out.
import { setTimeout as pause } from 'node:timers/promises';

import Ajv from 'ajv/dist/2020.js';

import { until } from '../support/child.mjs';
import { brief } from '../support/report.mjs';

export const toolsets = ['orientation', 'triage', 'postgres', 'planning'];

const ajv = new Ajv({ strict: false });
const call = ({ kind, client }, name, args, options) =>
    kind.call(client, { name, arguments: args }, options);
const failure = (promise) =>
    promise.then(
        () => undefined,
        (problem) => problem,
    );

export async function diagnoses(check, seat) {
    const { tools } = await seat.client.listTools();
    const diagnose = tools.find((tool) => tool.name === 'diagnose');
    const readOnly = diagnose?.annotations?.readOnlyHint === true;
    check('tools/list has diagnose, read-only', readOnly, brief(diagnose));
    const told = [];
    const options = { onprogress: (progress) => told.push(progress.progress) };
    const result = await call(seat, 'diagnose', { target: 'shop' }, options);
    seat.diagnosis = result.structuredContent;
    check('diagnose answers', result.isError !== true, brief(result));
    const valid = ajv.compile(diagnose.outputSchema);
    const fits = valid(result.structuredContent);
    check('structuredContent fits outputSchema', fits, ajv.errorsText(valid.errors));
    const [cause] = result.structuredContent?.causes ?? [];
    check('the incident is named', cause?.id === 'lock.idle_in_tx', brief(result));
    const [content] = result.content ?? [];
    check('text for a reader comes with it', content?.type === 'text' && content.text.length > 0);
    const rising = told.every((each, index) => index === 0 || each > told[index - 1]);
    check('progress is told, and rises', told.length > 0 && rising, told.join());
}

export async function errs(check, seat) {
    const wrong = await call(seat, 'diagnose', { target: 7 });
    check('a bad argument is a tool error', wrong.isError === true, brief(wrong));
    const unknown = await failure(call(seat, 'no_such_tool', {}));
    check('an unknown tool is a protocol error', unknown?.code === -32602, unknown);
    const uri = 'evidence://ev_nowhere';
    const missing = await failure(seat.client.readResource({ uri }));
    const code = seat.kind.modern ? -32602 : -32002;
    check(`a missing resource is ${code}`, missing?.code === code, missing);
}

export async function proposes(check, seat) {
    const [cause] = seat.diagnosis.causes;
    const [runbook] = cause.runbooks;
    const plan = await call(seat, 'propose_plan', {
        runbook: runbook.id,
        target: 'shop',
        cause: cause.id,
        parameters: runbook.parameters,
        hypothesis: 'an application left its transaction open',
        evidence: [seat.diagnosis.id],
    });
    seat.plan = plan.structuredContent;
    check('a plan can be proposed', plan.isError !== true && seat.plan?.digest, brief(plan));
}

export async function reads(check, seat) {
    const { resources } = await seat.client.listResources();
    const runbook = resources.find((each) => each.uri.startsWith('runbook://'));
    check('runbooks are listed', runbook !== undefined, brief(resources));
    const { resourceTemplates } = await seat.client.listResourceTemplates();
    check('templates are listed', resourceTemplates.length >= 3, brief(resourceTemplates));
    const uris = [runbook?.uri, `evidence://${seat.diagnosis.id}`, `plan://${seat.plan.plan_id}`];
    for (const uri of uris) {
        const { contents } = await seat.client.readResource({ uri });
        check(`${uri.split(':')[0]} is readable`, contents[0]?.text?.length > 0, brief(contents));
    }
}

export async function prompts(check, seat) {
    const listed = (await seat.client.listPrompts()).prompts.map((prompt) => prompt.name);
    check('prompts are listed', listed.join() === 'diagnose_incident,review_plan', listed.join());
    const given = { target: 'shop', symptom: 'orders hang' };
    const incident = await seat.client.getPrompt({ name: 'diagnose_incident', arguments: given });
    const text = incident.messages[0].content.text;
    check('diagnose_incident says what to do', text.includes('orders hang'), brief(incident));
    const plan = { plan_id: seat.plan.plan_id };
    const review = await seat.client.getPrompt({ name: 'review_plan', arguments: plan });
    check('review_plan shows the plan', review.messages.length > 1, brief(review));
    const none = await failure(seat.client.getPrompt({ name: 'review_plan' }));
    check('a missing argument is -32602', none?.code === -32602, none);
}

export async function completes(check, seat) {
    const ref = { type: 'ref/prompt', name: 'diagnose_incident' };
    const values = async (name, value, context) => {
        const params = { ref, argument: { name, value }, ...(context && { context }) };
        return (await seat.client.complete(params)).completion.values.join();
    };
    check('targets complete', (await values('target', 'sh')) === 'shop');
    const relation = await values('relation', 'ord', { arguments: { target: 'shop' } });
    check('relations complete', relation === 'public.orders', relation);
}

/** A call that is given up must end on the database too, long before its time is up. */
export async function cancels(check, seat) {
    const gone = new AbortController();
    const began = Date.now();
    const ended = failure(call(seat, 'get_blocking', { target: 'slow' }, { signal: gone.signal }));
    await until(() => seat.postgres.asleep() === 1, 'the slow statement running');
    gone.abort();
    check('an abandoned call ends for the client', (await ended) instanceof Error);
    const over = await until(() => seat.postgres.asleep() === 0, 'its end', 4_000).catch(() => {});
    const seconds = (Date.now() - began) / 1000;
    check('and on the database', over && seconds < 4, `${seconds} s`);
    await pause(300);
    check('where nothing follows it', seat.postgres.asleep() === 0);
    const { isError } = await call(seat, 'list_targets', {});
    check('the connection goes on', isError !== true);
}

/** Somebody who watches a plan hears of its change. */
export async function watches(check, seat) {
    const uri = `plan://${seat.plan.plan_id}`;
    const heard = [];
    const { kind, client } = seat;
    kind.hear(client, 'notifications/resources/updated', (news) => heard.push(news.params.uri));
    const subscription = kind.modern
        ? await client.listen({ resourceSubscriptions: [uri] })
        : await client.subscribeResource({ uri });
    const plan = { plan_id: seat.plan.plan_id, reason: 'the incident ended by itself' };
    const withdrawn = await call(seat, 'withdraw_plan', plan);
    check('a plan can be withdrawn', withdrawn.isError !== true, brief(withdrawn));
    await until(() => heard.includes(uri), 'the news', 10_000).catch(() => {});
    check('who watches it hears of it', heard.includes(uri), heard.join());
    await (kind.modern ? subscription.close() : client.unsubscribeResource({ uri }));
}

/** A reload that offers fewer toolsets is heard, and seen in the lists. */
export async function reloads(check, seat) {
    const { kind, client, reload } = seat;
    const names = async () => (await client.listTools()).tools.map((tool) => tool.name);
    let heard = 0;
    kind.hear(client, 'notifications/tools/list_changed', () => ++heard);
    const subscription = kind.modern && (await client.listen({ toolsListChanged: true }));
    check('planning is offered', (await names()).includes('propose_plan'));
    reload(['orientation', 'triage']);
    await until(() => heard > 0, 'the news', 10_000).catch(() => {});
    check('a reload is heard of', heard > 0);
    const left = await names();
    check('and takes planning away', !left.includes('propose_plan'), left.join());
    reload(toolsets);
    await until(() => heard > 1, 'the news', 10_000).catch(() => {});
    check('the next one brings it back', (await names()).includes('propose_plan'));
    await (subscription && subscription.close());
}
