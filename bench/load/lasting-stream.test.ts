import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { textOf } from '../engine/words.js';
import { HttpClient } from './http-client.js';
import { beginStream } from './lasting-stream.js';

const WISH = { tokens: 2, pauseMs: 0 };

async function apiThat(t: TestContext, listener: RequestListener): Promise<HttpClient> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const client = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

/** Offset, name and data of a frame of the task whose events this path gives. */
function frame(url: string, id: number, name: 'token' | 'end', index = 0): string {
  const task = Number(/bench-(\d+)/.exec(url)?.[1]);
  const data = name === 'token' ? { t: textOf({ task, index, atMs: 1 }), i: index } : { tokens_out: 2 };
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

test('a stream that breaks off is asked for what comes after its last event', async (t) => {
  const asked: (string | string[] | undefined)[] = [];
  const api = await apiThat(t, ({ method, url = '', headers }, response) => {
    if (method === 'POST') return response.writeHead(202).end('{}');
    asked.push(headers['last-event-id']);
    if (asked.length === 1) return response.write(frame(url, 4, 'token'), () => response.destroy());
    if (asked.length === 2) return response.writeHead(503).end();
    response.end(frame(url, 5, 'token', 1) + frame(url, 6, 'end'));
  });
  const stream = await beginStream(api, 'default', WISH);
  assert.ok(stream);
  assert.equal((await stream.over).arrivals.length, 2);
  assert.deepEqual(asked, [undefined, '4', '4']);
  assert.equal(stream.breaks(), 2);
});

test('a token that comes again after the break ends the reading', async (t) => {
  const api = await apiThat(t, ({ method, url = '' }, response) => {
    if (method === 'POST') response.writeHead(202).end('{}');
    else response.write(frame(url, 4, 'token'), () => response.destroy());
  });
  const stream = await beginStream(api, 'default', WISH);
  await assert.rejects(async () => stream?.over, /got token 0 of \d+, not 1/);
});

test('a task that is refused for now can be ordered again, any other refusal is an error', async (t) => {
  const statuses = [503, 400];
  const api = await apiThat(t, (_, response) => response.writeHead(statuses.shift() ?? 500).end());
  assert.equal(await beginStream(api, 'default', WISH), undefined);
  await assert.rejects(beginStream(api, 'default', WISH), /400/);
});
