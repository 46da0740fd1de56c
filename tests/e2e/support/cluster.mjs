// A throw-away PostgreSQL for tests and measurements. PostgreSQL refuses to run as root, so as root it
// runs as the user `postgres`.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './child.mjs';

const patience = 60_000;

/** The newest installed PostgreSQL that has `program`. */
function programs(program) {
    const found = [];
    try {
        found.push(execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim());
    } catch {
        // Not installed; the usual directories are next.
    }
    const versions = '/usr/lib/postgresql';
    if (existsSync(versions)) {
        const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
        found.push(...newest.map((version) => join(versions, version, 'bin')));
    }
    const directory = found.find((each) => existsSync(join(each, program)));
    if (!directory) {
        throw new Error(`PostgreSQL with ${program} was not found; install postgresql.`);
    }
    return directory;
}

function serverUser() {
    if (process.getuid() !== 0) {
        return {};
    }
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    return { uid: id('-u'), gid: id('-g') };
}

export class Cluster {
    #sessions = [];

    /** `needs`: a program that must be installed with it. */
    static async start(needs = 'initdb') {
        const cluster = new this();
        try {
            await cluster.#start(needs);
            await cluster.prepare();
        } catch (problem) {
            await cluster.stop();
            throw problem;
        }
        return cluster;
    }

    /** Server settings by name; sockets are in `this.directory`. */
    async settings() {
        return { listen_addresses: '', fsync: 'off' };
    }

    /** What a kind of cluster holds from its start on. */
    async prepare() {}

    async #start(needs) {
        this.bin = programs(needs);
        const user = serverUser();
        this.directory = mkdtempSync(join(tmpdir(), 'interlock-pg-'));
        if (user.uid !== undefined) {
            chownSync(this.directory, user.uid, user.gid);
        }
        chmodSync(this.directory, 0o700);
        this.data = join(this.directory, 'data');
        const options = { ...user, cwd: this.directory };
        execFileSync(
            join(this.bin, 'initdb'),
            ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
            { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
        );
        const chosen = { unix_socket_directories: this.directory, ...(await this.settings()) };
        const flags = Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
        this.server = spawn(
            join(this.bin, 'postgres'),
            ['-D', this.data, ...flags],
            { ...options, stdio: 'ignore' },
        );
        await until(() => this.#answers(), 'PostgreSQL answering', patience);
    }

    #answers() {
        try {
            this.sql('select 1');
            return true;
        } catch {
            return false;
        }
    }

    conninfo(user, database = 'postgres') {
        return `host=${this.directory} user=${user} dbname=${database}`;
    }

    /** Runs SQL as the superuser; what psql prints, unaligned. */
    sql(text, database = 'postgres') {
        return execFileSync(
            join(this.bin, 'psql'),
            ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo('postgres', database)],
            { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
        ).trim();
    }

    /** A session that runs SQL and stays open. */
    session(text, database, user) {
        const child = spawn(
            join(this.bin, 'psql'),
            ['-XAtq', '-d', this.conninfo(user, database)],
            { stdio: ['pipe', 'ignore', 'ignore'] },
        );
        child.stdin.write(text + '\n');
        this.#sessions.push(child);
        return child;
    }

    async stop() {
        for (const child of this.#sessions) {
            child.kill('SIGKILL');
        }
        if (this.server && this.server.exitCode === null) {
            const ended = new Promise((resolve) => this.server.once('exit', resolve));
            this.server.kill('SIGINT');
            await ended;
        }
        if (this.directory) {
            rmSync(this.directory, { recursive: true, force: true });
        }
    }
}
