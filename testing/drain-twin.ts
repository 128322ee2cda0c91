/** Typed in-memory activities of a node, for tests of the drain's story: they hold a pool's leases and remember every call. */
import { ApplicationFailure } from '@temporalio/common';
import type { NodeActivities } from '../activities/index.js';

/** The activities that a drain may use. */
export type DrainTwin = Pick<
  NodeActivities,
  'markPoolDraining' | 'awaitLeases' | 'endLeases' | 'stopEngine' | 'markPoolOffline' | 'liftDrain'
>;

/** A pool with so many running tasks, where every step succeeds but for those in `changes`. */
export function drainTwin(activeLeases: number, changes: Partial<DrainTwin> = {}) {
  const calls: string[] = [];
  const inputs = new Map<string, unknown>();
  const state = { activeLeases };
  const steps: DrainTwin = {
    markPoolDraining: () => Promise.resolve({ active_leases: state.activeLeases, replica_ids: ['r0', 'r1'] }),
    // A wait that is tried again: the test server lets time pass only between two tries.
    awaitLeases: () => (state.activeLeases === 0 ? Promise.resolve() : Promise.reject(stillLeased())),
    endLeases: () => Promise.resolve({ final_lease_count: state.activeLeases }),
    stopEngine: () => Promise.resolve({ outcome: 'stopped', pid: 4_711 }),
    markPoolOffline: () => Promise.resolve(),
    liftDrain: () => Promise.resolve(),
    ...changes,
  };
  const noted = <K extends keyof DrainTwin>(name: K): DrainTwin[K] => {
    const step = steps[name] as (input: unknown) => Promise<unknown>;
    const note = (input: unknown): Promise<unknown> => {
      if (calls.at(-1) !== name || name === 'stopEngine') calls.push(name);
      inputs.set(name, input);
      return step(input);
    };
    return note as DrainTwin[K];
  };
  const activities: DrainTwin = {
    markPoolDraining: noted('markPoolDraining'),
    awaitLeases: noted('awaitLeases'),
    endLeases: noted('endLeases'),
    stopEngine: noted('stopEngine'),
    markPoolOffline: noted('markPoolOffline'),
    liftDrain: noted('liftDrain'),
  };
  return { activities, calls, inputs, state };
}

/** Tasks still run. */
export function stillLeased(): ApplicationFailure {
  return ApplicationFailure.create({ message: 'tasks still run', type: 'WAITING', nextRetryDelay: '1s' });
}
