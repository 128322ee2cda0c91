/** Typed in-memory activities of a node, for tests of the preload's story: they do nothing and remember everything. */
import type { NodeActivities } from '../activities/index.js';
import { poolFailure } from '../activities/failures.js';
import { preparedEngine, type PreloadPoolInput, type PreparedEngine } from '../contracts/pool.js';
import type { ProvidedEngine, ProvisionStep } from '../domain/engine-provision.js';
import type { PoolFailureType } from '../domain/pool-failure.js';

/** The activities that a preload may use. */
export type PreloadTwin = Pick<
  NodeActivities,
  | 'markPoolProvisioning'
  | 'planEngine'
  | 'takeEngineStep'
  | 'recordEngine'
  | 'preflight'
  | 'markPoolStarting'
  | 'spawnEngine'
  | 'awaitEngineReady'
  | 'probeEngine'
  | 'writeHandoff'
  | 'markPoolReady'
  | 'removeHandoff'
  | 'stopEngine'
  | 'markPoolFailed'
>;

/** Name of one of them. */
export type PreloadActivity = keyof PreloadTwin;

/** What a preload is asked for on `nodeId`. */
export function preloadInput(nodeId: string, changes: Partial<PreloadPoolInput> = {}): PreloadPoolInput {
  const prepared = preparedEngine.parse({
    pool_id: 'gpu-0',
    engine_version: 'b1234',
    binary_path: '/opt/llama-server',
    flags: ['--port', '8001'],
    port: 8_001,
    model_path: '/models/m.gguf',
    model_ref: 'demo',
    slots_total: 2,
    ctx_max: 1_024,
  });
  return { node_id: nodeId, correlation_id: 'corr-1', health_timeout_ms: 120_000, prepared, ...changes };
}

/** The steps of a build. */
export const BUILD_STEPS: ProvisionStep[] = ['git-clone', 'cmake-configure', 'cmake-build'];

/** What a node that builds has in the end. */
export const BUILT: ProvidedEngine = {
  id: 'llamacpp-source-0000000000000000',
  path: '/engines/llama-server',
  digest: `sha256:${'0'.repeat(64)}`,
  version: 'llamacpp-source:b4711-cpu',
};

/** A launch whose engine has yet to be built. */
export function unbuilt(prepared: PreparedEngine): PreparedEngine {
  const repository = 'https://git.test/engine';
  const provisioning = { mode: 'source' as const, repository, ref: 'b4711', build_flags: [] };
  return { ...prepared, binary_path: '{engine_path}', backend: 'cpu', provisioning };
}

/** A node where every step succeeds, but for those in `changes`. */
export function preloadTwin(changes: Partial<PreloadTwin> = {}) {
  const calls: PreloadActivity[] = [];
  const errors: string[] = [];
  const engine = { pid: 4_711, start_ticks: '99', url: 'http://127.0.0.1:8001' };
  const steps: PreloadTwin = {
    markPoolProvisioning: () => Promise.resolve(true),
    planEngine: () => Promise.resolve({ engine_id: BUILT.id, present: null, steps: BUILD_STEPS }),
    takeEngineStep: () => Promise.resolve(),
    recordEngine: () => Promise.resolve(BUILT),
    preflight: (prepared) => Promise.resolve({ prepared, serving: null }),
    markPoolStarting: () => Promise.resolve(),
    spawnEngine: () => Promise.resolve(engine),
    awaitEngineReady: () => Promise.resolve(),
    probeEngine: () => Promise.resolve(),
    writeHandoff: () => Promise.resolve('/state/engines/gpu-0-r0.json'),
    markPoolReady: () => Promise.resolve(),
    removeHandoff: () => Promise.resolve(),
    stopEngine: () => Promise.resolve({ outcome: 'stopped', pid: engine.pid }),
    markPoolFailed: () => Promise.resolve(),
    ...changes,
  };
  const noted = <K extends PreloadActivity>(name: K): PreloadTwin[K] => {
    const step = steps[name] as (input: unknown, ...more: unknown[]) => Promise<unknown>;
    const note = (input: unknown, ...more: unknown[]): Promise<unknown> => {
      calls.push(name);
      if (name === 'markPoolFailed') errors.push((input as { last_error: string }).last_error);
      return step(input, ...more);
    };
    return note as PreloadTwin[K];
  };
  const activities: PreloadTwin = {
    markPoolProvisioning: noted('markPoolProvisioning'),
    planEngine: noted('planEngine'),
    takeEngineStep: noted('takeEngineStep'),
    recordEngine: noted('recordEngine'),
    preflight: noted('preflight'),
    markPoolStarting: noted('markPoolStarting'),
    spawnEngine: noted('spawnEngine'),
    awaitEngineReady: noted('awaitEngineReady'),
    probeEngine: noted('probeEngine'),
    writeHandoff: noted('writeHandoff'),
    markPoolReady: noted('markPoolReady'),
    removeHandoff: noted('removeHandoff'),
    stopEngine: noted('stopEngine'),
    markPoolFailed: noted('markPoolFailed'),
  };
  return { activities, calls, errors };
}

/** A step that fails for good. */
export function failing(type: PoolFailureType, message: string): () => Promise<never> {
  return () => Promise.reject(poolFailure(type, message, { pool_id: 'gpu-0' }, { retryable: false }));
}

/** A health poll that finds the engine still loading, as the node's own says it. */
export function stillLoading(attempts: number): Error {
  const message = `health check failed: pool gpu-0 at http://127.0.0.1:8001/health is not healthy after ${attempts * 500} ms and ${attempts} attempts: it answers 503`;
  return poolFailure(
    'HealthTimeout',
    message,
    { pool_id: 'gpu-0', attempts },
    { nextRetryDelayMs: 500, benign: true },
  );
}
