// Raw messages against interlock-conformance: what the conformance suite and the official clients
// leave out.
// Usage: node tests/e2e/wire/run.mjs --bin DIR
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Listening } from '../support/child.mjs';
import { program } from '../support/programs.mjs';
import { Report } from '../support/report.mjs';
import { checkHttp } from './http.mjs';
import { checkStdio } from './stdio.mjs';

const server = program('interlock-conformance');
const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'interlock-wire-'));
let listening;
try {
    await checkStdio(report, server);
    listening = await Listening.start(server, [], scratch);
    await checkHttp(report, listening.url);
    report.check('the server ends with exit code 0', (await listening.stop()) === 0, listening.log);
} catch (problem) {
    report.check('the run', false, problem.stack);
} finally {
    await listening?.stop();
    rmSync(scratch, { recursive: true, force: true });
}
report.finish();
