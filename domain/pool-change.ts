/**
 * What has to be done to a pool so that it is as its entry in the configuration file says, one step at a time: the same facts
 * give the same step, whichever API looks, so that several may look at once.
 *
 * ```
 * not there, offline, failed ──preload──> ready ──another entry──reload──> ready ──no entry any more──drain──> offline
 *                                           └──entry with other devices──drain──> offline ──preload──> ready
 * ```
 */
import type { PoolState } from './pool.js';

/** The next step; `wait` for what is under way, `none` when nothing is left to do. */
export type PoolStep = 'preload' | 'reload' | 'drain' | 'wait' | 'none';

/** What an entry wants. */
export interface WantedPool {
  digest: string;
  device_mask: string | null;
  /** False: it is loaded by hand. */
  preload: boolean;
  /** The file has only now got this entry, or another one for the pool. */
  isNews: boolean;
}

/** How the pool stands. */
export interface PoolFacts {
  state: PoolState;
  /** Digest of the entry that its engine was made from; null: it was loaded by something else. */
  config_digest: string | null;
  device_mask: string | null;
  /** Its supervisor will start it again. */
  next_restart_at: string | null;
  /** An operator has drained it since it was last loaded. */
  wasDrained: boolean;
}

/** The next step for a pool with this entry; `pool` is undefined where no node knows it. */
export function nextStep(wanted: WantedPool, pool: PoolFacts | undefined): PoolStep {
  const load = wanted.preload ? 'preload' : 'none';
  if (pool === undefined) return load;
  const isSame = pool.config_digest === wanted.digest;
  switch (pool.state) {
    case 'uninitialized':
      return load;
    case 'provisioning':
    case 'starting':
    case 'draining':
    case 'reloading':
      return 'wait';
    case 'ready':
      if (isSame) return 'none';
      // A reload keeps the devices of its pool.
      return pool.device_mask === wanted.device_mask ? 'reload' : 'drain';
    case 'backoff':
    case 'asleep':
      return isSame ? 'none' : load;
    case 'failed':
      return isSame && !wanted.isNews && pool.next_restart_at !== null ? 'none' : load;
    case 'offline':
      return isSame && !wanted.isNews && pool.wasDrained ? 'none' : load;
  }
}

/** The next step for a pool that has no entry: one that came from the file goes, and nothing else is touched. */
export function nextStepWithout(pool: Pick<PoolFacts, 'state' | 'config_digest'>): PoolStep {
  if (pool.config_digest === null) return 'none';
  switch (pool.state) {
    case 'uninitialized':
    case 'draining':
    case 'offline':
      return 'none';
    case 'provisioning':
    case 'starting':
    case 'reloading':
      return 'wait';
    case 'ready':
    case 'backoff':
    case 'failed':
    case 'asleep':
      return 'drain';
  }
}

/** How an entry of a new file stands to the file before. */
export type EntryChange = 'added' | 'changed' | 'removed' | 'unchanged';

/** How the entries of two files differ, by pool id and digest; sorted by id. */
export function entryChanges(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): { pool_id: string; change: EntryChange }[] {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.map((pool_id) => {
    const [old, now] = [before.get(pool_id), after.get(pool_id)];
    if (old === undefined) return { pool_id, change: 'added' };
    if (now === undefined) return { pool_id, change: 'removed' };
    return { pool_id, change: old === now ? 'unchanged' : 'changed' };
  });
}
