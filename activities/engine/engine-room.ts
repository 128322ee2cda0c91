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
  /** Keeps an engine's exit for those who ask why it is gone. */
  remember(replica: ReplicaKey, child: DetachedProcess): void;
  /** The exit of a child of this worker: pending, or settled. Undefined for an engine that another worker started. */
  exitOf(engine: { pid: number; startTicks: string }): Promise<ProcessExit> | undefined;
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

/** An empty room; one a worker. */
export function createEngineRoom(): EngineRoom {
  const queues = new Map<string, Promise<unknown>>();
  const children = new Map<string, DetachedProcess>();
  const ports = new Map<string, number>();
  let searches: Promise<unknown> = Promise.resolve();
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
    remember(replica, child) {
      children.set(keyOf(replica), child);
    },
    exitOf({ pid, startTicks }) {
      const isIt = (child: DetachedProcess): boolean => child.pid === pid && child.startTicks === startTicks;
      return [...children.values()].find(isIt)?.exited;
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
