import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import { BUDGETS_HEADER, NEXT_OFFSET_HEADER } from '../../contracts/node.js';
import { MemoryRun, readyPool } from '../testing/memory-nodes.js';
import { digestOf, textTask } from '../tasks/admit-task.js';
import { checkTask } from '../tasks/check-task.js';
import { taskBody } from '../testing/test-api.js';
import type { NodeState } from '../../domain/node-service.js';
import { createNodeLink, type OpenNodeLink } from './node.js';

const TOKEN = 'token-of-the-nodes-01';
const CALL = { correlationId: 'corr-1', trace: { span_id: 'span-1' } };
const task = textTask(checkTask(taskBody(), { maxOutputTokens: 100 }));
const offer = {
  task_id: 't-1',
  pool_id: 'default',
  epoch: 1,
  digest: digestOf(task),
  correlation_id: 'corr-1',
  trace: CALL.trace,
  request: { ...task.request, engine: 'llamacpp' as const },
  input: task.input,
};
const view = new MemoryRun('n', offer).view();

const BUDGETS = { tokens_budget_remaining: 3, time_budget_remaining_ms: 600, cost_budget_remaining: null };
const NDJSON = {
  'content-type': 'application/x-ndjson',
  [NEXT_OFFSET_HEADER]: 3,
  [BUDGETS_HEADER]: JSON.stringify(BUDGETS),
};

const frames: Frame[] = ['Once ', 'úpon ', 'a 🦙'].map((t, i) => ({
  offset: i,
  epoch: 1,
  type: 'token',
  data: { t, i },
}));
const ndjson = Buffer.from(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));

/** What the gateway of a test got, and what it answers. */
interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

describe('the link to a node', () => {
  let server: Server;
  let link: OpenNodeLink;
  let url: string;
  let answer: (response: ServerResponse, request: IncomingMessage) => void;
  const seen: Seen[] = [];

  before(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        answer(response, request);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => {
    seen.length = 0;
    link = createNodeLink({ nodes: [{ id: 'n', url }], token: () => TOKEN });
  });
  afterEach(() => link.close());

  const json = (status: number, body: unknown) => {
    answer = (response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const codeOf = async (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'no error',
      (err: unknown) => (err instanceof DroverError ? err.code : String(err)),
    );

  for (const [what, call, method, path, status, body] of [
    ['pools', () => link.pools('n', CALL), 'GET', '/pools', 200, { node_id: 'n', pools: [readyPool()] }],
    ['offer', () => link.offer('n', offer, CALL), 'POST', '/runs', 202, view],
    ['confirm', () => link.confirm('n', 't-1', CALL), 'POST', '/runs/t-1/confirm', 200, view],
    ['withdraw', () => link.withdraw('n', 't-1', CALL), 'POST', '/runs/t-1/withdraw', 204, undefined],
    ['abandon', () => link.abandon('n', 't-1', CALL), 'POST', '/runs/t-1/abandon', 204, undefined],
    ['view', () => link.view('n', 't-1', CALL), 'GET', '/runs/t-1', 200, view],
    ['cancel', () => link.cancel('n', 't-1', 'client', CALL), 'POST', '/runs/t-1/cancel', 200, view],
    [
      'attach',
      () => link.runs.attach('n', { ...offer, node_id: 'n' }, 70),
      'PUT',
      '/runs/t-1?wait_ms=70',
      200,
      view,
    ],
  ] as const) {
    it(`B-MW-007, B-AUTH-018: ${what} is ${method} ${path}, with the node's token and the id of the request`, async () => {
      json(status, body);
      const result = await call();
      if (body !== undefined) assert.deepEqual(result, body);
      const [request] = seen;
      assert.deepEqual([request?.method, request?.url], [method, path]);
      assert.equal(request?.headers.authorization, `Bearer ${TOKEN}`);
      assert.equal(request.headers['x-correlation-id'], 'corr-1');
      assert.deepEqual([request.headers['x-span-id'], request.headers['x-trace-id']], ['span-1', undefined]);
    });
  }

  it('B-DEAD-004: all that gives a node work says the deadline of the task, the same instant each time', async () => {
    json(200, view);
    const due = { ...offer, deadline_at_ms: Date.parse('2026-03-01T12:00:00.123Z') };
    await link.offer('n', due, CALL);
    await link.takeOver('n', due, CALL);
    await link.runs.attach('n', { ...due, node_id: 'n' }, 70);
    assert.deepEqual(
      seen.map(({ headers }) => headers['x-request-deadline']),
      Array.from({ length: 3 }, () => '2026-03-01T12:00:00.123Z'),
    );
  });

  it("escapes what a task's id may hold", async () => {
    json(200, view);
    await link.view('n', 'a:b', CALL);
    assert.equal(seen[0]?.url, '/runs/a%3Ab');
  });

  it("B-DP-033: a node's refusal comes back as it was said", async () => {
    const envelope = {
      code: 'ADMISSION_REJECT',
      message: 'full',
      retriable: true,
      retry_after_ms: 7,
      policy_label: 'reject',
    };
    json(429, envelope);
    const err = await link.offer('n', offer, CALL).catch((caught: unknown) => caught);
    assert.ok(err instanceof DroverError);
    assert.deepEqual(err.toEnvelope(), envelope);
  });

  it('an unknown run is undefined where that is an answer', async () => {
    json(404, { code: 'TASK_NOT_FOUND', message: 'no such run', retriable: false });
    assert.equal(await link.view('n', 't-1', CALL), undefined);
    assert.equal(await link.cancel('n', 't-1', 'client', CALL), undefined);
    assert.equal(await link.frames('n', 't-1', 0, CALL), undefined);
    assert.equal(await codeOf(link.confirm('n', 't-1', CALL)), 'TASK_NOT_FOUND');
  });

  it("B-DP-141: a run's whole log is its frames to the closing one; a log that was cut off is asked for again", async () => {
    const end: Frame = {
      offset: 3,
      epoch: 1,
      type: 'error',
      data: { code: 'CANCELLED', message: 'm', retriable: false },
    };
    const whole = Buffer.concat([ndjson, Buffer.from(`${JSON.stringify(end)}\n`)]);
    answer = (response) => response.writeHead(200, NDJSON).end(whole);
    assert.deepEqual(await link.runs.transcript('n', 't-1'), [...frames, end]);
    assert.equal(seen[0]?.url, '/runs/t-1/frames?from=0');
    answer = (response) => response.writeHead(200, NDJSON).end(ndjson);
    assert.equal(await codeOf(link.runs.transcript('n', 't-1')), 'POOL_UNAVAILABLE');
    answer = (response) => void response.writeHead(200, NDJSON).write(ndjson, () => response.destroy());
    assert.equal(await codeOf(link.runs.transcript('n', 't-1')), 'POOL_UNAVAILABLE');
    json(404, { code: 'TASK_NOT_FOUND', message: 'no such run', retriable: false });
    assert.equal(await link.runs.transcript('n', 't-1'), undefined);
  });

  for (const [what, status, body] of [
    ['a refusal of our own token', 401, { code: 'BAD_TOKEN', message: 'wrong', retriable: false }],
    ['a route that the node lacks', 404, { code: 'ROUTE_NOT_FOUND', message: 'no', retriable: false }],
    ["a proxy's page", 502, '<html>'],
    ['an answer of another shape', 200, { hello: 'world' }],
  ] as const) {
    it(`B-ERR-020: ${what} is our fault and none of the client's`, async () => {
      json(status, body);
      assert.equal(await codeOf(link.view('n', 't-1', CALL)), 'INTERNAL');
    });
  }

  it('B-ERR-003: a node that is not there is POOL_UNAVAILABLE, to be tried again', async () => {
    const gone = createNodeLink({ nodes: [{ id: 'n', url: 'http://127.0.0.1:1' }], token: () => TOKEN });
    for (const call of [
      gone.pools('n', CALL),
      gone.frames('n', 't-1', 0, CALL),
      gone.withdraw('n', 't-1', CALL),
    ]) {
      const err = await (call as Promise<unknown>).catch((caught: unknown) => caught);
      assert.ok(err instanceof DroverError);
      assert.equal(err.code, 'POOL_UNAVAILABLE');
      assert.equal(err.extras.policy_label, 'retry');
    }
    assert.equal(await codeOf(gone.pools('another', CALL)), 'POOL_UNAVAILABLE');
    await gone.close();
  });

  it('B-NAPI-004, B-NODE-036: a node that has registered is asked while it reports; what runs on a silent one is still found', async () => {
    const states = new Map<string, NodeState | undefined>([['r', 'online']]);
    const registered = {
      ids: () => [...states].flatMap(([id, state]) => (state === undefined ? [] : [id])),
      urlOf: () => url,
      stateOf: (id: string) => states.get(id),
    };
    const both = createNodeLink({ nodes: [{ id: 'n', url }], registered, token: () => TOKEN });
    json(200, { node_id: 'r', pools: [readyPool()] });
    assert.deepEqual(both.nodeIds, ['n', 'r']);
    assert.equal((await both.pools('r', CALL)).pools.length, 1);
    states.set('r', 'draining');
    assert.equal((await both.pools('r', CALL)).pools.length, 1);
    assert.deepEqual([both.drains('r'), both.drains('n')], [true, false]);
    for (const state of ['offline', 'registering', 'failed', undefined] as const) {
      states.set('r', state);
      seen.length = 0;
      const refusal = await both.pools('r', CALL).catch((err: unknown) => err);
      assert.ok(refusal instanceof DroverError);
      const details = state === 'offline' ? { cause_code: 'NETWORK_PARTITION' } : undefined;
      assert.deepEqual([refusal.code, refusal.extras.details], ['POOL_UNAVAILABLE', details], state);
      assert.equal(seen.length, 0);
    }
    assert.deepEqual(both.nodeIds, ['n']);
    assert.equal((await both.pools('n', CALL)).pools.length, 1);
    json(200, view);
    assert.equal((await both.view('r', 't-1', CALL))?.task_id, view.task_id);
    await both.close();
  });

  it('asks again when a kept connection was closed before a byte came, once', async () => {
    json(200, view);
    await link.view('n', 't-1', CALL);
    const healthy = answer;
    let resets = 0;
    answer = (response, request) => {
      resets += 1;
      answer = healthy;
      request.socket.destroy();
      response.destroy();
    };
    assert.deepEqual(await link.view('n', 't-1', CALL), view);
    assert.equal(resets, 1);
    answer = (_response, request) => request.socket.destroy();
    seen.length = 0;
    assert.equal(await codeOf(link.view('n', 't-1', CALL)), 'POOL_UNAVAILABLE');
    assert.equal(seen.length, 2);
  });

  it('does not ask again when the answer broke off in the middle', async () => {
    answer = (response, request) => {
      response
        .writeHead(200, { 'content-length': '100' })
        .write('{"task_id":', () => request.socket.destroy());
    };
    assert.equal(await codeOf(link.view('n', 't-1', CALL)), 'POOL_UNAVAILABLE');
    assert.equal(seen.length, 1);
  });

  const read = async (from = 0): Promise<Frame[]> => {
    const tail = await link.frames('n', 't-1', from, CALL);
    assert.ok(tail);
    const all: Frame[] = [];
    for await (const batch of tail.batches) all.push(...batch);
    return all;
  };

  it('B-STR-021: frames arrive whole, wherever the network cuts the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(ndjson.length), { maxLength: 6 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), ndjson.length];
        answer = (response) => {
          response.writeHead(200, NDJSON);
          sendPieces(
            response,
            places.slice(1).map((end, index) => ndjson.subarray(places[index], end)),
          );
        };
        assert.deepEqual(await read(), frames);
      }),
      { numRuns: 40 },
    );
  });

  it('asks for the log from an offset on, skips keep-alive lines and drops a line that was cut off', async () => {
    answer = (response) => response.writeHead(200, NDJSON).end(`\n\n${ndjson.toString()}\n{"offset":3,"epo`);
    assert.deepEqual(await read(12), frames);
    assert.equal(seen[0]?.url, '/runs/t-1/frames?from=12');
  });

  it('a reader that stops reading ends the connection', async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (response) => {
        response.writeHead(200, NDJSON).write(ndjson);
        response.on('close', resolve);
      };
    });
    const tail = await link.frames('n', 't-1', 0, CALL);
    assert.equal(tail?.liveFrom, 3);
    assert.deepEqual(tail.budgets, BUDGETS);
    for await (const batch of tail.batches) {
      assert.ok(batch.length > 0);
      break;
    }
    await closed;
  });

  it('a tail that the node breaks off is an error, and an abort ends it', async () => {
    answer = (response, request) => {
      response.writeHead(200, NDJSON).write(ndjson, () => request.socket.destroy());
    };
    await assert.rejects(read());
    const stop = new AbortController();
    answer = (response) => void response.writeHead(200, NDJSON).write(ndjson);
    const tail = await link.frames('n', 't-1', 0, { ...CALL, signal: stop.signal });
    assert.ok(tail);
    await assert.rejects(async () => {
      for await (const batch of tail.batches) if (batch.length > 0) stop.abort();
    });
  });
});

/** Writes each piece after the one before has gone to the network. */
function sendPieces(response: ServerResponse, pieces: Buffer[]): void {
  const [piece, ...rest] = pieces;
  if (piece === undefined) response.end();
  else if (piece.length === 0) sendPieces(response, rest);
  else response.write(piece, () => setImmediate(() => sendPieces(response, rest)));
}
