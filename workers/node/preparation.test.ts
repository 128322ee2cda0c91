import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preparedEngine } from '../../contracts/pool.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';
import { preparationFigures } from './preparation.js';

const aNode = nodesOfTests();

const launch = (changes: object = {}) =>
  preparedEngine.parse({
    ...{ pool_id: 'default', engine_version: 'test', binary_path: '/bin/true', port: 1 },
    ...{ model_path: '/m.gguf', model_ref: 'demo', slots_total: 1, ctx_max: 64, backend: 'cpu' },
    ...{ on_demand: true, ...changes },
  });
const remote = launch({
  model_ref: 'hf:org/repo/m.gguf',
  model_path: '{model_path}',
  flags: ['{model_path}'],
});

/** A node whose only pool sleeps. */
async function sleepyNode(prepared = launch()): Promise<TestNode> {
  const node = await aNode({ slots: 0 });
  node.pools.asleep(prepared, null);
  return node;
}

test('a pool that sleeps takes tasks, says what is prepared for them, and gives them to the engine that comes', async () => {
  const node = await sleepyNode();
  const { admission, state } = await node.runs.offer(offerOf('a'));
  node.runs.confirm('a');
  assert.deepEqual(
    [state, admission.preparation.steps],
    [
      'queued',
      [
        {
          ...{ id: 'pool:default', kind: 'pool_warmup', group: 'pool', status: 'pending' },
          description: 'load the pool default',
        },
      ],
    ],
  );
  node.open(1);
  await node.engine.asked(1);
  assert.equal(node.runs.mustView('a').state, 'dispatched');
  const { admission: warm } = await node.runs.offer(offerOf('b'));
  assert.deepEqual(warm.preparation.steps, []);
});

test('how far the model and the load are is told until the run has a frame, and not of an offer that nobody confirmed', async () => {
  const node = await sleepyNode(remote);
  await node.runs.offer(offerOf('a'));
  const run = node.runs.mustServe('a');
  assert.equal(node.runs.preparationOf(run), undefined);
  node.runs.confirm('a');
  const told = () => node.runs.preparationOf(run)?.prep ?? {};
  assert.deepEqual(
    Object.entries(told()).map(([id, { status, phase }]) => [id, status, phase]),
    [
      ['model:hf:org/repo/m.gguf', 'pending', 'wait'],
      ['pool:default', 'pending', 'wait'],
    ],
  );
  const pool = node.pools.ensure('default');
  const fetched = preparationFigures(run, pool, Date.now(), () => ({ bytes: 30, totalBytes: 120 }));
  const model = fetched?.prep?.['model:hf:org/repo/m.gguf'];
  assert.deepEqual(
    [model?.status, model?.bytes_done, model?.bytes_total, model?.pct],
    ['running', 30, 120, 25],
  );
  node.pools.asleep(launch({ model_ref: 'hf:org/repo/m.gguf' }), null);
  assert.equal(told()['model:hf:org/repo/m.gguf']?.status, 'completed');
  node.pools.starting(launch({ model_ref: 'hf:org/repo/m.gguf' }));
  assert.deepEqual([told()['pool:default']?.status, told()['pool:default']?.phase], ['running', 'load']);
  node.open(1);
  assert.equal(node.runs.preparationOf(run), undefined);
});

test('a load is told by the time that the last one took, and a task is told to start after it', async () => {
  const node = await sleepyNode();
  const pool = node.pools.ensure('default');
  pool.loadMs = 2_000;
  const { admission } = await node.runs.offer(offerOf('a'));
  assert.deepEqual(
    [admission.predicted_start_ms, admission.preparation.steps[0]?.estimated_ms],
    [2_000, 2_000],
  );
  node.runs.confirm('a');
  node.pools.starting(launch());
  const figures = preparationFigures(node.runs.mustServe('a'), pool, pool.changedAtMs + 500);
  const { pct, eta_ms } = figures?.prep?.['pool:default'] ?? {};
  assert.deepEqual([pct, eta_ms], [25, 1_500]);
});

test('a task that waits for a pool to wake is cancelled like any that waits', async () => {
  const node = await sleepyNode();
  await node.runs.offer(offerOf('a'));
  node.runs.confirm('a');
  assert.equal((await node.runs.cancel('a', 'client')).state, 'cancelled');
  assert.deepEqual(node.pools.waiting('default'), []);
});
