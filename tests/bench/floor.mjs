// The floor: what this PostgreSQL can do with the very statements that the lane sends for one
// activity query, as pgbench sends them: prepared, in one pipeline, over as many connections as the
// server's pool has. The statements are not written down a second time here: they are taken from
// PostgreSQL's log of one call, so that the floor always carries what the lane carries.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, until } from './processes.mjs';

export const poolConnections = 4;

/**
 * Those of the last whole activity call: one session's, from its BEGIN to what proves the session
 * clean. Other sessions may have looked at the target meanwhile.
 */
function callOf(statements) {
    const named = ({ values }) => values.some((value) => value?.startsWith('interlock:get_activity:'));
    const settings = statements.findLast(named);
    const own = statements.filter(({ pid }) => pid === settings?.pid);
    const at = own.indexOf(settings);
    const began = own.slice(0, Math.max(at, 0)).findLastIndex(({ text }) => /^begin\b/i.test(text));
    const ended = own.findIndex(({ text }, index) => index > at && /^rollback$/i.test(text.trim()));
    return at < 0 || began < 0 || ended < 0 || ended + 1 >= own.length ? [] : own.slice(began, ended + 2);
}

/** The statements of one activity call, with their parameters' values. */
async function laneStatements(cluster, interlock) {
    await interlock.ask('activity'); // connections are open and their statements prepared
    await interlock.ask('activity');
    cluster.sql('alter system set log_min_duration_statement = 0; select pg_reload_conf()');
    const ours = () => cluster.loggedStatements('interlock_diag');
    await until(async () => {
        await interlock.ask('activity');
        return ours().some(({ text }) => /^rollback$/i.test(text.trim()));
    }, "the lane's statements in the log");
    const before = ours().length;
    await interlock.ask('activity');
    await until(() => ours().length > before && callOf(ours()).length > 0, "one call's statements in the log");
    cluster.sql('alter system reset log_min_duration_statement; select pg_reload_conf()');
    return callOf(ours());
}

export class Floor {
    static async make(cluster, interlock) {
        const floor = new Floor();
        floor.statements = await laneStatements(cluster, interlock);
        floor.cluster = cluster;
        const variables = [];
        const commands = floor.statements.map(({ text, values }, index) => {
            const bound = text.replace(/\$(\d+)/g, (whole, number) => {
                const value = values[Number(number) - 1];
                if (value === undefined) {
                    return whole;
                }
                variables.push('-D', `v${index}_${number}=${value}`);
                return `:v${index}_${number}`;
            });
            return bound.trim().replaceAll(/\s*\n\s*/g, ' ') + ';';
        });
        floor.variables = variables;
        floor.script = join(interlock.directory, 'floor.sql');
        writeFileSync(floor.script, ['\\startpipeline', ...commands, '\\endpipeline', ''].join('\n'));
        return floor;
    }

    /** Transactions a second: one transaction is all statements of one call. */
    async run(seconds) {
        const said = await output(
            join(this.cluster.bin, 'pgbench'),
            [
                ...['-n', '-M', 'prepared', '-c', String(poolConnections), '-j', '1'],
                ...['-T', String(Math.max(1, Math.round(seconds))), '-f', this.script],
                ...this.variables,
                this.cluster.conninfo('bench_floor'),
            ],
        );
        const failed = /number of failed transactions: (\d+)/.exec(said);
        const rate = /tps = ([\d.]+)/.exec(said);
        if (!rate || (failed && Number(failed[1]) > 0)) {
            throw new Error(`pgbench did not run the lane's statements:\n${said}`);
        }
        const latency = Number(/latency average = ([\d.]+) ms/.exec(said)[1]);
        return { per_second: Number(rate[1]), p50_us: latency * 1000 };
    }
}
