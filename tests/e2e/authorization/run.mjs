// interlock-server as it is exposed: TLS, tokens of an issuer, rules to database roles.
// Usage: node tests/e2e/authorization/run.mjs --bin DIR
// Node trusts further certificates only from its start on, so that this makes them, and checks.mjs
// does the rest.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const scratch = mkdtempSync(join(tmpdir(), 'interlock-e2e-tls-'));

function makeCertificate(name) {
    const [certificate, key] = [join(scratch, `${name}.pem`), join(scratch, `${name}.key`)];
    execFileSync('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', '2', '-subj', `/CN=${name}`, '-keyout', key, '-out', certificate],
        ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ], { stdio: 'pipe' });
    return readFileSync(certificate, 'utf8');
}

let status = 1;
try {
    const trusted = join(scratch, 'trusted.pem');
    writeFileSync(trusted, makeCertificate('first') + makeCertificate('second'));
    const checks = fileURLToPath(new URL('checks.mjs', import.meta.url));
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: trusted, INTERLOCK_E2E_SCRATCH: scratch };
    const options = { env, stdio: 'inherit' };
    status = spawnSync(process.execPath, [checks, ...process.argv.slice(2)], options).status ?? 1;
} finally {
    rmSync(scratch, { recursive: true, force: true });
}
process.exit(status);
