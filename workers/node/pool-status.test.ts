import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { readSettings } from '../../contracts/settings.js';
import { workerRoll } from '../../testing/quiet-workers.js';
import { nodeOnDisk, offerOf, type TestNode } from '../../testing/test-node.js';
import { buildGateway } from './gateway.js';
import { nodeMetrics } from './prometheus.js';
import { thisMachine } from './machine.js';

const TOKEN = 'the-token-of-this-node';

describe('GET /pools/:id/status of a node', () => {
  let node: TestNode;
  let gateway: FastifyInstance;
  beforeEach(async () => {
    node = await nodeOnDisk({ slots: 4 });
    const { runs, pools } = node;
    gateway = buildGateway({
      nodeId: 'node-1',
      host: '127.0.0.1',
      token: () => TOKEN,
      inTouch: () => true,
      version: '9.9.9',
      bodyLimitBytes: 1_000,
      runs,
      pools,
      workers: workerRoll(),
      devices: () => ({ devices: [], problem: null, seen_at_ms: null }),
      announceEngine: () => Promise.resolve({ bound: false }),
      metrics: nodeMetrics(),
      machine: thisMachine(readSettings({})),
      log: pino({ level: 'silent' }),
    });
  });
  afterEach(async () => {
    await gateway.close();
    await node.close();
    rmSync(node.runsDir, { recursive: true, force: true });
  });

  const status = async (pool: string) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await gateway.inject({ url: `/pools/${pool}/status`, headers });
    return { code: answer.statusCode, body: answer.json<Record<string, unknown>>() };
  };

  it('B-API-020, B-API-023: is 200 with what others decide by', async () => {
    const { code, body } = await status('default');
    assert.equal(code, 200);
    const { pool_id, live, ready, active_leases, engine_version, slots_total, slots_free, draining } = body;
    assert.deepEqual(
      [pool_id, live, ready, active_leases, engine_version],
      ['default', true, true, 0, 'test'],
    );
    assert.deepEqual([slots_total, slots_free, draining, body['last_error']], [4, 4, false, null]);
  });

  it('B-API-021: of a pool that there is not is 404, by its name', async () => {
    const { code, body } = await status('nobody');
    assert.deepEqual([code, body], [404, { error: 'pool nobody not found' }]);
  });

  it('B-API-024: shows what changed a moment ago', async () => {
    for (const id of ['a', 'b', 'c']) await node.runs.attach(offerOf(id, { digest: id }));
    const { body: busy } = await status('default');
    assert.deepEqual([busy['active_leases'], busy['slots_free']], [3, 1]);
    node.pools.draining('default');
    const { body } = await status('default');
    assert.deepEqual([body['live'], body['ready'], body['active_leases']], [true, false, 3]);
  });

  it('B-API-025: has the key of a version that nobody knows', async () => {
    node.pools.ensure('empty');
    const { body } = await status('empty');
    assert.ok('engine_version' in body);
    assert.equal(body['engine_version'], null);
  });
});
