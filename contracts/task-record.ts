/**
 * What Temporal keeps of a task beside its history: the memo of `inferTask`, sealed. It answers a repeated request with
 * the same admission, says which node has the run, and outlives the node's run log (design §2.5, §7).
 */
import { z } from 'zod';
import { taskOutcome } from './node.js';
import { admission, engineKind, priority } from './task.js';

/** Memo of one task. The API writes all but `outcome`; the workflow keeps `node_id` up to date and adds `outcome`. */
export const taskMemo = z.object({
  digest: z.string(),
  node_id: z.string(),
  pool_id: z.string(),
  admission,
  /** The request without its content. */
  request: z.object({
    engine: engineKind,
    model_ref: z.string(),
    priority,
    admitted_at_ms: z.int(),
    correlation_id: z.string(),
  }),
  /** How the run ended, once it has. */
  outcome: taskOutcome.optional(),
});

/** A task memo's type. */
export type TaskMemo = z.infer<typeof taskMemo>;
