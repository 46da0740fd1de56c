// Child processes that listen, and the end of them.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `condition` gives something true; what it gave. */
export async function until(condition, what, patience = 30_000) {
    const deadline = Date.now() + patience;
    for (;;) {
        const found = await condition();
        if (found) {
            return found;
        }
        if (Date.now() > deadline) {
            throw new Error(`${what} did not happen in ${patience / 1000} s`);
        }
        await pause(20);
    }
}

/** A program that serves MCP over HTTP on a loopback port of its choice. */
export class Listening {
    /** `env`: variables besides those of this process. */
    static async start(program, args, directory, env = {}) {
        mkdirSync(directory, { recursive: true });
        const portFile = join(directory, 'port');
        const listening = new Listening();
        listening.log = '';
        listening.child = spawn(
            program,
            ['--listen', '127.0.0.1:0', '--port-file', portFile, ...args],
            { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } },
        );
        listening.child.stderr.on('data', (bytes) => (listening.log += bytes));
        try {
            await until(() => existsSync(portFile) || listening.#ended(), `${program} listening`);
            listening.port = Number(readFileSync(portFile, 'utf8'));
        } catch (problem) {
            await listening.stop();
            throw new Error(`${problem.message}\n${listening.log}`);
        }
        listening.url = `http://127.0.0.1:${listening.port}`;
        return listening;
    }

    #ended() {
        return this.child.exitCode !== null || this.child.signalCode !== null;
    }

    /** SIGTERM; the exit code. */
    async stop() {
        if (!this.#ended()) {
            const ended = new Promise((resolve) => this.child.once('exit', resolve));
            this.child.kill('SIGTERM');
            await ended;
        }
        return this.child.exitCode;
    }
}
