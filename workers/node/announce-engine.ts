/**
 * An engine of somebody else that is announced over the gateway: the announcement is kept as a handoff, so that it outlives
 * this worker, and is looked at once (B-CP-060). Whoever announces it again, with another url for one, binds it anew.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { NodePaths } from '../../activities/deps.js';
import { replicaFiles, type ReplicaKey } from '../../activities/replica-files.js';
import { writeAtomically } from '../../activities/write-atomically.js';
import { DroverError } from '../../contracts/errors.js';
import { readAnnouncement } from '../../contracts/handoff.js';
import type { PoolRegistry } from './pool-registry.js';
import type { HandoffWatch } from './watch-handoffs.js';

/** What announcing works with. */
export interface AnnounceDeps {
  paths: NodePaths;
  pools: Pick<PoolRegistry, 'running'>;
  handoffs: Pick<HandoffWatch, 'scanNow'>;
  hostProblem: (url: string) => string | undefined;
}

/**
 * Takes an announcement; `bound` tells whether the engine has answered its health and generated a token.
 * @throws DroverError INVALID_PARAMS; POOL_CONFLICT where the replica is our own
 */
export type AnnounceEngine = (key: ReplicaKey, told: unknown) => Promise<{ bound: boolean }>;

/** Builds it. */
export function createAnnounceEngine(deps: AnnounceDeps): AnnounceEngine {
  const { paths, pools, handoffs, hostProblem } = deps;
  return async function announceEngine(key, told) {
    const text = JSON.stringify({ ...(told as object), ...key }, null, 2);
    const read = readAnnouncement(text);
    if ('problem' in read) throw new DroverError('INVALID_PARAMS', read.problem);
    const { url, pool_id, replica_id } = read.announcement;
    const problem = hostProblem(url);
    if (problem !== undefined) throw new DroverError('INVALID_PARAMS', problem);
    const files = replicaFiles(paths, { pool_id, replica_id });
    if (existsSync(files.spawnRecord)) {
      throw new DroverError('POOL_CONFLICT', 'this replica is an engine that Drover runs itself', {
        pool_id,
      });
    }
    await mkdir(paths.handoffDir, { recursive: true, mode: 0o700 });
    await writeAtomically(files.handoff, `${text}\n`);
    await handoffs.scanNow();
    return { bound: pools.running(pool_id, replica_id)?.url === url };
  };
}
