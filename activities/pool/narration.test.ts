import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withCorrelation } from '../../telemetry/correlation.js';
import { Narrations } from '../../testing/narrations.js';
import { poolNode } from '../../testing/pool-node.js';
import { quietMetrics } from '../../testing/quiet-metrics.js';
import { crashOf } from '../../testing/supervision-stage.js';
import { tellCrash } from '../../workers/node/crash-report.js';

const POOL = 'gpu-0';

test('B-OBS-022, B-NARR-009, B-NARR-015: what is done to a pool is told as it is done, by the activities that do it', async (t) => {
  const heard = new Narrations('node');
  const node = await poolNode(t, { log: heard.log });
  const prepared = await node.prepared();
  const engine = await node.run('spawnEngine', prepared);
  heard.says('spawn', new RegExp(`^Starts the llamacpp engine on .*, port ${prepared.port}$`));
  await node.run('writeHandoff', { prepared, engine, correlation_id: 'c' });
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1_234 });
  heard.says('ready', /\b1234 ms/);
  await node.run('markPoolDraining', { pool_id: POOL, deadline_ms: 5_000, reason: 'operator' });
  heard.has('drain', { pool_id: POOL, engine: 'llamacpp', target: POOL });
  tellCrash({ log: heard.log, metrics: quietMetrics }, { ...crashOf(POOL, 1), prepared });
  heard.says('crash', /^Finds the llamacpp engine gone/);
  assert.deepEqual(
    heard.told.map(({ action }) => action),
    ['spawn', 'ready', 'drain', 'crash'],
  );
  for (const { human, actor } of heard.told) {
    assert.equal(actor, 'pool-managerd');
    assert.ok(human.length <= 100, human);
  }
});

test('B-NARR-011, B-NARR-002: a refusal says its kind, what was asked for and what there is', async (t) => {
  const heard = new Narrations();
  const node = await poolNode(t, { log: heard.log, ramFactor: 1e12 });
  const prepared = await node.prepared([], { backend: 'cpu' });
  await assert.rejects(node.run('preflight', prepared), { type: 'InsufficientRam' });
  const { required_mb, available_mb } = heard.of('preflight') as unknown as Record<string, number>;
  assert.ok(required_mb !== undefined && available_mb !== undefined && required_mb > available_mb);
  heard.has('preflight', { error_kind: 'INSUFFICIENT_RAM', pool_id: POOL, engine: 'llamacpp' });
  heard.says('preflight', new RegExp(`needs ${required_mb} MB, and ${available_mb} MB are there`));
});

describe('what a capture hears', { concurrency: true }, () => {
  for (const id of ['one', 'two', 'three']) {
    test(`B-NARR-012: is its own, by words, field, request and provenance, until it is cleared (${id})`, async (t) => {
      const heard = new Narrations(id);
      const node = await poolNode(t, { log: heard.log });
      const order = { pool_id: `pool-${id}`, last_error: 'it broke' };
      await withCorrelation(`c-${id}`, () => node.run('markPoolFailed', order));
      heard.says('failed', /^Gives the pool up/);
      heard.has('failed', { pool_id: `pool-${id}`, error_kind: 'POOL_UNAVAILABLE' });
      heard.belongsTo('failed', `c-${id}`);
      heard.hasProvenance('failed', id);
      assert.equal(heard.told.length, 1);
      assert.throws(() => heard.has('failed', { pool_id: 'another' }));
      assert.throws(() => heard.belongsTo('failed', 'another'));
      heard.clear();
      assert.throws(() => heard.of('failed'), /nobody told/);
    });
  }
});
