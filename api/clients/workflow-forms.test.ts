import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WorkflowFailedError, type WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, RetryState, TypedSearchAttributes } from '@temporalio/common';
import { DroverError } from '../../contracts/errors.js';
import * as attribute from '../../workflows/search-attributes.js';
import { taskBody } from '../testing/test-api.js';
import { textTask } from '../tasks/admit-task.js';
import { checkTask } from '../tasks/check-task.js';
import {
  drainPoolOptions,
  inferTaskOptions,
  outcomeOf,
  PRELOAD,
  preloadPoolOptions,
  purgePoolOptions,
  recordOf,
} from './workflow-forms.js';

const task = textTask(checkTask(taskBody({ prompt: 'canary-19ab' }), { maxOutputTokens: 100 }));
const start = {
  nodeId: 'node-1',
  offer: {
    task_id: 't-1',
    pool_id: 'default',
    epoch: 1,
    digest: 'd',
    correlation_id: 'corr-1',
    request: { ...task.request, engine: 'llamacpp' as const },
    input: task.input,
  },
  admission: { queue_position: 2, predicted_start_ms: 200, backoff_ms: 0, preparation: { steps: [] } },
  admittedAtMs: 5,
};

/** What operators can search by, by name. */
const searchable = (pairs: { key: { name: string }; value: unknown }[]) =>
  Object.fromEntries(pairs.map(({ key, value }) => [key.name, value]));

describe("a task's workflow", () => {
  it('B-DUR-001: is one, under an id made from the task, and starts where it was asked for', () => {
    const options = inferTaskOptions(start, false);
    assert.equal(options.workflowId, 'task:t-1');
    assert.equal(options.taskQueue, 'tasks');
    assert.equal(options.workflowIdReusePolicy, 'REJECT_DUPLICATE');
    assert.equal(options.requestEagerStart, true);
    assert.equal(inferTaskOptions(start, true).workflowIdReusePolicy, 'ALLOW_DUPLICATE_FAILED_ONLY');
  });

  it('B-DUR-007, B-COR-003, B-WFH-001: can be searched by pool, node, engine, model, state and correlation id', () => {
    assert.deepEqual(searchable(inferTaskOptions(start, false).typedSearchAttributes), {
      PoolId: 'default',
      NodeId: 'node-1',
      Engine: 'llamacpp',
      ModelRef: 'demo',
      TaskState: 'queued',
      CorrelationId: 'corr-1',
    });
  });

  it('B-RED-010: has the text in its sealed input alone', () => {
    const { args, ...rest } = inferTaskOptions(start, false);
    assert.match(JSON.stringify(args), /canary-19ab/);
    assert.doesNotMatch(JSON.stringify(rest), /canary-19ab/);
  });
});

describe("a task's record", () => {
  const describedAs = (
    status: string,
    state?: string,
    memo: unknown = inferTaskOptions(start, false).memo,
  ) => {
    const pairs = [
      { key: attribute.NodeId, value: 'node-2' },
      ...(state === undefined ? [] : [{ key: attribute.TaskState, value: state }]),
    ];
    const description = {
      memo,
      status: { name: status },
      typedSearchAttributes: new TypedSearchAttributes(pairs),
    };
    return description as unknown as WorkflowExecutionDescription; // As much of it as is read.
  };

  for (const [status, state, expected, open] of [
    ['RUNNING', undefined, 'queued', true],
    ['RUNNING', 'executing', 'executing', true],
    ['COMPLETED', 'completed', 'completed', false],
    ['FAILED', 'rejected', 'rejected', false],
    ['FAILED', 'executing', 'failed', false],
    ['TERMINATED', 'queued', 'failed', false],
    ['CANCELLED', 'executing', 'cancelled', false],
    ['CANCELLED', 'cancelled', 'cancelled', false],
  ] as const) {
    it(`B-DP-220: of a workflow that is ${status} in state ${state ?? 'unknown'} is ${expected}`, () => {
      const record = recordOf(describedAs(status, state));
      assert.deepEqual([record.state, record.open, record.nodeId], [expected, open, 'node-2']);
      assert.equal(record.memo.admission.queue_position, 2);
    });
  }

  it('of a workflow that is none of ours cannot be read', () => {
    assert.throws(
      () => recordOf(describedAs('RUNNING', undefined, {})),
      (err: unknown) => err instanceof DroverError && err.code === 'INTERNAL',
    );
  });
});

describe('an operation on a pool', () => {
  const prepared = { pool_id: 'p', engine: 'llamacpp', model_ref: 'demo' } as Parameters<
    typeof preloadPoolOptions
  >[0]['prepared'];

  it('B-PDUR-001: is one a pool: an equal request joins the one that runs', () => {
    const options = preloadPoolOptions({ node_id: 'n', correlation_id: 'c', health_timeout_ms: 1, prepared });
    assert.deepEqual([options.workflowId, options.taskQueue], ['pool:p:preload', 'control']);
    assert.equal(options.workflowIdConflictPolicy, 'USE_EXISTING');
    assert.equal(searchable(options.typedSearchAttributes)['PoolId'], 'p');
  });

  it('B-PDUR-001, B-CP-026: a drain is one a pool, told of every deadline that is asked for', () => {
    const order = { node_id: 'n', pool_id: 'p', correlation_id: 'c', deadline_ms: 7 };
    const options = drainPoolOptions(order);
    assert.deepEqual([options.workflowId, options.taskQueue], ['pool:p:drain', 'control']);
    assert.deepEqual(
      [options.args, options.signal.name, options.signalArgs],
      [[order], 'drainAsked', [{ deadline_ms: 7 }]],
    );
    const searched = searchable(options.typedSearchAttributes);
    assert.deepEqual(searched, { PoolId: 'p', NodeId: 'n', CorrelationId: 'c' });
  });

  it('B-CP-041, B-PDUR-001: a purge is one a pool, and a second one is refused, since it may ask for something else', () => {
    const order = {
      ...{ node_id: 'n', pool_id: 'p', correlation_id: 'c', purge_engine: true, purge_models: ['tea'] },
      ...{ drain_first: true, drain_deadline_ms: 7, delete_cache_dirs: false, force: false },
    };
    const options = purgePoolOptions(order);
    assert.deepEqual([options.workflowId, options.taskQueue], ['pool:p:purge', 'control']);
    assert.deepEqual([options.args, options.workflowIdConflictPolicy], [[order], 'FAIL']);
    const searched = searchable(options.typedSearchAttributes);
    assert.deepEqual(searched, { PoolId: 'p', NodeId: 'n', CorrelationId: 'c' });
  });

  const failedBy = (cause: Error) =>
    outcomeOf(
      Promise.reject(new WorkflowFailedError('failed', cause, RetryState.NON_RETRYABLE_FAILURE)),
      PRELOAD,
    );

  it('B-API-012: fails with its own words, under a code of ours where it has one', async () => {
    const health = ApplicationFailure.nonRetryable('preload failed: health check failed', 'HealthTimeout');
    assert.deepEqual(await failedBy(health), {
      kind: 'failed',
      code: 'PRELOAD_FAILED',
      message: 'preload failed: health check failed',
    });
    const conflict = ApplicationFailure.nonRetryable('preload failed: another runs', 'POOL_CONFLICT');
    assert.equal(((await failedBy(conflict)) as { code: string }).code, 'POOL_CONFLICT');
    const cancelled = await failedBy(new CancelledFailure('cancelled'));
    assert.deepEqual(cancelled, {
      kind: 'failed',
      code: 'PRELOAD_FAILED',
      message: 'the preload was cancelled',
    });
  });

  it('is done with its result, and unknown when Temporal does not answer', async () => {
    const result = { pool_id: 'p', pid: 1, handoff_path: '/h' };
    assert.deepEqual(await outcomeOf(Promise.resolve(result), PRELOAD), { kind: 'done', result });
    await assert.rejects(
      outcomeOf(Promise.reject(new Error('unavailable')), PRELOAD),
      (err: unknown) => err instanceof DroverError && err.code === 'TEMPORAL_UNAVAILABLE',
    );
  });
});
