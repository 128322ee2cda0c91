/** A node whose handoff folder is watched, and engines that others start and announce there: for `*.test.ts` only. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { adapterFor } from '../activities/engine/adapters/engine-adapter.js';
import { allowHosts } from '../workers/node/allowed-hosts.js';
import { HandoffWatch, type HandoffOutcome, type HandoffWatchDeps } from '../workers/node/watch-handoffs.js';
import { eventually } from './changes.js';
import { freePort } from './free-port.js';
import { poolNode } from './pool-node.js';
import { startFakeEngine, type StartedEngine } from './started-engine.js';

/** An engine of somebody else. */
export interface OthersEngine extends StartedEngine {
  url: string;
}

/** Starts an engine that no preload knows of. */
export async function startOthersEngine(
  t: TestContext,
  flags: readonly string[] = [],
  port?: number,
): Promise<OthersEngine> {
  const at = port ?? (await freePort());
  const engine = await startFakeEngine(t, ['--port', String(at), ...flags], `others-${at}`);
  const url = `http://127.0.0.1:${at}`;
  await eventually(
    () => `${url} to listen`,
    async () => (await fetch(`${url}/fake`).catch(() => undefined))?.ok,
  );
  return { ...engine, url };
}

/** Opens a folder on a node and watches it by hand: one scan a call. */
export async function watchedFolder(t: TestContext, changes: Partial<HandoffWatchDeps> = {}) {
  const node = await poolNode(t);
  const processed: [string, HandoffOutcome][] = [];
  const adapters: [string, string][] = [];
  const watch = new HandoffWatch({
    paths: node.deps.paths,
    pools: node.pools,
    adapterOf: (kind, url) => {
      adapters.push([kind, url]);
      return adapterFor(kind, url);
    },
    hostProblem: allowHosts([]),
    autoDelete: false,
    processed: (poolId, outcome) => processed.push([poolId, outcome]),
    log: node.deps.log,
    now: Date.now,
    ...changes,
  });
  t.after(() => watch.stop());
  const folder = node.deps.paths.handoffDir;
  return {
    node,
    watch,
    processed,
    adapters,
    folder,
    status: (poolId = 'gpu-0') => node.pools.status(poolId),
    scan: () => watch.scan(),
    /** Writes a handoff, an object or a text as it is. */
    announce: async (file: string, told: object | string): Promise<void> => {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, file), typeof told === 'string' ? told : JSON.stringify(told));
    },
    remove: (file: string) => rm(join(folder, file)),
    skipped: () => node.logged.filter(({ event }) => event === 'handoff_skipped'),
    bound: () => node.logged.filter(({ event }) => event === 'handoff_bound'),
  };
}
