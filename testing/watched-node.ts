/** A node whose engine serves, and the watch over it: real processes, and a watch that looks when a test says so. */
import { appendFile, mkdir } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { processStartTicks } from '../activities/process/process-identity.js';
import { replicaFiles } from '../activities/replica-files.js';
import type { CrashKind } from '../domain/crash.js';
import { EngineWatch, type EngineWatchDeps } from '../workers/node/watch-engines.js';
import { endReplica } from '../workers/node/stop-engines.js';
import { eventually } from './changes.js';
import { poolNode } from './pool-node.js';
import { isAlive } from './processes.js';
import { quietMetrics } from './quiet-metrics.js';

/** Its pool. */
export const POOL = 'gpu-0';
/** Its replica. */
export const KEY = { pool_id: POOL, replica_id: 'r0' };

async function answersOrIsGone({ pid, url }: { pid: number; url: string }): Promise<true | undefined> {
  const answer = await fetch(`${url}/health`).catch(() => undefined);
  return answer?.ok === true || !isAlive(pid) || undefined;
}

/** Starts it. */
export async function watchedNode(
  t: TestContext,
  flags: readonly string[] = [],
  changes: Partial<EngineWatchDeps> = {},
) {
  const counted: [CrashKind, string | null][] = [];
  const metrics = {
    ...quietMetrics,
    crashed: (_pool: string, kind: CrashKind, { device }: { device: string | null }) =>
      void counted.push([kind, device]),
  };
  const node = await poolNode(t, { metrics });
  const { paths } = node.deps;
  const prepared = await node.prepared(flags, { device_mask: 'GPU0' });
  await mkdir(paths.runtimeDir, { recursive: true });
  await appendFile(replicaFiles(paths, KEY).logFile, 'CUDA error of an engine before it\n');
  const engine = await node.run('spawnEngine', prepared);
  await eventually(
    () => 'the engine to be up',
    () => answersOrIsGone(engine),
  );
  await node.run('writeHandoff', { prepared, engine, correlation_id: 'corr-1' });
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  const watch = new EngineWatch({
    ...{ paths, room: node.room, pools: () => node.pools, metrics, log: node.deps.log, now: Date.now },
    isAlive: async ({ pid, startTicks }) => (await processStartTicks(pid)) === startTicks,
    answers: () => Promise.resolve(isAlive(engine.pid)),
    oomKills: () => Promise.resolve(0),
    end: (fallen) => endReplica({ ...node.deps, room: node.room }, fallen.prepared, fallen.pid),
    healthIntervalMs: 60_000,
    ...changes,
  });
  const gone = () =>
    eventually(
      () => 'the engine to be gone',
      () => !isAlive(engine.pid) || undefined,
    );
  const logged = (event: string) => node.logged.find((line) => line['event'] === event);
  return { node, engine, prepared, watch, counted, gone, logged };
}
