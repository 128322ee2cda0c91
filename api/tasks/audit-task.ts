/** A task in the audit log: that it was taken, where it was sent, how it ended; all under its correlation id (B-AUDIT-008). */
import type { Transcript } from '../../contracts/artifact.js';
import type { RunView } from '../../contracts/node.js';
import type { TaskRequest } from '../../contracts/task.js';
import type { Audit } from '../../security/audit/audit-log.js';
import { correlationFields } from '../../telemetry/correlation.js';
import type { RequestContext } from '../request-context.js';

/** Who writes what no caller did. */
const API = 'api';

/** Notes that a task was admitted and where it runs. Nobody waits for it. */
export function auditAdmission(
  audit: Audit,
  { task_id, session_id, model_ref, priority }: TaskRequest,
  { node_id, pool_id, replica_id }: RunView,
  { identity, correlationId: correlation_id }: Pick<RequestContext, 'identity' | 'correlationId'>,
): void {
  const actor = identity ?? 'unknown';
  const started = { task_id, session_id, model_ref, priority, correlation_id };
  void audit.record({ event_type: 'task_started', actor, details: started });
  const assigned = { task_id, node_id, pool_id, replica_id, correlation_id };
  void audit.record({ event_type: 'task_assigned', actor: API, details: assigned });
}

/** Notes that a task went to another node than it was assigned to. */
export function auditMove(
  audit: Audit,
  details: { task_id: string; node_id: string; pool_id: string; from: string; correlation_id: string },
): void {
  void audit.record({ event_type: 'task_assigned', actor: API, details });
}

/** Notes how a task ended, on behalf of its workflow; one that asks again is noted again. */
export function auditCompletion(audit: Audit, task_id: string, { events }: Transcript): void {
  const last = events.at(-1);
  const tokens = events.filter(({ type }) => type === 'token').length;
  const code = last?.type === 'error' && 'code' in last.data ? last.data.code : undefined;
  const outcome = last?.type === 'end' ? 'completed' : code === 'CANCELLED' ? 'cancelled' : 'failed';
  const details = { task_id, outcome, code, tokens, ...correlationFields() };
  void audit.record({ event_type: 'task_completed', actor: API, details });
}
