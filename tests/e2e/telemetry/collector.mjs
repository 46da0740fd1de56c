// An OTLP/HTTP receiver that keeps what it gets, and a second opinion on it: the protobuf definitions
// of OpenTelemetry, as npm has them.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';

const require = createRequire(import.meta.url);
const definitions = require('@opentelemetry/otlp-transformer/build/src/generated/root.js');
const Request =
    definitions.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

/** In OTLP/JSON these are hexadecimal; protobuf has bytes. */
const identifiers = ['traceId', 'spanId', 'parentSpanId'];

function mapped(value, onIdentifier) {
    if (Array.isArray(value)) {
        return value.map((each) => mapped(each, onIdentifier));
    }
    if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) {
        return value;
    }
    const pairs = Object.entries(value).map(([key, each]) => [
        key,
        identifiers.includes(key) ? onIdentifier(each) : mapped(each, onIdentifier),
    ]);
    // An empty list and no list are the same message.
    return Object.fromEntries(pairs.filter(([, each]) => !Array.isArray(each) || each.length > 0));
}

/**
 * Reads a request by the definitions, through its binary form and back, and compares: a field of
 * ours that they do not know, or know differently, is a difference. Throws then.
 */
export function decoded(text) {
    const ours = JSON.parse(text);
    const plain = mapped(ours, (digits) => {
        assert.match(digits, /^([0-9a-f]{16}|[0-9a-f]{32})$/);
        return Buffer.from(digits, 'hex');
    });
    const message = Request.fromObject(plain);
    assert.equal(Request.verify(message), null);
    const binary = Request.encode(message).finish();
    const theirs = Request.toObject(Request.decode(binary), { longs: String, bytes: Buffer });
    const back = mapped(theirs, (bytes) => Buffer.from(bytes).toString('hex'));
    assert.deepEqual(back, mapped(ours, (digits) => digits));
    return back;
}

/** The spans of a decoded request, their attributes as an object, with their service. */
export function spansOf(request) {
    return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
            (spans ?? []).map((span) => ({
                ...span,
                service: attributes(resource.attributes)['service.name'],
                attributes: attributes(span.attributes),
            })),
        ),
    );
}

function attributes(list = []) {
    return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}

export class Collector {
    requests = [];
    spans = [];
    problems = [];
    /** Answers to give before it takes requests: [status, headers]. */
    answers = [];

    static async start() {
        const collector = new Collector();
        collector.server = createServer((request, response) => collector.#take(request, response));
        await new Promise((resolve) => collector.server.listen(0, '127.0.0.1', resolve));
        collector.url = `http://127.0.0.1:${collector.server.address().port}`;
        return collector;
    }

    async #take(request, response) {
        const parts = [];
        for await (const part of request) {
            parts.push(part);
        }
        const bytes = Buffer.concat(parts);
        const packed = request.headers['content-encoding'] === 'gzip';
        const text = (packed ? gunzipSync(bytes) : bytes).toString('utf8');
        const [status, headers] = this.answers.shift() ?? [200, {}];
        this.requests.push({ url: request.url, method: request.method, headers: request.headers, text, status });
        if (status === 200) {
            this.#read(text);
        }
        response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
        response.end('{"partialSuccess":{}}');
    }

    #read(text) {
        try {
            this.spans.push(...spansOf(decoded(text)));
        } catch (problem) {
            this.problems.push(problem.stack);
        }
    }

    find(wanted) {
        return this.spans.find(wanted);
    }

    children(span) {
        return this.spans.filter(
            (each) => each.traceId === span.traceId && each.parentSpanId === span.spanId,
        );
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }
}
