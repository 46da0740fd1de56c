// How each server is started and asked. Both speak the newest revision that they have: Interlock
// 2026-07-28, Toolbox 2025-11-25. Neither keeps a session for the requests that are measured.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, output, Service, until } from './processes.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const client = { name: 'interlock-bench', version: '1' };

const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': client,
    'io.modelcontextprotocol/clientCapabilities': {},
};

function message(method, params = {}, id = 1) {
    return { jsonrpc: '2.0', id, method, params };
}

/** The handshake of older revisions and tools/list behind it, as lines. */
function handshake(version) {
    return [
        message('initialize', { protocolVersion: version, capabilities: {}, clientInfo: client }, 1),
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        message('tools/list', {}, 2),
    ];
}

class Server {
    /** `root`: where its files go. */
    constructor(load, root = tmpdir()) {
        this.load = load;
        this.directory = mkdtempSync(join(root, 'interlock-bench-'));
    }

    file(name, content) {
        const path = join(this.directory, name);
        writeFileSync(path, content);
        return path;
    }

    /** Arguments of the load generator that make it ask for `operation`. */
    request(operation) {
        const { body, headers, expect, refuse } = this.operations[operation];
        const path = this.file(`${operation}.json`, JSON.stringify(body));
        return [
            ...['--path', '/mcp', '--body', path, '--expect', expect],
            ...(refuse ? ['--refuse', refuse] : []),
            ...headers.flatMap((header) => ['--header', header]),
        ];
    }

    /** `rate`: requests a second in all; without it each connection asks as soon as it is answered. */
    async run(operation, connections, seconds, rate) {
        const found = JSON.parse(
            await output(this.load, [
                'run',
                ...['--port', String(this.port), '--connections', String(connections)],
                ...['--seconds', String(seconds)],
                ...(rate ? ['--rate', String(rate)] : []),
                ...this.request(operation),
            ]),
        );
        if (found.wrong > 0) {
            throw new Error(`${this.name}: ${found.wrong} wrong answers: ${found.first_wrong}`);
        }
        return found;
    }

    /** One answer's body. */
    async ask(operation) {
        const { body, headers } = this.operations[operation];
        const response = await fetch(`http://127.0.0.1:${this.port}/mcp`, {
            method: 'POST',
            headers: {
                'Content-Type': 'application/json',
                Accept: 'application/json, text/event-stream',
                ...Object.fromEntries(headers.map((header) => header.split(': '))),
            },
            body: JSON.stringify(body),
        });
        return response.text();
    }

    async answers() {
        try {
            return (await this.ask('list')).includes(this.operations.list.expect);
        } catch {
            return false;
        }
    }

    async start() {
        this.port = await freePort();
        const [program, ...args] = this.command('state');
        this.service = new Service(program, [...args, ...this.listen()], this.environment);
        await until(() => {
            if (!this.service.running) {
                throw new Error(`${this.name} ended: ${program} ${args.join(' ')}`);
            }
            return this.answers();
        }, `${this.name} answering`);
    }

    /**
     * Milliseconds from exec to the first answered tools/list. Every start but the first finds the
     * state that the one before it left, as starts do.
     */
    async startTime(transport) {
        this.port = await freePort();
        const [program, ...args] = this.command('start');
        const lines = this.stdioLines.map((line) => JSON.stringify(line) + '\n').join('');
        const stdio = ['--body', this.file('stdio.json', lines), '--expect', '"tools":'];
        const ask =
            transport === 'http'
                ? ['start-http', '--port', String(this.port), ...this.request('list')]
                : ['start-stdio', ...stdio];
        const serve = transport === 'http' ? this.listen() : ['--stdio'];
        const found = await output(this.load, [...ask, '--', program, ...args, ...serve], {
            env: { ...process.env, ...this.environment },
        });
        return JSON.parse(found).milliseconds;
    }

    async stop() {
        await this.service?.stop();
        rmSync(this.directory, { recursive: true, force: true });
    }
}

export class Interlock extends Server {
    name = 'Interlock';
    environment = {};
    stdioLines = [message('tools/list', { _meta: meta })];
    operations = {
        list: Interlock.#operation('tools/list', {}, '"tools":'),
        activity: Interlock.#operation(
            'tools/call',
            { name: 'get_activity', arguments: {} },
            '"structuredContent":',
        ),
        triage: Interlock.#operation('tools/call', { name: 'diagnose', arguments: {} }, '"result":'),
    };

    constructor(load, program, cluster, { root, name } = {}) {
        super(load, root);
        this.name = name ?? this.name;
        this.program = program;
        this.conninfo = cluster.conninfo('interlock_diag');
    }

    static #operation(method, params, expect) {
        return {
            body: message(method, { ...params, _meta: meta }),
            headers: [
                `MCP-Protocol-Version: 2026-07-28`,
                `Mcp-Method: ${method}`,
                ...(params.name ? [`Mcp-Name: ${params.name}`] : []),
            ],
            expect,
            refuse: '"isError":true',
        };
    }

    command(state) {
        const directory = join(this.directory, state);
        mkdirSync(directory, { mode: 0o700, recursive: true });
        // The supervisor counts as it always does, but lets one caller ask the same for ever.
        const never = 1_000_000_000_000;
        const limits = [
            ...['failing_calls', 'identical_calls', 'calls', 'result_bytes'].map((key) => `  ${key}: ${never}`),
            '  database_time: 100000h',
        ];
        const config = this.file('server.yaml', `supervisor:\n${limits.join('\n')}\n`);
        return [
            ...[this.program, '--config', config],
            ...['--target', `bench=${this.conninfo}`, '--state', directory],
        ];
    }

    listen() {
        return ['--listen', `127.0.0.1:${this.port}`];
    }
}

export class Toolbox extends Server {
    name = 'Toolbox';
    stdioLines = handshake('2025-11-25');
    operations = {
        list: Toolbox.#operation('tools/list', {}, '"tools":'),
        activity: Toolbox.#operation(
            'tools/call',
            { name: 'list_active_queries', arguments: {} },
            '"content":',
        ),
    };

    constructor(load, cluster) {
        super(load);
        const modules = join(here, 'node_modules', '@toolbox-sdk');
        // The program itself: the package's own launcher would add the start of a Node.
        this.program = join(modules, `server-${process.platform}-${process.arch}`, 'bin', 'toolbox');
        if (!existsSync(this.program)) {
            throw new Error(`${this.program} is missing; remove tests/bench/node_modules and start again`);
        }
        this.version = JSON.parse(readFileSync(join(modules, 'server', 'package.json'))).version;
        this.environment = {
            POSTGRES_HOST: '127.0.0.1',
            POSTGRES_PORT: String(cluster.port),
            POSTGRES_DATABASE: 'postgres',
            POSTGRES_USER: 'bench_toolbox',
            POSTGRES_PASSWORD: 'trusted',
        };
    }

    static #operation(method, params, expect) {
        return {
            body: message(method, params),
            headers: ['MCP-Protocol-Version: 2025-11-25'],
            expect,
            refuse: '"isError":true',
        };
    }

    command() {
        return [this.program, '--prebuilt', 'postgres', '--disable-version-check'];
    }

    listen() {
        return ['--address', '127.0.0.1', '--port', String(this.port)];
    }
}
