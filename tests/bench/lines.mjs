// An MCP client of a server on standard input and output, in the revision that all of them speak.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const patience = 15_000; // an agent's own time-out, about

/** A call that was not answered in time. */
export class Unanswered extends Error {}

/** Messages as lines to a server's standard input, answers by id. */
export class Lines {
    constructor([program, ...args], environment = {}) {
        this.child = spawn(program, args, {
            env: { ...process.env, ...environment },
            stdio: ['pipe', 'pipe', 'ignore'],
        });
        this.waiting = new Map();
        this.last = 0;
        this.ended = new Promise((resolve) => this.child.once('exit', resolve));
        this.ended.then((code) => {
            const error = { message: `the server ended with ${code}` };
            this.waiting.forEach((_, id) => this.#take(JSON.stringify({ id, error })));
        });
        createInterface({ input: this.child.stdout }).on('line', (line) => this.#take(line));
    }

    #take(line) {
        if (!line.startsWith('{')) {
            return; // a banner
        }
        const answer = JSON.parse(line);
        this.waiting.get(answer.id)?.(answer);
        this.waiting.delete(answer.id);
    }

    ask(method, params) {
        const id = ++this.last;
        const answer = new Promise((resolve, reject) => {
            const late = setTimeout(() => reject(new Unanswered(method)), patience);
            this.waiting.set(id, (found) => {
                clearTimeout(late);
                found.error ? reject(new Error(JSON.stringify(found.error))) : resolve(found.result);
            });
        });
        this.tell({ jsonrpc: '2.0', id, method, params });
        return answer;
    }

    tell(message) {
        this.child.stdin.write(JSON.stringify(message) + '\n');
    }

    async start() {
        await this.ask('initialize', {
            protocolVersion: '2025-11-25',
            capabilities: {},
            clientInfo: { name: 'interlock-bench', version: '1' },
        });
        this.tell({ jsonrpc: '2.0', method: 'notifications/initialized' });
        return this.ask('tools/list', {});
    }

    async stop() {
        this.child.kill('SIGTERM');
        const late = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
        await this.ended;
        clearTimeout(late);
    }
}
