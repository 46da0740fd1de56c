// An issuer of tokens in a few lines: keys, their JWKS, and tokens good and forged.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export const issuer = 'https://login.example/realms/ops';
export const resource = 'https://interlock.example/mcp';

export class Key {
    constructor(kid) {
        const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
        this.kid = kid;
        this.private = pair.privateKey;
        this.public = pair.publicKey;
    }

    jwk() {
        return { ...this.public.export({ format: 'jwk' }), kid: this.kid, use: 'sig' };
    }

    /** A token; `claims` over those of a good one, `header` likewise. */
    token(claims = {}, header = {}) {
        const signed = this.#unsigned(claims, { alg: 'RS256', ...header });
        const signature = sign('sha256', Buffer.from(signed), this.private);
        return `${signed}.${signature.toString('base64url')}`;
    }

    /** The public key, which everybody has, used as if it were a shared secret. */
    confused(claims = {}) {
        const signed = this.#unsigned(claims, { alg: 'HS256' });
        const secret = this.public.export({ type: 'spki', format: 'pem' });
        return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    }

    unsigned(claims = {}) {
        return `${this.#unsigned(claims, { alg: 'none' })}.`;
    }

    #unsigned(claims, header) {
        const now = Math.floor(Date.now() / 1000);
        const good = {
            iss: issuer,
            sub: 'alice',
            aud: resource,
            iat: now,
            exp: now + 600,
            groups: ['dba'],
            scope: 'interlock',
        };
        const head = { typ: 'at+jwt', kid: this.kid, ...header };
        return `${encode(head)}.${encode({ ...good, ...claims })}`;
    }
}

export function jwks(...keys) {
    return JSON.stringify({ keys: keys.map((key) => key.jwk()) });
}
