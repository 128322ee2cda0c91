import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryNodes, readyPool } from '../testing/memory-nodes.js';
import { MemoryRecords } from '../testing/memory-records.js';
import { startTestApi } from '../testing/test-api.js';

describe('health', () => {
  it('B-API-001, B-API-002, B-API-003: the process is up whatever is missing, and says its version', async () => {
    const records = new MemoryRecords();
    records.down = true;
    const nodes = new MemoryNodes();
    nodes.away.add('node-1');
    const api = await startTestApi({ records, nodes });
    for (const path of ['/health', '/healthz']) {
      const answer = await api.ask('GET', path, { headers: { 'x-api-key': '' } });
      assert.equal(answer.statusCode, 200);
      assert.deepEqual(answer.json(), { status: 'ok', version: '9.9.9' });
    }
    await api.close();
  });
});

describe('readiness', () => {
  for (const [what, arrange, missing] of [
    ['everything is there', () => undefined, []],
    [
      'Temporal is away',
      (_nodes: MemoryNodes, records: MemoryRecords) => (records.down = true),
      ['temporal'],
    ],
    ['the node is away', (nodes: MemoryNodes) => nodes.away.add('node-1'), ['pool.default']],
    [
      'the pool is starting',
      (nodes: MemoryNodes) => nodes.poolsOf.set('node-1', [readyPool({ state: 'starting', ready: false })]),
      ['pool.default'],
    ],
    ['there is no such pool', (nodes: MemoryNodes) => nodes.poolsOf.set('node-1', []), ['pool.default']],
    [
      'both are missing',
      (nodes: MemoryNodes, records: MemoryRecords) => {
        records.down = true;
        nodes.away.add('node-1');
      },
      ['temporal', 'pool.default'],
    ],
  ] as const) {
    it(`is ${missing.length === 0 ? 'given' : 'refused'} when ${what}, without a key`, async () => {
      const [nodes, records] = [new MemoryNodes(), new MemoryRecords()];
      arrange(nodes, records);
      const api = await startTestApi({ nodes, records });
      const answer = await api.ask('GET', '/readyz', { headers: { 'x-api-key': '' } });
      assert.equal(answer.statusCode, missing.length === 0 ? 200 : 503);
      if (missing.length === 0) assert.deepEqual(answer.json(), { status: 'ready' });
      else {
        const { details, message } = answer.json<{
          details: { field: string; problem: string }[];
          message: string;
        }>();
        assert.deepEqual(
          details.map(({ field }) => field),
          missing,
        );
        for (const { problem } of details) assert.ok(message.includes(problem));
        assert.equal(answer.headers['retry-after'], '1');
      }
      await api.close();
    });
  }
});
