// The two official TypeScript clients behind one face: v1 speaks the legacy protocol (2025-11-25),
// v2 is pinned to 2026-07-28.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
    CreateMessageRequestSchema,
    ElicitRequestSchema,
    ListRootsRequestSchema,
    LoggingMessageNotificationSchema,
    PromptListChangedNotificationSchema,
    ResourceUpdatedNotificationSchema,
    ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import {
    Client as ClientV2,
    StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const info = { name: 'interlock-e2e', version: '1.0.0' };

/** v1 names messages by their schema, v2 by their method. */
const schemas = {
    'elicitation/create': ElicitRequestSchema,
    'sampling/createMessage': CreateMessageRequestSchema,
    'roots/list': ListRootsRequestSchema,
    'notifications/message': LoggingMessageNotificationSchema,
    'notifications/prompts/list_changed': PromptListChangedNotificationSchema,
    'notifications/resources/updated': ResourceUpdatedNotificationSchema,
    'notifications/tools/list_changed': ToolListChangedNotificationSchema,
};

/** What v2 agrees on by itself, and what it is for when it is told. */
export const negotiations = [
    { mode: 'auto', version: '2026-07-28' },
    { mode: 'legacy', version: '2025-11-25' },
];

export function negotiating(mode) {
    return new ClientV2(info, { versionNegotiation: { mode } });
}

export const clients = [
    {
        name: '@modelcontextprotocol/sdk (2025-11-25)',
        modern: false,
        make: (capabilities = {}) => new ClientV1(info, { capabilities }),
        stdio: (command, args) => new StdioV1({ command, args, stderr: 'ignore' }),
        http: (url, headers = {}) => new HttpV1(new URL(`${url}/mcp`), { requestInit: { headers } }),
        call: (client, params, options) => client.callTool(params, undefined, options),
        answer: (client, method, handler) => client.setRequestHandler(schemas[method], handler),
        hear: (client, method, handler) => client.setNotificationHandler(schemas[method], handler),
    },
    {
        name: '@modelcontextprotocol/client (2026-07-28)',
        modern: true,
        make: (capabilities = {}) =>
            new ClientV2(info, {
                capabilities,
                versionNegotiation: { mode: { pin: '2026-07-28' } },
            }),
        stdio: (command, args) => new StdioV2({ command, args, stderr: 'ignore' }),
        http: (url, headers = {}) => new HttpV2(new URL(`${url}/mcp`), { requestInit: { headers } }),
        call: (client, params, options) => client.callTool(params, options),
        answer: (client, method, handler) => client.setRequestHandler(method, handler),
        hear: (client, method, handler) => client.setNotificationHandler(method, handler),
    },
];
