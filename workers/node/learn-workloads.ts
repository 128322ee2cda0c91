/** What the engines of a pool do is asked of themselves, once each has come to serve: nobody needs to write it down. */
import { setTimeout as delay } from 'node:timers/promises';
import { workloadsOf } from '../../activities/engine/adapters/probe-work.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { withOwnCorrelation } from '../../telemetry/correlation.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Pool, Replica } from './pool-registry.js';

/** A busy engine answers behind the tasks that it has. */
const ASK_LIMIT_MS = 30_000;
/** An engine that did not answer is asked again, while it serves. */
const PAUSE_MS = 5_000;

/** Asks each engine of the pool that has not been asked yet. Nobody waits for it: until then a task may be sent on a guess. */
export function learnWorkloads(pool: Pool, log: Logger, pauseMs = PAUSE_MS): void {
  for (const [replicaId, replica] of pool.replicas) {
    if (replica.workloads !== undefined) continue;
    replica.workloads = null;
    const serves = () => [...pool.replicas.values()].includes(replica);
    void withOwnCorrelation(() => learn(replica, serves, pauseMs)).then((known) => {
      if (!known) return;
      const { workloads } = replica;
      const fields = engineFields(replica.engine.prepared);
      log.info({ event: 'engine_workloads', ...fields, replica_id: replicaId, workloads }, 'workloads known');
    });
  }
}

async function learn(replica: Replica, serves: () => boolean, pauseMs: number): Promise<boolean> {
  while (serves()) {
    try {
      replica.workloads = await workloadsOf(replica.adapter, AbortSignal.timeout(ASK_LIMIT_MS));
      return true;
    } catch {
      // It is going, coming or busy, which its watch tells; what it does is asked for again.
      await delay(pauseMs, undefined, { ref: false });
    }
  }
  return false;
}
