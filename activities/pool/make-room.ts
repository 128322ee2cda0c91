/**
 * Activity `makeRoom`: a pool that tasks wait for is about to be loaded, and the node has room for it, or gets it: idle pools
 * go to sleep, the one used least recently first. One that is busy is waited for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { PreparedEngine } from '../../contracts/pool.js';
import { claimProblem } from '../../domain/device-mask.js';
import { leastRecentlyUsed, maySleep, type LoadedPool } from '../../domain/sleep.js';
import type { NodeActivityDeps } from '../deps.js';
import type { EngineRoom } from '../engine/engine-room.js';
import { preflightActivity } from '../engine/preflight.js';
import { shuttingDown, whyStopped } from '../shutting-down.js';
import { putToSleepActivity } from './put-to-sleep.js';

/** `unwanted`: nobody waits any more, or somebody else has the pool; `none`: no pool of this node would ever make room. */
export type Room = { room: 'free' | 'unwanted' } | { room: 'none'; message: string };

/** Between two looks at busy pools. */
const LOOK_EVERY_MS = 200;
/** Failures of the look at the node that an engine less may mend. */
const MEMORY = ['InsufficientRam', 'InsufficientVram'];

/** Builds the activity `makeRoom`. */
export function makeRoomActivity(deps: NodeActivityDeps, engines: EngineRoom) {
  const { pools, closing } = deps;
  const preflight = preflightActivity(deps, engines);
  const putToSleep = putToSleepActivity(deps, engines);

  /** @throws ApplicationFailure retryable when this worker shuts down; the next one goes on */
  return async function makeRoom(wanted: PreparedEngine): Promise<Room> {
    const { pool_id } = wanted;
    const context = Context.current();
    const { cancellationSignal } = context;
    const signal = AbortSignal.any([cancellationSignal, closing]);
    for (;;) {
      if (cancellationSignal.aborted) throw whyStopped(cancellationSignal.reason);
      if (closing.aborted) throw shuttingDown();
      if (pools.status(pool_id)?.state !== 'asleep' || pools.waiting(pool_id).length === 0)
        return { room: 'unwanted' };
      const lack = await whatLacks(wanted);
      // What is promised counts from this very turn on: two pools never take the same room.
      if (lack === null) return { room: 'free' };
      const victim = leastRecentlyUsed(lack.holders);
      if (victim !== undefined) {
        await putToSleep({ pool_id: victim.poolId, reason: { evicted_for: pool_id } });
        continue;
      }
      if (lack.isForGood) return { room: 'none', message: lack.message };
      context.heartbeat({ waits_for: lack.holders.map(({ poolId }) => poolId) });
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  };

  /** Null, and the room promised to the pool, where nothing does. */
  async function whatLacks(wanted: PreparedEngine): Promise<Lack | null> {
    const { pool_id } = wanted;
    const memory = await memoryProblem(wanted);
    const others = pools.loaded().filter(({ poolId }) => poolId !== pool_id);
    const lack = countLack(others) ?? deviceLack(wanted, others) ?? turnLack(pool_id, others);
    if (lack !== null) return lack;
    // Where no pool would make room the preload says itself what is missing.
    if (memory !== undefined && others.some(({ wishes }) => maySleep(wishes)))
      return { holders: others, message: memory, isForGood: false };
    pools.promiseRoom(pool_id);
    return null;
  }

  function countLack(others: readonly LoadedPool[]): Lack | null {
    const { maxLoadedPools } = deps;
    if (maxLoadedPools === null || others.length < maxLoadedPools) return null;
    const names = others.map(({ poolId }) => poolId).join(', ');
    const message = `the node may have ${maxLoadedPools} pools loaded, and has ${names}`;
    return { holders: others, message, isForGood: !others.some(({ wishes }) => maySleep(wishes)) };
  }

  /** Whoever has a device of the mask, as far as it may sleep; the preload itself refuses what no sleep would mend. */
  function deviceLack(wanted: PreparedEngine, others: readonly LoadedPool[]): Lack | null {
    if (wanted.backend === 'cpu') return null;
    const holding = pools.claims().filter((claim) => claimProblem(wanted, [claim]) !== undefined);
    const holders = others.filter(
      ({ poolId, wishes }) => maySleep(wishes) && holding.some(({ pool_id }) => pool_id === poolId),
    );
    return holders.length === 0 ? null : { holders, message: 'devices are taken', isForGood: false };
  }

  function turnLack(pool_id: string, others: readonly LoadedPool[]): Lack | null {
    const loading = pools.loading().filter((other) => other !== pool_id);
    if (loading.length < deps.parallelPreloads) return null;
    // Nobody's sleep gives it a turn.
    const holders = others.filter(({ poolId, tasks }) => loading.includes(poolId) && tasks > 0);
    return { holders, message: 'other pools load', isForGood: false };
  }

  async function memoryProblem(wanted: PreparedEngine): Promise<string | undefined> {
    try {
      await preflight(wanted);
      return undefined;
    } catch (err) {
      const isMemory = err instanceof ApplicationFailure && MEMORY.includes(err.type ?? '');
      return isMemory ? err.message : undefined;
    }
  }
}

/** What stands in the way of a load. */
interface Lack {
  /** Those whose sleep would help. */
  holders: readonly LoadedPool[];
  message: string;
  isForGood: boolean;
}
