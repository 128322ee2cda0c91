/** An engine's HTTP as a test says it: routes with answers, and the adapter that speaks to them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'node:test';
import {
  adapterFor,
  type EngineEvent,
  type IdsAdapter,
  type TextAdapter,
} from '../activities/engine/adapters/engine-adapter.js';
import type { EngineKind } from '../contracts/task.js';

/** What answers at a path: the body as it was parsed, the response, and the request. */
export type EngineRoute = (body: Record<string, unknown>, res: ServerResponse, req: IncomingMessage) => void;

/** The adapter of a kind, by what such an engine takes. */
type AdapterOf<K extends EngineKind> = K extends 'llamacpp' | 'vllm' ? IdsAdapter : TextAdapter;

/** Engines of a file's tests: each is closed when its test has ended. */
export function enginesOfTests<K extends EngineKind>(kind: K) {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  return async (
    routes: Record<string, EngineRoute>,
    waits = { firstByteMs: 2_000, idleMs: 2_000 },
  ): Promise<AdapterOf<K>> => {
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
    return adapter as AdapterOf<K>;
  };
}

/** Answers with JSON. */
export const json = (res: ServerResponse, body: object, status = 200) =>
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** A server-sent event. */
export const event = (body: object) => `data: ${JSON.stringify(body)}\n\n`;

/** Everything that a completion of two prompt ids says. */
export function all(
  adapter: Pick<IdsAdapter, 'complete'>,
  signal = AbortSignal.timeout(5_000),
): Promise<EngineEvent[]> {
  return gather(adapter.complete({ promptIds: [1, 2], maxTokens: 4 }, signal));
}

/** Everything that a stream says. */
export async function gather(stream: AsyncIterable<EngineEvent[]>): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const batch of stream) events.push(...batch);
  return events;
}

/** The text of all that was said. */
export const textOf = (events: readonly EngineEvent[]) =>
  events.map((said) => (said.kind === 'tokens' ? said.text : '')).join('');
