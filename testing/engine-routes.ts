/** An engine's HTTP as a test says it: routes with answers, and the adapter that speaks to them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'node:test';
import {
  adapterFor,
  type EngineAdapter,
  type EngineEvent,
} from '../activities/engine/adapters/engine-adapter.js';
import type { EngineKind } from '../contracts/task.js';

/** What answers at a path: the body as it was parsed, the response, and the request. */
export type EngineRoute = (body: Record<string, unknown>, res: ServerResponse, req: IncomingMessage) => void;

/** Engines of a file's tests: each is closed when its test has ended. */
export function enginesOfTests(kind: EngineKind) {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  return async (
    routes: Record<string, EngineRoute>,
    waits = { firstByteMs: 2_000, idleMs: 2_000 },
  ): Promise<EngineAdapter> => {
    const server = createServer((req, res) => {
      let text = '';
      req.on('data', (chunk: Buffer) => (text += chunk.toString()));
      req.on('end', () => {
        const handler = routes[req.url ?? ''];
        if (handler === undefined) res.writeHead(404).end('{}');
        else handler(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>), res, req);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const adapter = adapterFor(kind, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, waits);
    closers.push(async () => {
      await adapter.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return adapter;
  };
}

/** Answers with JSON. */
export const json = (res: ServerResponse, body: object, status = 200) =>
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** A server-sent event. */
export const event = (body: object) => `data: ${JSON.stringify(body)}\n\n`;

/** Everything that a completion of two prompt ids says. */
export async function all(
  adapter: EngineAdapter,
  signal = AbortSignal.timeout(5_000),
): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const batch of adapter.complete({ promptIds: [1, 2], maxTokens: 4 }, signal))
    events.push(...batch);
  return events;
}
