/** Refused tasks in the metrics (B-DP-034, B-DP-035): one rejection each, and the queue's policy where it acted. */
import { asTaskError } from '../../contracts/task-errors.js';
import { engineKind } from '../../contracts/task.js';
import type { Metrics } from '../../telemetry/metrics.js';
import { toDroverError } from '../plugins/errors.js';

/** Counts a refusal; `body` is what the client sent, of any shape. */
export type CountRefusal = (err: unknown, body: unknown) => void;

/** Builds the counter. */
export function refusalCounter(metrics: Metrics): CountRefusal {
  return (err, body) => {
    const { code, extras } = asTaskError(toDroverError(err));
    const engine = engineOf(body);
    metrics.tasksRejected.inc({ engine, reason: code });
    if (code === 'ADMISSION_REJECT') {
      metrics.backpressure.inc({ engine, policy: extras.policy_label ?? 'reject' });
    }
    if (code === 'QUEUE_FULL_DROP_LRU') metrics.backpressure.inc({ engine, policy: 'drop-lru' });
  };
}

/** The engine that was asked for; empty where the request named none that exists (B-OBS-015). */
function engineOf(body: unknown): string {
  const named = typeof body === 'object' && body !== null && 'engine' in body ? body.engine : undefined;
  return engineKind.safeParse(named).data ?? '';
}
