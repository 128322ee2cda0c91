/**
 * What the engine activities of one worker share in memory. Nothing here must survive the worker: what must is in spawn
 * records and PID files.
 */
import type { DetachedProcess, ProcessExit } from '../process/spawn-detached.js';
import type { ReplicaKey } from '../replica-files.js';

/** One worker's engines, as far as it started them itself. */
export interface EngineRoom {
  /** Runs one operation on a replica at a time: a stop waits for a spawn that is under way, and then finds its child. */
  alone<T>(replica: ReplicaKey, work: () => Promise<T>): Promise<T>;
  /**
   * Keeps an engine's exit for those who ask why it is gone.
   * @param oomKillsBefore - how many processes the system had ended for want of memory when it was started
   */
  remember(replica: ReplicaKey, child: DetachedProcess, oomKillsBefore: number): void;
  /** The exit of a child of this worker: pending, or settled. Undefined for an engine that another worker started. */
  exitOf(engine: { pid: number; startTicks: string }): Promise<ProcessExit> | undefined;
  /** As {@link remember} was told; undefined for an engine that another worker started. */
  oomKillsBefore(engine: { pid: number; startTicks: string }): number | undefined;
  /** True the first time that it is asked of a child of this worker: its operator is told of a slow disk once. */
  isFirstWordOnDisk(engine: { pid: number; startTicks: string }): boolean;
  /**
   * Promises a port to a replica, until it asks again or is stopped. One search at a time: two engines that start
   * together do not listen yet, so only the promise keeps them apart.
   * @param find - is given the ports promised to others
   */
  promisePort(
    replica: ReplicaKey,
    find: (promised: ReadonlySet<number>) => Promise<number | undefined>,
  ): Promise<number | undefined>;
  releasePort(replica: ReplicaKey): void;
}

/** A child of this worker, and what is known of its time. */
interface Child {
  process: DetachedProcess;
  oomKillsBefore: number;
  toldOfDisk: boolean;
}

/** An empty room; one a worker. */
export function createEngineRoom(): EngineRoom {
  const queues = new Map<string, Promise<unknown>>();
  const children = new Map<string, Child>();
  const ports = new Map<string, number>();
  let searches: Promise<unknown> = Promise.resolve();
  const childOf = ({ pid, startTicks }: { pid: number; startTicks: string }): Child | undefined =>
    [...children.values()].find(({ process }) => process.pid === pid && process.startTicks === startTicks);
  return {
    async alone(replica, work) {
      const key = keyOf(replica);
      const turn = (queues.get(key) ?? Promise.resolve()).then(work, work);
      queues.set(key, turn);
      try {
        return await turn;
      } finally {
        if (queues.get(key) === turn) queues.delete(key);
      }
    },
    remember(replica, process, oomKillsBefore) {
      children.set(keyOf(replica), { process, oomKillsBefore, toldOfDisk: false });
    },
    exitOf: (engine) => childOf(engine)?.process.exited,
    oomKillsBefore: (engine) => childOf(engine)?.oomKillsBefore,
    isFirstWordOnDisk(engine) {
      const child = childOf(engine);
      if (child === undefined || child.toldOfDisk) return false;
      child.toldOfDisk = true;
      return true;
    },
    promisePort(replica, find) {
      const search = searches.then(async () => {
        ports.delete(keyOf(replica));
        const port = await find(new Set(ports.values()));
        if (port !== undefined) ports.set(keyOf(replica), port);
        return port;
      });
      searches = search.catch(() => undefined); // Whoever asked is told.
      return search;
    },
    releasePort(replica) {
      ports.delete(keyOf(replica));
    },
  };
}

function keyOf({ pool_id, replica_id }: ReplicaKey): string {
  return `${pool_id}/${replica_id}`;
}
