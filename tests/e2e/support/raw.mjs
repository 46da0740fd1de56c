// MCP without a client library: what the official clients would never send.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { until } from './child.mjs';

export const version = '2026-07-28';
const prefix = 'io.modelcontextprotocol';
export const tasks = `${prefix}/tasks`;

/** A modern request; `capabilities` of the client. */
export function modern(id, method, params = {}, capabilities = {}) {
    const _meta = {
        [`${prefix}/protocolVersion`]: version,
        [`${prefix}/clientInfo`]: { name: 'raw', version: '1' },
        [`${prefix}/clientCapabilities`]: capabilities,
        ...params._meta,
    };
    return { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
}

export function legacy(id, method, params = {}) {
    return { jsonrpc: '2.0', id, method, params };
}

export function initialize(id, protocolVersion = '2025-11-25', capabilities = {}) {
    const clientInfo = { name: 'raw', version: '1' };
    return legacy(id, 'initialize', { protocolVersion, capabilities, clientInfo });
}

export const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };

/** The headers that a modern message must travel with. */
export function modernHeaders(message) {
    const { name, uri, taskId } = message.params;
    const target = name ?? uri ?? taskId;
    const named = target === undefined ? {} : { 'Mcp-Name': target };
    return { 'MCP-Protocol-Version': version, 'Mcp-Method': message.method, ...named };
}

/** POSTs a message (or any text); the response as fetch gives it. */
export function post(url, message, { headers = {}, signal } = {}) {
    return fetch(`${url}/mcp`, {
        method: 'POST',
        signal,
        headers: {
            'Content-Type': 'application/json',
            Accept: 'application/json, text/event-stream',
            ...headers,
        },
        body: typeof message === 'string' ? message : JSON.stringify(message),
    });
}

/** The events of a response as they come: {id, retry, data}. */
export async function* events(response) {
    let kept = '';
    for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
        kept += bytes;
        for (let end = kept.indexOf('\n\n'); end >= 0; end = kept.indexOf('\n\n')) {
            const event = {};
            for (const line of kept.slice(0, end).split('\n')) {
                const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
                if (field) {
                    event[field] = value;
                }
            }
            kept = kept.slice(end + 2);
            if (Object.keys(event).length > 0) {
                yield event;
            }
        }
    }
}

/** The JSON-RPC answer of a response, whichever way it came; undefined when there is none. */
export async function answerOf(response) {
    if (!response.headers.get('content-type')?.includes('text/event-stream')) {
        const text = await response.text();
        return text ? JSON.parse(text) : undefined;
    }
    for await (const { data } of events(response)) {
        const message = data ? JSON.parse(data) : {};
        if (message.result || message.error) {
            return message;
        }
    }
    return undefined;
}

/** A legacy session over HTTP. */
export class Session {
    static async open(url, protocolVersion = '2025-11-25') {
        const session = new Session();
        session.url = url;
        const response = await post(url, initialize('init', protocolVersion));
        session.id = response.headers.get('mcp-session-id');
        session.version = (await answerOf(response)).result.protocolVersion;
        await session.post(initialized);
        return session;
    }

    headers(more = {}) {
        return { 'Mcp-Session-Id': this.id, 'MCP-Protocol-Version': this.version, ...more };
    }

    post(message, options = {}) {
        return post(this.url, message, { ...options, headers: this.headers(options.headers) });
    }

    async ask(method, params) {
        return answerOf(await this.post(legacy(`ask-${method}`, method, params)));
    }

    /** The stream of what concerns no request, or of an event that was seen last. */
    listen({ signal, after } = {}) {
        const resumed = after === undefined ? {} : { 'Last-Event-ID': after };
        const headers = this.headers({ Accept: 'text/event-stream', ...resumed });
        return fetch(`${this.url}/mcp`, { headers, signal });
    }

    end() {
        return fetch(`${this.url}/mcp`, { method: 'DELETE', headers: this.headers() });
    }
}

/** A server on stdio, spoken to in bytes. */
export class Stdio {
    messages = [];
    strays = []; // lines of stdout that are no JSON

    constructor(program, args) {
        this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
        this.ended = new Promise((resolve) => this.child.once('close', resolve));
        createInterface({ input: this.child.stdout }).on('line', (line) => {
            try {
                this.messages.push(JSON.parse(line));
            } catch {
                this.strays.push(line);
            }
        });
    }

    /** Bytes as they are, or messages, each on its line. */
    send(...texts) {
        const line = (each) => (typeof each === 'string' ? each : `${JSON.stringify(each)}\n`);
        this.child.stdin.write(texts.map(line).join(''));
    }

    /** The answer to a request, once it is there. */
    answer(id, patience = 10_000) {
        const found = () => this.messages.find((each) => each.id === id && !each.method);
        return until(found, `an answer to ${id}`, patience);
    }

    /** End of input; the exit code. */
    end() {
        this.child.stdin.end();
        return this.ended;
    }
}
