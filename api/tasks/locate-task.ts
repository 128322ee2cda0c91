/**
 * Which node has a task: remembered here for the tasks of late, else read from the task's record, never from a
 * visibility list (design §7). While Temporal is away the nodes themselves are asked.
 */
import { DroverError } from '../../contracts/errors.js';
import type { Admission } from '../../contracts/task.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskRecord, TaskRecords } from '../clients/task-records.js';

/** A task that was accepted beyond doubt: what a repeated request is answered from. */
export interface AcceptedTask {
  nodeId: string;
  digest: string;
  admission: Admission;
}

/** Where a task is, and its record if that had to be read. */
export interface TaskPlace {
  nodeId: string;
  record?: TaskRecord;
}

/** Finds tasks. */
export interface TaskLocator {
  remember(taskId: string, accepted: AcceptedTask): void;
  recall(taskId: string): AcceptedTask | undefined;
  /** The place that is remembered may be out of date: read the record at the next need. */
  forget(taskId: string): void;
  /** @throws DroverError TEMPORAL_UNAVAILABLE when neither Temporal nor any node can tell */
  locate(taskId: string, call: CallContext): Promise<TaskPlace | undefined>;
  /** True unless the record says that the task has ended or never was. */
  isOpen(taskId: string): Promise<boolean>;
}

/** About 3 MB; a task that is older is found by its record. */
const REMEMBERED_TASKS = 10_000;

/** A locator that remembers nothing yet. */
export function createTaskLocator(
  records: TaskRecords,
  nodes: NodeLink,
  capacity = REMEMBERED_TASKS,
): TaskLocator {
  // A record that was read tells a place; whether its task was accepted or rejected can still turn out.
  const known = new Map<string, { nodeId: string; accepted?: AcceptedTask }>();

  async function askNodes(taskId: string, call: CallContext): Promise<TaskPlace | undefined> {
    const views = await Promise.all(
      nodes.nodeIds.map((nodeId) => nodes.view(nodeId, taskId, call).catch(ignoreRefusal)),
    );
    // An unconfirmed run is on nobody's record yet.
    const view = views.find((candidate) => candidate?.confirmed === true);
    return view === undefined ? undefined : { nodeId: view.node_id };
  }

  function keep(taskId: string, task: { nodeId: string; accepted?: AcceptedTask }): void {
    known.delete(taskId);
    known.set(taskId, task);
    if (known.size <= capacity) return;
    const [oldest] = known.keys();
    if (oldest !== undefined) known.delete(oldest);
  }

  return {
    remember: (taskId, accepted) => keep(taskId, { nodeId: accepted.nodeId, accepted }),
    recall: (taskId) => known.get(taskId)?.accepted,
    forget: (taskId) => void known.delete(taskId),
    async locate(taskId, call) {
      const nodeId = known.get(taskId)?.nodeId;
      if (nodeId !== undefined) return { nodeId };
      try {
        const record = await records.describe(taskId);
        if (record === undefined) return undefined;
        keep(taskId, { nodeId: record.nodeId });
        return { nodeId: record.nodeId, record };
      } catch (err) {
        const place = await askNodes(taskId, call);
        if (place === undefined) throw err;
        return place;
      }
    },
    async isOpen(taskId) {
      try {
        return (await records.describe(taskId))?.open ?? false;
      } catch (err) {
        ignoreRefusal(err);
        return true;
      }
    },
  };
}

/** Whoever cannot be asked now has nothing to say. */
function ignoreRefusal(err: unknown): undefined {
  if (!(err instanceof DroverError)) throw err;
  return undefined;
}
