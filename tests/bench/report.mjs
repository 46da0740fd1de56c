// Medians, marks and the table. A mark is a ratio of two figures of the same run.

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const round = (value, digits = 2) => Number(value.toFixed(digits));

/** What Interlock must reach, and whether this run did. */
export function judge(figures, widths, heldConnections) {
    const marks = [];
    const mark = (name, value, relation, wanted) => {
        const holds = relation === '>=' ? value >= wanted : value <= wanted;
        marks.push({ name, value: round(value, 3), wanted: `${relation} ${round(wanted, 3)}`, holds });
    };
    const against = (figure) => figures[`Interlock.${figure}`] / figures[`Toolbox.${figure}`];
    for (const width of widths) {
        mark(`tools/list per second, ${width} connections, of Toolbox's`, against(`list.${width}.per_second`), '>=', 4);
    }
    mark("activity per second, 16 connections, of Toolbox's", against('activity.16.per_second'), '>=', 2);
    const floor = figures['Interlock.activity.16.per_second'] / figures['Floor.activity.per_second'];
    mark('activity per second, 16 connections, of the floor', floor, '>=', 0.6);
    for (const operation of ['list', 'activity']) {
        for (const width of widths) {
            mark(`${operation === 'list' ? 'tools/list' : 'activity'} p99, ${width} connections, of Toolbox's`, against(`${operation}.${width}.p99_us`), '<=', 1);
        }
    }
    mark("resident memory under load, of Toolbox's", against('memory_load_mb'), '<=', 1 / 5);
    mark("exec to first tools/list over HTTP, of Toolbox's", against('start_http_ms'), '<=', 1 / 3);
    mark("exec to first tools/list over stdio, of Toolbox's", against('start_stdio_ms'), '<=', 1 / 3);
    const blocked = figures['Interlock.blocked.p99_us'] / figures['Interlock.blocked.idle_p99_us'];
    mark('tools/list p99 with every database connection stuck, of its idle p99', blocked, '<=', 2);
    mark(`resident MB with ${heldConnections} idle connections`, figures['Interlock.held_mb'], '<=', 200);
    return marks;
}

/** A Markdown table, its first line the head. */
export const rows = (lines) => {
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    const text = (line) => '| ' + line.map((cell, i) => cell.padEnd(widths[i])).join(' | ') + ' |';
    const rule = '|' + widths.map((width) => '-'.repeat(width + 2)).join('|') + '|';
    return [text(lines[0]), rule, ...lines.slice(1).map(text)].join('\n');
};

/** The marks and their verdicts. */
export function judged(marks) {
    const lines = [['mark', 'reached', 'wanted', 'verdict']];
    for (const { name, value, wanted, holds } of marks) {
        lines.push([name, String(value), wanted, holds ? 'PASS' : 'FAIL']);
    }
    return rows(lines);
}

/** Markdown, as docs/performance.md shows it. */
export function table(machine, figures, widths, marks) {
    const figure = (name, digits = 0) =>
        figures[name] === undefined ? '' : String(round(figures[name], digits));
    const line = (title, name, digits = 0, floor = '') => [
        title,
        figure(`Interlock.${name}`, digits),
        figure(`Toolbox.${name}`, digits),
        floor,
    ];
    const lines = [['figure (median)', 'Interlock', 'Toolbox', 'floor']];
    for (const [operation, title] of [['list', 'tools/list'], ['activity', 'activity query']]) {
        for (const width of widths) {
            const name = `${operation}.${width}`;
            const floor =
                name === 'activity.16' ? figure('Floor.activity.per_second', 0) : '';
            const at = `${title}, ${width} connection${width === 1 ? '' : 's'}`;
            lines.push(line(`${at}: requests/s`, `${name}.per_second`, 0, floor));
            lines.push(line(`${at}: p50 us`, `${name}.p50_us`));
            lines.push(line(`${at}: p99 us`, `${name}.p99_us`));
        }
    }
    for (const width of widths.filter((each) => figures[`InMemory.activity.${each}.per_second`])) {
        const name = `InMemory.activity.${width}`;
        const at = `activity query, ${width} connection${width === 1 ? '' : 's'}, state in memory`;
        lines.push([`${at}: requests/s`, figure(`${name}.per_second`), '', '']);
        lines.push([`${at}: p99 us`, figure(`${name}.p99_us`), '', '']);
    }
    lines.push(line('tools/list: bytes', 'list_bytes'));
    lines.push(line('resident MB, idle', 'memory_idle_mb', 1));
    lines.push(line('resident MB, under load', 'memory_load_mb', 1));
    lines.push(line('resident MB, idle connections held', 'held_mb', 1));
    lines.push(line('exec to first tools/list, HTTP: ms', 'start_http_ms', 1));
    lines.push(line('exec to first tools/list, stdio: ms', 'start_stdio_ms', 1));
    lines.push(line('tools/list p99 us, 16 connections, before the database stops', 'blocked.idle_p99_us'));
    lines.push(line('tools/list p99 us, 16 connections, every database connection stuck', 'blocked.p99_us'));
    const where = Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join('\n');
    return [where, rows(lines), judged(marks)].join('\n\n');
}
