/** Cancel: to the node, which stops the engine, and to the record, which outlives the node; done when the slot is free. */
import { DroverError } from '../../contracts/errors.js';
import type { RunView } from '../../contracts/node.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { TaskTails } from '../relay/task-tails.js';
import type { RequestContext } from '../request-context.js';
import type { TaskLocator } from './locate-task.js';
import { cancelFields } from './narrate.js';

/** What cancel works with. */
export interface CancelDeps {
  nodes: NodeLink;
  records: TaskRecords;
  locator: TaskLocator;
  tails: TaskTails;
}

/** Cancels a task; again, or after its end, it changes nothing. @throws DroverError TASK_NOT_FOUND */
export type CancelTask = (taskId: string, context: RequestContext) => Promise<void>;

/** The closing frame is on its way from the node when the node answers; a reader that takes longer is cut off by it. */
const LAST_FRAME_LIMIT_MS = 1_000;

/** Builds cancel. */
export function createCancel({ nodes, records, locator, tails }: CancelDeps): CancelTask {
  return async function cancelTask(taskId, context) {
    const place = await locator.locate(taskId, context);
    if (place === undefined) throw new DroverError('TASK_NOT_FOUND', 'there is no such task');
    if (place.record?.open === false) return;
    const [atNode, onRecord] = await Promise.allSettled([
      nodes.cancel(place.nodeId, taskId, 'client', context),
      records.cancel(taskId),
    ]);
    // Tokens that the node has sent before it answered reach the readers here before the answer does (B-DP-206).
    await tails.settled(taskId, LAST_FRAME_LIMIT_MS);
    const view = settledView(atNode, onRecord, context);
    context.log.info(cancelFields(taskId, view), 'task cancelled');
  };
}

/** The node's word is enough; without the run at its node, the record's is. */
function settledView(
  atNode: PromiseSettledResult<RunView | undefined>,
  onRecord: PromiseSettledResult<void>,
  { log }: RequestContext,
): RunView | undefined {
  if (atNode.status === 'rejected') throw atNode.reason;
  if (onRecord.status === 'fulfilled') return atNode.value;
  if (atNode.value === undefined) throw onRecord.reason;
  log.warn(
    { event: 'cancel_not_recorded', err: onRecord.reason as unknown },
    'the workflow learns it from the run',
  );
  return atNode.value;
}
