// Child processes of the comparison: started, waited for, looked at through /proc, ended by pid.
import { execFile, spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { until as waitUntil } from '../e2e/support/child.mjs';

const patience = 60_000;
const ending = 10_000;

/** A comparison runs beside nothing else, but on slow disks. */
export const until = (condition, what) => waitUntil(condition, what, patience);

/** A port that nobody has now. */
export function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

/** Runs a program to its end; its standard output. */
export function output(program, args, options = {}) {
    return new Promise((resolve, reject) => {
        execFile(
            program,
            args,
            { encoding: 'utf8', maxBuffer: 1 << 26, timeout: patience, ...options },
            (problem, out, err) =>
                problem ? reject(new Error(`${program}: ${problem.message}\n${err}`)) : resolve(out),
        );
    });
}

/** A long-running program whose output nobody reads. */
export class Service {
    constructor(program, args, env = {}) {
        this.child = spawn(program, args, {
            stdio: ['ignore', 'ignore', 'ignore'],
            env: { ...process.env, ...env },
        });
        this.pid = this.child.pid;
    }

    get running() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    /** Resident memory now, in MB (10^6 bytes). */
    residentMb() {
        const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
        return (Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024) / 1e6;
    }

    async stop() {
        if (!this.running) {
            return;
        }
        const ended = new Promise((resolve) => this.child.once('exit', resolve));
        this.child.kill('SIGTERM');
        const late = setTimeout(() => this.child.kill('SIGKILL'), ending);
        await ended;
        clearTimeout(late);
    }
}

/** The most that `read` gives while `work` is under way. */
export async function peakDuring(read, work) {
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, read())), 100);
    try {
        await work();
    } finally {
        clearInterval(watch);
    }
    return peak;
}

/** Median milliseconds that the disk below `directory` takes to keep 4 KB: what an audit leaf costs. */
export function syncMs(directory) {
    const path = join(directory, 'sync-time');
    const file = openSync(path, 'w');
    const times = [];
    for (let i = 0; i < 31; ++i) {
        writeSync(file, Buffer.alloc(4096, i));
        const began = performance.now();
        fdatasyncSync(file);
        times.push(performance.now() - began);
    }
    closeSync(file);
    unlinkSync(path);
    return times.sort((a, b) => a - b)[15];
}
