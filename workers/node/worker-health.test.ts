import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapterFor } from '../../activities/engine/adapters/engine-adapter.js';
import { freePort } from '../../testing/free-port.js';
import { startFakeEngine } from '../../testing/started-engine.js';
import { nodesOfTests } from '../../testing/test-node.js';
import { workerHealth } from './worker-health.js';

const aNode = nodesOfTests();
const KEY = { pool_id: 'default', replica_id: 'r0' };

test('B-WHL-002, B-WHL-003: a real engine that loads, that serves, that hangs and that is gone', async (t) => {
  const ports = { ready: await freePort(), loading: await freePort(), hangs: await freePort() };
  const gone = await freePort();
  await startFakeEngine(t, ['--port', String(ports.ready)]);
  await startFakeEngine(t, ['--port', String(ports.loading), '--never-ready']);
  await startFakeEngine(t, ['--port', String(ports.hangs), '--slow-health', '60000']);
  for (const [port, expected] of [
    [ports.ready, { status: 200, cause: null }],
    [ports.loading, { status: 503, cause: null }],
    [ports.hangs, { status: null, cause: 'timeout' }],
    [gone, { status: null, cause: 'connection' }],
  ] as const) {
    const { pools } = await aNode({ adapterOf: () => adapterFor('llamacpp', `http://127.0.0.1:${port}`) });
    assert.deepEqual(await workerHealth(pools, KEY), expected);
  }
});

test('an engine that does not serve has no health to ask for', async () => {
  const { pools } = await aNode({ slots: 0 });
  await assert.rejects(workerHealth(pools, KEY), { code: 'WORKER_NOT_FOUND' });
});
