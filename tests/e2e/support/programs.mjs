// The programs under test, found by `--bin DIR`, and the modules they are tested with.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { bin: { type: 'string' } } });
if (!values.bin) {
    console.error('usage: node run.mjs --bin DIR');
    process.exit(2);
}

/** The path of a built program; ends the run when it is not there. */
export function program(name) {
    const path = join(resolve(values.bin), name);
    if (!existsSync(path)) {
        console.error(`fail  ${path} is not built`);
        process.exit(1);
    }
    return path;
}

/** The path of a file in node_modules; ends the run when it is not there. */
export function moduleFile(path) {
    const file = fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
    if (!existsSync(file)) {
        console.error(`fail  node modules are missing (npm ci in tests/e2e): ${path}`);
        process.exit(1);
    }
    return file;
}
