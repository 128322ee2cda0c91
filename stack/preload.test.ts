import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { preloadRequest, preparedEngine } from '../contracts/pool.js';
import { preloadDefaultPool } from './preload.js';

const prepared = preparedEngine.parse({
  ...{ pool_id: 'default', engine_version: '1', binary_path: '/bin/engine', port: 9300, backend: 'cpu' },
  ...{ model_path: '/m.gguf', model_ref: 'demo', slots_total: 1, ctx_max: 64 },
});

describe('the preload of the pool default', () => {
  let server: Server;
  let api: { url: string; key: string };
  /** What the API answers: to the preload, and to each look at its readiness. */
  let preloadAnswer: { status: number; body: object };
  let readiness: { status: number; body: object }[];
  let dropFirst: boolean;
  let posted: { key: unknown; path: string; body: unknown } | undefined;

  beforeEach(async () => {
    posted = undefined;
    dropFirst = false;
    preloadAnswer = { status: 200, body: { pool_id: 'default', pid: 1, handoff_path: '/h' } };
    readiness = [{ status: 200, body: { status: 'ready' } }];
    server = createServer((request, response) => {
      if (dropFirst && request.method === 'POST') {
        dropFirst = false;
        request.socket.destroy();
        return;
      }
      void request.toArray().then((chunks: Buffer[]) => {
        const isPost = request.method === 'POST';
        if (isPost) {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
          posted = { key: request.headers['x-api-key'], path: request.url ?? '', body };
        }
        const [next, ...later] = readiness;
        if (!isPost && later.length > 0) readiness = later;
        const { status, body } = isPost ? preloadAnswer : (next ?? { status: 500, body: {} });
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    api = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: 'dk-1' };
  });
  afterEach(() => server.close());

  const preload = (signal = new AbortController().signal) =>
    preloadDefaultPool(api, prepared, () => undefined, signal);

  it('is asked of the API with the key, as its contract says', async () => {
    await preload();
    assert.deepEqual([posted?.path, posted?.key], ['/v2/pools/default/preload', 'dk-1']);
    assert.deepEqual(preloadRequest.parse(posted?.body).prepared, prepared);
  });

  it('is over when the API says that it is ready, not when it has taken the order', async () => {
    preloadAnswer = { status: 202, body: { operation_id: 'pool:default:preload', status: 'running' } };
    const notYet = {
      status: 503,
      body: { code: 'POOL_UNAVAILABLE', message: 'the pool "default" is starting' },
    };
    readiness = [notYet, notYet, ...readiness];
    await preload();
    assert.equal(readiness.length, 1);
  });

  it('is ordered again when the API ended in the middle of the order', async () => {
    dropFirst = true;
    await preload();
    assert.equal(dropFirst, false);
    assert.deepEqual(preloadRequest.parse(posted?.body).prepared, prepared);
  });

  it("fails with the API's own code and words", async () => {
    preloadAnswer = { status: 503, body: { code: 'ModelNotFound', message: 'there is no /m.gguf' } };
    await assert.rejects(preload(), {
      name: 'StackError',
      message: 'the pool "default" could not be preloaded: ModelNotFound: there is no /m.gguf',
    });
  });

  it('ends when the stack ends', async () => {
    readiness = [{ status: 503, body: { code: 'POOL_UNAVAILABLE', message: 'starting' } }];
    const ending = new AbortController();
    const preloading = preload(ending.signal);
    setImmediate(() => ending.abort());
    await assert.rejects(preloading, { name: 'AbortError' });
  });
});
