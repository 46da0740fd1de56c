// The two official TypeScript clients behind one face: v1 speaks the legacy protocol (2025-11-25),
// v2 is pinned to 2026-07-28.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const info = { name: 'interlock-e2e', version: '1.0.0' };

export const clients = [
    {
        name: '@modelcontextprotocol/sdk (2025-11-25)',
        make: () => new ClientV1(info),
        stdio: (command, args) => new StdioV1({ command, args, stderr: 'ignore' }),
        http: (url) => new HttpV1(new URL(`${url}/mcp`)),
    },
    {
        name: '@modelcontextprotocol/client (2026-07-28)',
        make: () => new ClientV2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
        stdio: (command, args) => new StdioV2({ command, args, stderr: 'ignore' }),
        http: (url) => new HttpV2(new URL(`${url}/mcp`)),
    },
];
