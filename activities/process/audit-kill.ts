/** An engine that had to be killed stands in the audit log, whoever had it ended; the entry has its own time (B-LIFE-014). */
import { correlationFields } from '../../telemetry/correlation.js';
import type { NodeActivityDeps } from '../deps.js';
import type { ReplicaKey } from '../replica-files.js';

/** Who writes it. */
export type KillAudit = Pick<NodeActivityDeps, 'audit' | 'nodeId'>;

/** Notes the kill of an engine's group. */
export function auditKill(
  { audit, nodeId: node_id }: KillAudit,
  { pool_id, replica_id }: ReplicaKey,
  { pid, reason }: { pid: number; reason: string },
): void {
  const worker_id = `${pool_id}/${replica_id}`;
  const details = {
    worker_id,
    pool_id,
    replica_id,
    node_id,
    pid,
    reason,
    signal: 'SIGKILL',
    ...correlationFields(),
  };
  void audit.record({ event_type: 'worker_killed', actor: `node:${node_id}`, details });
}
