/** Tasks to record: how their node answers, and whether a client cancels them. */
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { FollowRunInput, MovedTask, RunView } from '../../contracts/node.js';
import { POOL_DRAINED } from '../../domain/drain.js';
import { nodeRunsQueue, TASKS_QUEUE, taskWorkflowId } from '../../domain/identity.js';
import type { inferTask } from '../../workflows/infer-task.js';
import { completedView, endedView, runView } from '../run-view.js';
import { offerOf } from '../test-node.js';
import { historyOf, NODE, type Scenario } from './stage.js';

interface Task {
  attachRun?: () => Promise<RunView>;
  /** What the long follow comes to; without it the task is cancelled while it is followed. */
  followed?: RunView;
  /** Its pool is drained while it waits; where it goes then, null where it stays. */
  left?: { node_id: string; pool_id: string } | null;
}

/** By the name of their history. */
export const taskScenarios: Readonly<Record<string, Scenario>> = {
  'task-short': task('t-short', { attachRun: () => Promise.resolve(completedView), followed: completedView }),
  'task-followed': task('t-followed', { followed: completedView }),
  'task-failed': task('t-failed', { followed: endedView('failed', 'WORKER_RESET') }),
  'task-cancelled': task('t-cancelled', {}),
  'task-short-kept': task('t-short-kept', {
    attachRun: () => Promise.resolve(completedView),
    followed: completedView,
  }),
  'task-cancelled-kept': task('t-cancelled-kept', {}),
  'task-left-pool': task('t-left-pool', {
    followed: completedView,
    left: { node_id: NODE, pool_id: 'other' },
  }),
  'task-stayed-in-pool': task('t-stayed-in-pool', { followed: completedView, left: null }),
  'task-withdrawn': task('t-withdrawn', {
    attachRun: () => Promise.reject(ApplicationFailure.nonRetryable('withdrawn', 'OFFER_WITHDRAWN')),
    followed: completedView,
  }),
};

function task(taskId: string, { attachRun, followed, left }: Task): Scenario {
  return async (stage) => {
    let follows = (): void => undefined;
    const following = new Promise<void>((resolve) => (follows = resolve));
    const tasks = await stage.workflowsAnd(TASKS_QUEUE, {
      attachRun: attachRun ?? (() => Promise.resolve(runView())),
      cancelRun: () => Promise.resolve(endedView('cancelled', 'CANCELLED')),
      keepTranscript: () => Promise.resolve('artifact'),
      findPlace: () => Promise.resolve(left ?? null),
      moveTask: (): Promise<MovedTask> => Promise.resolve({ kind: 'moved', epoch: 2, ...moved(left) }),
    });
    const runs = await stage.activities(nodeRunsQueue(NODE), {
      followRun: ({ may_leave, epoch }: FollowRunInput) => {
        follows();
        if (left !== undefined && may_leave === true && epoch === 1)
          throw ApplicationFailure.nonRetryable('the pool is drained', POOL_DRAINED);
        return followed === undefined ? untilCancelled() : Promise.resolve(followed);
      },
    });
    return tasks.runUntil(
      runs.runUntil(async () => {
        const handle = await stage.workflows.start<typeof inferTask>('inferTask', {
          taskQueue: TASKS_QUEUE,
          workflowId: taskWorkflowId(taskId),
          args: [{ ...offerOf(taskId), node_id: NODE }],
        });
        if (followed === undefined) {
          await following;
          await handle.cancel();
        }
        return historyOf(handle);
      }),
    );
  };
}

function moved(left: Task['left']) {
  if (left == null) throw new Error('the task has nowhere to go');
  return left;
}

async function untilCancelled(): Promise<never> {
  const { cancelled, heartbeat } = Context.current();
  const beat = setInterval(() => {
    heartbeat();
  }, 50);
  return cancelled.finally(() => {
    clearInterval(beat);
  });
}
