// The command line of interlock-server in these tests; `--listen` or `--stdio` comes with the
// transport.
import { join } from 'node:path';

export function serverArguments(targets, directory) {
    const named = Object.entries(targets).flatMap(([name, uri]) => ['--target', `${name}=${uri}`]);
    return ['--state', join(directory, 'state'), ...named];
}
