// interlock-server as a child process over HTTP, and the command line of the same over stdio.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export class HttpServer {
    static async start(program, target, directory) {
        const server = new HttpServer();
        const portFile = join(directory, 'port');
        server.log = '';
        server.child = spawn(
            program,
            ['--listen', '127.0.0.1:0', '--target', target, '--state', join(directory, 'state'),
             '--port-file', portFile],
            { stdio: ['ignore', 'ignore', 'pipe'] },
        );
        server.child.stderr.on('data', (bytes) => (server.log += bytes));
        const deadline = Date.now() + 30_000;
        while (!existsSync(portFile)) {
            if (server.child.exitCode !== null || Date.now() > deadline) {
                await server.stop();
                throw new Error(`interlock-server did not listen:\n${server.log}`);
            }
            await pause(20);
        }
        server.url = `http://127.0.0.1:${readFileSync(portFile, 'utf8').trim()}`;
        return server;
    }

    /** SIGTERM; the exit code. */
    async stop() {
        if (this.child.exitCode === null && this.child.signalCode === null) {
            const ended = new Promise((resolve) => this.child.once('exit', resolve));
            this.child.kill('SIGTERM');
            await ended;
        }
        return this.child.exitCode;
    }
}

export function stdioArguments(target, directory) {
    return ['--stdio', '--target', target, '--state', join(directory, 'state')];
}
