import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TranscriptOrder } from '../activities/task-activities.js';
import type {
  Destination,
  FollowRunInput,
  InferTaskInput,
  MovedTask,
  MoveTaskInput,
  RunView,
} from '../contracts/node.js';
import { POOL_DRAINED } from '../domain/drain.js';
import { RUN_LOST } from '../domain/fence.js';
import { nodeRunsQueue, TASKS_QUEUE, taskWorkflowId } from '../domain/identity.js';
import { offerOf } from '../testing/test-node.js';
import { completedView, endedView, runView } from '../testing/run-view.js';
import { testDataConverter, timeSkippingEnvironment } from '../testing/temporal-env.js';
import { bundleWorkflows } from '../testing/workflow-bundle.js';
import type { inferTask } from './infer-task.js';
import * as attribute from './search-attributes.js';

let env: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundleWithSourceMap;
let client: Client;
let taskNumber = 0;

before(async () => {
  env = await timeSkippingEnvironment();
  // Its `result()` lets the server skip time.
  client = env.client;
  workflowBundle = await bundleWorkflows();
});
after(() => env.teardown());

interface Twin {
  attachRun: (input: InferTaskInput) => Promise<RunView>;
  cancelRun?: (input: { task_id: string }) => Promise<RunView>;
  followRun?: (input: FollowRunInput) => Promise<RunView>;
  keepTranscript?: (order: TranscriptOrder) => Promise<string | null>;
  findPlace?: (input: InferTaskInput) => Promise<Destination | null>;
  moveTask?: (input: MoveTaskInput) => Promise<MovedTask>;
}

/** Starts a task over these activities; a twin without `followRun` has a node that nobody polls for. */
async function withTask<T>(
  twin: Twin,
  check: (task: Awaited<ReturnType<typeof start>>) => Promise<T>,
): Promise<T> {
  const shared = { connection: env.nativeConnection, dataConverter: testDataConverter };
  const node = `node-${++taskNumber}`;
  const tasks = await Worker.create({
    ...shared,
    taskQueue: TASKS_QUEUE,
    workflowBundle,
    activities: {
      cancelRun: () => assert.fail('cancelRun was not expected'),
      keepTranscript: async () => 'artifact',
      moveTask: () => {
        throw ApplicationFailure.nonRetryable('no other node serves the model', 'MODEL_NOT_FOUND');
      },
      ...twin,
      followRun: undefined,
    },
  });
  const runTasks = () => tasks.runUntil(async () => check(await start(node)));
  if (twin.followRun === undefined) return runTasks();
  const runs = await Worker.create({
    ...shared,
    taskQueue: nodeRunsQueue(node),
    activities: { followRun: twin.followRun },
    // A cancel rides on a heartbeat's answer; the default sends one only every 8 s.
    maxHeartbeatThrottleInterval: '50ms',
  });
  return runs.runUntil(runTasks);
}

function start(nodeId: string) {
  const taskId = `t-${taskNumber}`;
  return client.workflow.start<typeof inferTask>('inferTask', {
    taskQueue: TASKS_QUEUE,
    workflowId: taskWorkflowId(taskId),
    args: [{ ...offerOf(taskId), node_id: nodeId }],
  });
}

async function failureOf(result: Promise<unknown>): Promise<Error> {
  try {
    await result;
  } catch (err) {
    assert.ok(err instanceof WorkflowFailedError);
    assert.ok(err.cause);
    return err.cause;
  }
  return assert.fail('the workflow completed');
}

test('B-DP-140, B-DP-148: the transcript is kept however a task ends, and its own end stays as it was', async () => {
  const ends: [Twin, string][] = [
    [{ attachRun: async () => completedView }, 'completed'],
    [{ attachRun: async () => endedView('failed', 'WORKER_RESET') }, 'failed'],
    [
      { attachRun: async () => runView(), followRun: async () => endedView('expired', 'DEADLINE_UNMET') },
      'expired',
    ],
  ];
  for (const [twin, state] of ends) {
    const orders: TranscriptOrder[] = [];
    const keepTranscript = async (order: TranscriptOrder) => {
      orders.push(order);
      return 'artifact';
    };
    await withTask({ ...twin, keepTranscript }, async (task) => {
      await task.result().catch(() => undefined); // Two of them are failures.
      const order = { node_id: `node-${taskNumber}`, task_id: `t-${taskNumber}` };
      assert.deepEqual(orders, [order], state);
      assert.equal((await task.describe()).typedSearchAttributes.get(attribute.TaskState), state);
    });
  }
});

test('a transcript that cannot be kept now is tried again, and the end is on record meanwhile', async () => {
  let tries = 0;
  const keepTranscript = async () => {
    tries += 1;
    if (tries < 4) throw ApplicationFailure.retryable('away', 'STORE_UNAVAILABLE');
    const { typedSearchAttributes } = await client.workflow
      .getHandle(taskWorkflowId(`t-${taskNumber}`))
      .describe();
    assert.equal(typedSearchAttributes.get(attribute.TaskState), 'completed');
    return 'artifact';
  };
  await withTask({ attachRun: async () => completedView, keepTranscript }, async (task) => {
    assert.equal((await task.result()).state, 'completed');
    assert.equal(tries, 4);
  });
});

test('B-DUR-007, B-WFH-002: a short task is followed locally and its end stands in search attributes and memo', async () => {
  await withTask({ attachRun: async () => completedView }, async (task) => {
    const outcome = await task.result();
    assert.equal(outcome.tokens_out, 8);
    const { typedSearchAttributes, memo } = await task.describe();
    assert.equal(typedSearchAttributes.get(attribute.TaskState), 'completed');
    assert.equal(typedSearchAttributes.get(attribute.TokensOut), 8);
    assert.equal(typedSearchAttributes.get(attribute.StopReason), 'EOS');
    assert.deepEqual(typedSearchAttributes.get(attribute.FirstTokenAt), new Date(1_010));
    assert.deepEqual(memo?.['outcome'], outcome);
    const { history } = await task.fetchHistory().then((history) => ({ history }));
    const scheduled = history.events?.filter((event) => event.activityTaskScheduledEventAttributes) ?? [];
    assert.equal(scheduled.length, 0);
  });
});

test('a longer task is handed to the heartbeating activity on its node, and costs few events', async () => {
  const followRun = async () => {
    Context.current().heartbeat();
    return completedView;
  };
  await withTask({ attachRun: async () => runView(), followRun }, async (task) => {
    assert.equal((await task.result()).state, 'completed');
    const { events } = await task.fetchHistory();
    const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes);
    assert.equal(scheduled?.activityTaskScheduledEventAttributes?.activityType?.name, 'followRun');
    assert.ok((events?.length ?? 0) < 25, `${events?.length} events`);
  });
});

test('B-DUR-006, B-ERR-018: a failed task fails its workflow with the error code as its type, sealed', async () => {
  await withTask({ attachRun: async () => endedView('failed', 'WORKER_RESET') }, async (task) => {
    const failure = await failureOf(task.result());
    assert.ok(failure instanceof ApplicationFailure);
    assert.equal(failure.type, 'WORKER_RESET');
    assert.equal(failure.nonRetryable, true);
    const { typedSearchAttributes } = await task.describe();
    assert.equal(typedSearchAttributes.get(attribute.TaskState), 'failed');
    const { events } = await task.fetchHistory();
    const raw = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    assert.equal(raw?.message?.includes('it ended'), false);
  });
});

test('a node that is silent for a moment is followed the long way, one that refuses for good ends the task as rejected', async () => {
  let tries = 0;
  const silent = () => {
    tries += 1;
    throw ApplicationFailure.retryable('gone', 'POOL_UNAVAILABLE');
  };
  await withTask({ attachRun: silent, followRun: async () => completedView }, async (task) => {
    assert.equal((await task.result()).state, 'completed');
    assert.ok(tries > 1);
  });
  const withdrawn = () => {
    throw ApplicationFailure.nonRetryable('void', 'OFFER_WITHDRAWN');
  };
  const keepTranscript = () => assert.fail('of a task that never was there is nothing to keep');
  await withTask({ attachRun: withdrawn, keepTranscript }, async (task) => {
    const failure = await failureOf(task.result());
    assert.equal(failure instanceof ApplicationFailure && failure.type, 'OFFER_WITHDRAWN');
    assert.equal((await task.describe()).typedSearchAttributes.get(attribute.TaskState), 'rejected');
  });
});

test('B-DP-148: a node that nobody polls for is given up after 30 s, not at the deadline, and its failure is kept', async () => {
  const kept: unknown[] = [];
  const keepTranscript = async ({ failure }: TranscriptOrder) => {
    kept.push(failure?.code);
    return null;
  };
  const attachRun = async () => runView({ state: 'queued' });
  let asked = 0;
  const moveTask = () => {
    asked += 1;
    throw ApplicationFailure.nonRetryable('no other node serves the model', 'MODEL_NOT_FOUND');
  };
  await withTask({ attachRun, keepTranscript, moveTask }, async (task) => {
    await env.sleep('31s');
    const failure = await failureOf(task.result());
    assert.equal(failure instanceof ApplicationFailure && failure.type, 'WORKER_RESET');
    const cause = failure.cause;
    assert.ok(cause instanceof ActivityFailure && cause.cause instanceof TimeoutFailure);
    assert.deepEqual(kept, ['WORKER_RESET']);
    assert.equal(asked, 1, 'it was offered to other nodes first');
  });
});

const lostRun = async (): Promise<never> => {
  throw ApplicationFailure.nonRetryable('the node has lost the run', RUN_LOST);
};

test('design 2.7: a task whose node is lost is given to another in the next epoch, on record there, and followed there', async () => {
  const attached: InferTaskInput[] = [];
  const attachRun = async (input: InferTaskInput) => {
    attached.push(input);
    return input.epoch === 1 ? runView({ state: 'queued' }) : { ...completedView, node_id: 'node-b' };
  };
  const asked: InferTaskInput[] = [];
  let isFirst = true;
  const moveTask = async (input: InferTaskInput): Promise<MovedTask> => {
    asked.push(input);
    if (isFirst) {
      isFirst = false;
      throw ApplicationFailure.retryable('its queue is full', 'ADMISSION_REJECT');
    }
    return { kind: 'moved', node_id: 'node-b', pool_id: 'pool-b', epoch: 2 };
  };
  const kept: TranscriptOrder[] = [];
  const keepTranscript = async (order: TranscriptOrder) => {
    kept.push(order);
    return 'artifact';
  };
  await withTask({ attachRun, followRun: lostRun, moveTask, keepTranscript }, async (task) => {
    assert.equal((await task.result()).state, 'completed');
    assert.deepEqual(
      asked.map(({ epoch, node_id }) => [epoch, node_id]),
      Array.from({ length: 2 }, () => [1, `node-${taskNumber}`]),
    );
    const { node_id, pool_id, epoch, digest } = attached.at(-1) ?? assert.fail('it was not followed');
    assert.deepEqual([node_id, pool_id, epoch, digest], ['node-b', 'pool-b', 2, attached[0]?.digest]);
    const { typedSearchAttributes, memo } = await task.describe();
    assert.equal(typedSearchAttributes.get(attribute.NodeId), 'node-b');
    assert.equal(typedSearchAttributes.get(attribute.PoolId), 'pool-b');
    assert.deepEqual([memo?.['node_id'], memo?.['pool_id']], ['node-b', 'pool-b']);
    assert.deepEqual(kept, [{ node_id: 'node-b', task_id: `t-${taskNumber}` }]);
  });
});

test('a task that its node has lost ends as it did there, where it had ended', async () => {
  const moveTask = async (): Promise<MovedTask> => ({ kind: 'ended', run: completedView });
  await withTask({ attachRun: async () => runView(), followRun: lostRun, moveTask }, async (task) => {
    assert.equal((await task.result()).tokens_out, completedView.tokens_out);
  });
});

test('a task that is lost again and again fails in the end', async () => {
  let moves = 0;
  const moveTask = async ({ epoch, node_id }: InferTaskInput): Promise<MovedTask> => {
    moves += 1;
    return { kind: 'moved', node_id, pool_id: 'default', epoch: epoch + 1 };
  };
  await withTask({ attachRun: async () => runView(), followRun: lostRun, moveTask }, async (task) => {
    const failure = await failureOf(task.result());
    assert.equal(failure instanceof ApplicationFailure && failure.type, 'WORKER_RESET');
    assert.equal(moves, 5);
  });
});

/** A node whose pool drains: it lets go of who may leave. */
const drainingPool = async ({ may_leave, node_id }: FollowRunInput): Promise<RunView> => {
  if (may_leave === true) throw ApplicationFailure.nonRetryable('the pool is drained', POOL_DRAINED);
  return { ...completedView, node_id };
};

test('B-DRAIN-015: a task that waits in a drained pool goes to the pool that was found for it, on record there', async () => {
  const to = { node_id: 'node-b', pool_id: 'pool-b' };
  const attachRun = async ({ epoch }: InferTaskInput) =>
    epoch === 1 ? runView({ state: 'queued' }) : { ...completedView, ...to };
  const orders: unknown[] = [];
  const moveTask = async ({ to: where, epoch }: MoveTaskInput): Promise<MovedTask> => {
    orders.push(where);
    return { kind: 'moved', ...to, epoch: epoch + 1 };
  };
  const findPlace = async () => to;
  await withTask({ attachRun, followRun: drainingPool, findPlace, moveTask }, async (task) => {
    assert.equal((await task.result()).node_id, 'node-b');
    assert.deepEqual(orders, [to]);
    const { typedSearchAttributes, memo } = await task.describe();
    assert.equal(typedSearchAttributes.get(attribute.PoolId), 'pool-b');
    assert.deepEqual([memo?.['node_id'], memo?.['pool_id']], ['node-b', 'pool-b']);
  });
});

test('B-DRAIN-015: a task for which there is no other pool is followed on where it waits, and asks no second time', async () => {
  let asked = 0;
  const findPlace = async () => {
    asked += 1;
    return null;
  };
  const attachRun = async () => runView({ state: 'queued' });
  await withTask({ attachRun, followRun: drainingPool, findPlace }, async (task) => {
    const { node_id, state } = await task.result();
    assert.deepEqual([node_id, state, asked], [`node-${taskNumber}`, 'completed', 1]);
  });
});

test('B-DUR-005, B-DP-200, B-DP-140: a cancel reaches the activity, frees the slot and leaves the workflow cancelled', async () => {
  const cancelled: string[] = [];
  let following: () => void;
  const isFollowing = new Promise<void>((resolve) => (following = resolve));
  const followRun = async () => {
    following();
    const beat = setInterval(() => {
      Context.current().heartbeat();
    }, 50);
    await Context.current()
      .cancelled.catch((err: unknown) => {
        cancelled.push('followRun');
        throw err;
      })
      .finally(() => {
        clearInterval(beat);
      });
    return completedView;
  };
  const cancelRun = async ({ task_id }: { task_id: string }) => {
    cancelled.push(task_id);
    return endedView('cancelled', 'CANCELLED');
  };
  const kept: string[] = [];
  const keepTranscript = async ({ task_id }: TranscriptOrder) => {
    kept.push(task_id);
    return 'artifact';
  };
  await withTask({ attachRun: async () => runView(), followRun, cancelRun, keepTranscript }, async (task) => {
    await isFollowing;
    await task.cancel();
    const failure = await failureOf(task.result());
    assert.ok(failure instanceof CancelledFailure);
    assert.deepEqual(cancelled, ['followRun', `t-${taskNumber}`]);
    assert.deepEqual(kept, [`t-${taskNumber}`]);
    assert.equal((await task.describe()).typedSearchAttributes.get(attribute.TaskState), 'cancelled');
  });
});

test('B-DP-207: a cancel that comes after the end changes nothing: the record says what the stream said', async () => {
  let following: () => void;
  const isFollowing = new Promise<void>((resolve) => (following = resolve));
  const followRun = async () => {
    following();
    const beat = setInterval(() => {
      Context.current().heartbeat();
    }, 50);
    await Context.current().cancelled.finally(() => {
      clearInterval(beat);
    });
    return completedView;
  };
  const cancelRun = async () => completedView;
  await withTask({ attachRun: async () => runView(), followRun, cancelRun }, async (task) => {
    await isFollowing;
    await task.cancel();
    assert.equal((await task.result()).state, 'completed');
    assert.equal((await task.describe()).typedSearchAttributes.get(attribute.TaskState), 'completed');
  });
});
