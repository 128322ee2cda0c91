import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Operation } from '../../../contracts/operation.js';
import { eventually } from '../../../testing/changes.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { KEY, startTestApi, type TestApi } from '../../testing/test-api.js';

const DRAIN: Operation = {
  operation_id: 'pool:gpu-0:drain',
  run_id: 'run-1',
  kind: 'drain',
  pool_id: 'gpu-0',
  status: 'running',
  started_at_ms: 1_000,
  ended_at_ms: null,
  step: 'leases',
  steps: [
    { step: 'mark', doing: 'taking no new work', at_ms: 1_001, duration_ms: 9 },
    { step: 'leases', doing: 'waiting for 2 tasks', at_ms: 1_010, duration_ms: null },
  ],
  waiting_for: [{ activity: 'awaitLeases', attempt: 3, next_attempt_at_ms: 1_500 }],
  outcome: null,
  error: null,
};

describe('operations on pools', () => {
  let api: TestApi;
  beforeEach(async () => {
    const nodes = new MemoryNodes(['node-1']);
    nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'gpu-0' })]);
    api = await startTestApi({ nodes });
    api.records.operations.set(DRAIN.operation_id, DRAIN);
  });
  afterEach(() => api.close());

  it('B-CP-071: an operation tells its state, its steps with their times, and what it waits for', async () => {
    const answer = await api.ask('GET', '/v2/operations/pool%3Agpu-0%3Adrain');
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), DRAIN);
  });

  for (const id of ['pool:gpu-0:reload', 'task:t-1', 'pool:..:drain', 'nonsense']) {
    it(`B-CP-071: ${id} is no operation that ever ran`, async () => {
      const answer = await api.ask('GET', `/v2/operations/${encodeURIComponent(id)}`);
      assert.equal(answer.statusCode, 404);
      assert.equal(answer.json<{ code: string }>().code, 'OPERATION_NOT_FOUND');
    });
  }

  it('an unknown pool has no events', async () => {
    const answer = await api.ask('GET', '/v2/pools/nobody/events');
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json<{ code: string }>().code, 'POOL_NOT_FOUND');
  });

  it('an id that is no event of a pool is refused', async () => {
    const headers = { 'last-event-id': '17' };
    const answer = await api.ask('GET', '/v2/pools/gpu-0/events', { headers });
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<{ code: string }>().code, 'INVALID_PARAMS');
  });

  describe('as events', () => {
    let url = '';
    const readers: AbortController[] = [];
    beforeEach(async () => {
      await api.app.listen({ port: 0, host: '127.0.0.1' });
      url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/v2/pools/gpu-0/events`;
    });
    afterEach(() => {
      for (const reader of readers.splice(0)) reader.abort();
    });

    /** Opens the stream; what is answered grows with it. */
    async function watch(after?: string): Promise<{ text: string }> {
      const reader = new AbortController();
      readers.push(reader);
      const headers = { 'x-api-key': KEY, ...(after === undefined ? {} : { 'last-event-id': after }) };
      const response = await fetch(url, { headers, signal: reader.signal });
      const seen = { text: '' };
      void (async () => {
        const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
        for await (const chunk of body ?? []) seen.text += Buffer.from(chunk).toString();
      })().catch(() => undefined);
      return seen;
    }

    const eventsIn = ({ text }: { text: string }) =>
      text
        .split('\n\n')
        .filter((block) => block.includes('event:'))
        .map((block) => [/^id: (.*)$/m.exec(block)?.[1], /^event: (.*)$/m.exec(block)?.[1]] as const);
    const until = (seen: { text: string }, count: number) =>
      eventually(
        () => `${count} events in ${seen.text}`,
        () => (eventsIn(seen).length >= count ? eventsIn(seen) : undefined),
      );

    const STEPS = [
      ['1001.drain.0', 'step'],
      ['1010.drain.1', 'step'],
    ] as const;

    it('a reader gets how the pool stands and the steps so far, then each further one and the end, once', async () => {
      const seen = await watch();
      assert.deepEqual(await until(seen, 3), [...STEPS, [undefined, 'status']]);
      const stop = { step: 'stop', doing: 'stopping the engine', at_ms: 1_020, duration_ms: 5 };
      const ended = { ...DRAIN, status: 'completed', ended_at_ms: 1_030, steps: [...DRAIN.steps, stop] };
      api.records.operations.set(DRAIN.operation_id, ended as Operation);
      assert.deepEqual((await until(seen, 5)).slice(3), [
        ['1020.drain.2', 'step'],
        ['1030.drain.999', 'end'],
      ]);
    });

    it('a pool that stands otherwise than before is told; one that only lives on is not', async () => {
      const seen = await watch();
      await until(seen, 3);
      api.nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'gpu-0', last_heartbeat_ms: 77 })]);
      const other = await watch();
      await until(other, 3);
      api.nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'gpu-0', state: 'draining', draining: true })]);
      const told = await until(seen, 4);
      assert.deepEqual(told.slice(3), [[undefined, 'status']]);
      assert.match(seen.text.slice(seen.text.lastIndexOf('event: status')), /"state":"draining"/);
    });

    it('a reader that comes back goes on after the last event that it has', async () => {
      const seen = await watch('1001.drain.0');
      assert.deepEqual(await until(seen, 2), [STEPS[1], [undefined, 'status']]);
    });
  });
});
