import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { SupervisionView } from '../../../contracts/supervision.js';
import { DEFAULT_RESTART_POLICY } from '../../../domain/restart-policy.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const closed = { state: 'closed', failure_count: 0 } as const;
const VIEW: SupervisionView = {
  pool_id: 'gpu-0',
  step: 'backoff',
  attempts: 0,
  restart_count: 3,
  next_restart_at: '2026-01-01T00:00:00.000Z',
  last_crash: { reason: 'signal(SIGKILL)', at: '2026-01-01T00:00:00.000Z' },
  circuits: { general: closed, cuda: closed },
};

let api: TestApi;
const start = async (env: Record<string, string> = {}) => {
  const nodes = new MemoryNodes(['node-1']);
  nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'gpu-0' })]);
  api = await startTestApi({ nodes, env });
};
beforeEach(() => start());
afterEach(() => api.close());

describe('POST /v2/pools/:id/circuit/reset', () => {
  const reset = (id = 'gpu-0') => api.ask('POST', `/v2/pools/${id}/circuit/reset`);

  it('B-CP-073, B-SUPER-044: asks the supervisor, answers with how it stands, and logs who and when', async () => {
    api.records.supervision = VIEW;
    const answer = await reset();
    assert.deepEqual([answer.statusCode, answer.json()], [200, VIEW]);
    const [{ by, poolId } = {}] = api.records.resets;
    assert.deepEqual([poolId, by?.startsWith('token:')], ['gpu-0', true]);
    const line = api.log.find(({ event }) => event === 'circuit_reset');
    assert.deepEqual([line?.['by'], Number.isNaN(Date.parse(String(line?.['at'])))], [by, false]);
  });

  it('a pool that nobody supervises is 409, one that there is not is 404', async () => {
    assert.deepEqual([(await reset()).statusCode, (await reset('nobody')).statusCode], [409, 404]);
  });

  it('is 503 while Temporal is away', async () => {
    api.records.down = true;
    assert.equal((await reset()).json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
  });
});

describe('the restart policy of a preload', () => {
  const prepared = {
    ...{ pool_id: 'gpu-0', engine_version: 'b1', binary_path: '/opt/llama-server', port: 9_001 },
    ...{ model_path: '/m.gguf', model_ref: 'demo', slots_total: 2, ctx_max: 64 },
  };
  const preload = (supervision?: object) =>
    api.ask('POST', '/v2/pools/gpu-0/preload', { payload: { prepared, supervision, wait_ms: 0 } });

  it("B-CONFIG-014: is the pool's own over that of the installation, over the defaults", async () => {
    await api.close();
    await start({ DROVER_SUPERVISION: '{"circuit_threshold": 7, "cap_ms": 9000}' });
    await preload({ cap_ms: 8_000, jitter: 0 });
    await preload();
    const ours = { ...DEFAULT_RESTART_POLICY, circuit_threshold: 7 };
    assert.deepEqual(
      api.records.preloads.map(({ supervision }) => supervision),
      [
        { ...ours, cap_ms: 8_000, jitter: 0 },
        { ...ours, cap_ms: 9_000 },
      ],
    );
  });

  it('B-CONFIG-014: one that contradicts itself, or names what there is not, is refused with its fields', async () => {
    for (const [wishes, field] of [
      [{ cap_ms: 10 }, 'supervision.cap_ms'],
      [{ jitter: 2 }, 'supervision.jitter'],
      [{ caps_ms: 10 }, 'supervision'],
    ] as const) {
      const answer = await preload(wishes);
      const { code, details } = answer.json<{ code: string; details: { field: string }[] }>();
      assert.deepEqual([answer.statusCode, code, details[0]?.field], [400, 'INVALID_PARAMS', field]);
    }
    assert.deepEqual(api.records.preloads, []);
  });

  it('B-SUPER-052: a limit that cannot be reached is warned of', async () => {
    await preload({ circuit_threshold: 3 });
    const line = api.log.find(({ event }) => event === 'dead_limit');
    assert.deepEqual([line?.['level'], line?.['pool_id']], ['warn', 'gpu-0']);
    assert.match(String(line?.['problem']), /oom_crashes/);
  });
});
