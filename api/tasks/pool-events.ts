/** What there is to tell of a pool now: how it stands, and every step and end of the last run of each operation on it. */
import { DroverError } from '../../contracts/errors.js';
import type { Operation, PoolEvent } from '../../contracts/operation.js';
import type { PoolHealth } from '../../contracts/pool.js';
import { OPERATION_KINDS, poolWorkflowId, type OperationKind } from '../../domain/identity.js';
import type { CallContext } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { ReadPools } from './pool-health.js';

/** A place in the order of a pool's events: by time, and within a millisecond by operation and step. */
export interface EventPlace {
  atMs: number;
  kind: OperationKind;
  index: number;
}

/** An event that has a place, and so is told once. */
export type PlacedEvent = Exclude<PoolEvent, { type: 'status' }> & { place: EventPlace };

/** An end comes after all steps, however many of them are known. */
const END_INDEX = 999;

/** A pool as it is now. */
export interface PoolLook {
  /** Undefined while no node has the pool, which a preload may be about to change. */
  health: PoolHealth | undefined;
  /** In their order. */
  events: PlacedEvent[];
}

/** Looks at a pool. @throws DroverError POOL_NOT_FOUND where it never had an operation either; POOL_UNAVAILABLE; TEMPORAL_UNAVAILABLE */
export type LookAtPool = (poolId: string, call: CallContext) => Promise<PoolLook>;

/** Builds the look. */
export function createPoolLook(records: TaskRecords, readPools: ReadPools): LookAtPool {
  async function healthOf(poolId: string, call: CallContext): Promise<PoolHealth | DroverError> {
    try {
      return await readPools.health(poolId, call);
    } catch (err) {
      if (err instanceof DroverError && err.code === 'POOL_NOT_FOUND') return err;
      throw err;
    }
  }

  return async function look(poolId, call) {
    const ids = OPERATION_KINDS.map((kind) => poolWorkflowId(poolId, kind));
    const [health, ...operations] = await Promise.all([
      healthOf(poolId, call),
      ...ids.map((id) => records.operation(id)),
    ]);
    const known = operations.filter((operation) => operation !== undefined);
    if (health instanceof DroverError && known.length === 0) throw health;
    const events = known.flatMap(eventsOf).toSorted((a, b) => comparePlaces(a.place, b.place));
    return { health: health instanceof DroverError ? undefined : health, events };
  };
}

/** Negative where `a` comes before `b`. */
export function comparePlaces(a: EventPlace, b: EventPlace): number {
  const kinds = OPERATION_KINDS.indexOf(a.kind) - OPERATION_KINDS.indexOf(b.kind);
  return a.atMs - b.atMs || kinds || a.index - b.index;
}

function eventsOf(operation: Operation): PlacedEvent[] {
  const { operation_id, run_id, kind, steps, ended_at_ms } = operation;
  const events: PlacedEvent[] = steps.map(({ step, doing, at_ms }, index) => ({
    type: 'step',
    data: { operation_id, run_id, kind, step, doing, at_ms },
    place: { atMs: at_ms, kind, index },
  }));
  if (ended_at_ms === null) return events;
  const place = { atMs: ended_at_ms, kind, index: END_INDEX };
  return [...events, { type: 'end', data: operation, place }];
}
