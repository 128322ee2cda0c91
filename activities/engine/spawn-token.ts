/** Spawn tokens: whose step an engine is the child of. */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { ReplicaKey } from '../replica-files.js';

/**
 * The token of a replica's engine within this workflow run: every try of every step computes the same, so that a child
 * whose spawn record was never written is still found by its environment.
 */
export function spawnToken({ pool_id, replica_id }: ReplicaKey): string {
  const { workflowId = '', runId = '' } = Context.current().info.workflowExecution ?? {};
  const owner = JSON.stringify([workflowId, runId, pool_id, replica_id]);
  return createHash('sha256').update(owner).digest('hex').slice(0, 32);
}
