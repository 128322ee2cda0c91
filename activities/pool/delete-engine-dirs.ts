/** Activity `deleteEngineDirs`: what a pool's engines left in their working directories goes (B-CP-040, B-CP-044). */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mayBeForgotten } from '../../domain/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { heartbeating } from '../engine/heartbeating.js';
import { poolFailure, systemReason } from '../failures.js';
import { workRoot } from '../replica-files.js';

/** Replica `r0`, `r1`, …, and the engine that a reload had beside it: no other pool's directory ends like this. */
const REPLICA = /^r\d+(\.next|\.old)?$/;

/** Names of what was deleted. */
export interface DeletedDirs {
  deleted: string[];
}

/** Builds the activity `deleteEngineDirs`. */
export function deleteEngineDirsActivity({ pools, paths }: Pick<NodeActivityDeps, 'pools' | 'paths'>) {
  /**
   * Deletes the directories of the pool below the node's working directory; a link is taken away, never followed.
   * @throws ApplicationFailure `POOL_CONFLICT` when an engine may be at work in them
   */
  return function deleteEngineDirs({ pool_id }: { pool_id: string }): Promise<DeletedDirs> {
    return heartbeating(async () => {
      const state = pools.status(pool_id)?.state ?? 'offline';
      if (!mayBeForgotten(state))
        throw poolFailure('POOL_CONFLICT', `the pool is ${state}; its directories are kept`, { pool_id });
      const root = workRoot(paths);
      const prefix = `${pool_id}-`;
      const deleted = (await namesIn(root))
        .filter((name) => name.startsWith(prefix) && REPLICA.test(name.slice(prefix.length)))
        .sort();
      for (const name of deleted) await rm(join(root, name), { recursive: true, force: true });
      return { deleted };
    });
  };
}

/** None where nothing was ever started. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (err) {
    if (systemReason(err).startsWith('ENOENT')) return [];
    throw err;
  }
}
