/** How a supervisor has its pool loaded: by the preload's own story, under the id that an operator's has. */
import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { PreparedEngine } from '../../contracts/pool.js';
import { CONTROL_QUEUE, poolWorkflowId } from '../../domain/identity.js';
import type { preloadPool } from '../preload-pool.js';
import type { Run } from './supervisor.js';

/** What is shown of it. */
interface ChildWords {
  verb: 'restart' | 'wake';
  correlation_id: string;
  /** Ends its summary. */
  why?: string;
}

/** Waits for its end. @throws WorkflowExecutionAlreadyStartedError while another preload of the pool runs; ChildWorkflowFailure as it failed */
export async function preloadAsChild(run: Run, prepared: PreparedEngine, words: ChildWords): Promise<void> {
  const { poolId: pool_id, ready } = run;
  const { node_id, health_timeout_ms } = ready;
  const { verb, correlation_id, why = '' } = words;
  await executeChild<typeof preloadPool>('preloadPool', {
    workflowId: poolWorkflowId(pool_id, 'preload'),
    taskQueue: CONTROL_QUEUE,
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `${verb} pool ${pool_id} on node ${node_id}${why}`,
    args: [
      {
        ...{ node_id, correlation_id, health_timeout_ms, prepared },
        ...{ supervision: ready.policy, by: 'supervision' },
      },
    ],
  });
}
