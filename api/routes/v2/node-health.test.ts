import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthChain } from '../../../contracts/health.js';
import type { WorkerReport } from '../../../contracts/worker-report.js';
import { MemoryNodes } from '../../testing/memory-nodes.js';
import { startTestApi } from '../../testing/test-api.js';

function worker(node_id: string, pool_id: string, over: Partial<WorkerReport> = {}): WorkerReport {
  return {
    ...{ worker_id: `${node_id}:${pool_id}:r0`, node_id, pool_id, replica_id: 'r0', url: null },
    ...{ engine: 'llamacpp', model_ref: null, model_name: null, backend: null, device: null, state: 'idle' },
    ...{ slots_total: 1, slots_available: 1, pid: null, last_activity_ms: null, last_error: null },
    ...{ failed_health_checks: 0, last_health_ms: null },
    ...over,
  };
}

test('B-NODE-035: overall health is that of the API, of every node and of every worker, and each is listed', async () => {
  const nodes = new MemoryNodes(['node-1', 'node-2']);
  nodes.workersOf.set('node-1', [worker('node-1', 'tea')]);
  nodes.workersOf.set('node-2', [worker('node-2', 'pot', { state: 'busy' })]);
  const api = await startTestApi({ nodes });
  const read = async () => {
    const answer = await api.ask('GET', '/v2/health');
    assert.equal(answer.statusCode, 200, answer.body);
    const { status, api: own, nodes: lines } = answer.json<HealthChain>();
    const told = lines.flatMap(({ node_id, status: health, workers }) => [
      [node_id, health],
      ...workers.map((line) => [line.worker_id, line.status]),
    ]);
    return [status, own.status, Object.fromEntries(told) as Record<string, string>];
  };
  const well = {
    ...{ 'node-1': 'healthy', 'node-1:tea:r0': 'healthy', 'node-2': 'healthy', 'node-2:pot:r0': 'healthy' },
  };
  assert.deepEqual(await read(), ['healthy', 'healthy', well]);
  nodes.workersOf.set('node-1', [worker('node-1', 'tea', { state: 'crashed', last_error: 'it fell' })]);
  assert.deepEqual(await read(), ['unhealthy', 'healthy', { ...well, 'node-1:tea:r0': 'unhealthy' }]);
  nodes.workersOf.set('node-1', [worker('node-1', 'tea')]);
  nodes.away.add('node-2');
  const { 'node-2:pot:r0': _gone, ...others } = well;
  assert.deepEqual(await read(), ['unhealthy', 'healthy', { ...others, 'node-2': 'unhealthy' }]);
  nodes.away.clear();
  api.records.down = true;
  assert.deepEqual(await read(), ['unhealthy', 'unhealthy', well]);
  await api.close();
});
