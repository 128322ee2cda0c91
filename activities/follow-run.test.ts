import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { runView, type RunView } from '../contracts/node.js';
import { nodeOnDisk, offerOf } from '../testing/test-node.js';
import type { RunKeeper } from './deps.js';
import { followRunActivity } from './follow-run.js';

const input = { ...offerOf('t'), node_id: 'node-1' };

function view(changes: Partial<RunView>): RunView {
  return runView.parse({
    ...{ task_id: 't', node_id: 'node-1', pool_id: 'default', replica_id: 'r0', epoch: 1, digest: 'd' },
    ...{ confirmed: true, state: 'executing', ended: false, engine: 'llamacpp', engine_version: null },
    ...{
      model_ref: 'demo',
      priority: 'interactive',
      queue_position: null,
      admitted_at_ms: 1,
      started_at_ms: 1,
    },
    ...{
      first_token_at_ms: 1,
      ended_at_ms: null,
      tokens_in: 1,
      tokens_out: 1,
      stop_reason: null,
      error: null,
    },
    ...{ next_offset: 1, correlation_id: 'c', dialect: null },
    admission: { queue_position: 0, predicted_start_ms: 0, backoff_ms: 0, preparation: { steps: [] } },
    ...changes,
  });
}

/** A run that goes on until the signal aborts, or ends at the first look. */
function keeper(ended: boolean) {
  const cancelled: string[] = [];
  const runs: RunKeeper = {
    attach: () => Promise.resolve(view(ended ? { state: 'completed', ended } : {})),
    waitForEnd: (_taskId, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve(view({}));
        });
      }),
    breakOff: () => Promise.reject(new Error('nobody asks for this')),
    cancel: (taskId) => {
      cancelled.push(taskId);
      return Promise.resolve(view({ state: 'cancelled', ended: true }));
    },
    view: () => undefined,
    reset: () => Promise.reject(new Error('no reset was expected')),
  };
  return { runs, cancelled };
}

async function stoppedFor(reason: 'CANCELLED' | 'WORKER_SHUTDOWN' | 'TIMED_OUT' | 'NOT_FOUND') {
  const { runs, cancelled } = keeper(false);
  const env = new MockActivityEnvironment();
  env.on('heartbeat', () => {
    env.cancel(reason);
  });
  const failure: unknown = await env
    .run(followRunActivity({ runs, closing: new AbortController().signal }), input)
    .then(
      () => assert.fail('the following came to an end'),
      (err: unknown) => err,
    );
  return { failure: String(failure), cancelled };
}

test('a run that has ended is reported at once', async () => {
  const { runs } = keeper(true);
  const env = new MockActivityEnvironment();
  const end = await env.run<[typeof input], RunView, ReturnType<typeof followRunActivity>>(
    followRunActivity({ runs, closing: new AbortController().signal }),
    input,
  );
  assert.equal(end.state, 'completed');
});

test('B-DUR-005: a cancel of the workflow cancels the run', async () => {
  assert.deepEqual((await stoppedFor('CANCELLED')).cancelled, ['t']);
});

test('B-DUR-002: nothing else does: not a shutdown, not a heartbeat that came late, not a workflow that is gone', async () => {
  for (const reason of ['WORKER_SHUTDOWN', 'TIMED_OUT', 'NOT_FOUND'] as const) {
    const { failure, cancelled } = await stoppedFor(reason);
    assert.deepEqual(cancelled, [], reason);
    if (reason === 'WORKER_SHUTDOWN') assert.match(failure, /shutting down/);
  }
});

test('a worker that ends lets go of the run: the following ends at once, and the next worker goes on', async () => {
  const node = await nodeOnDisk({});
  const closing = new AbortController();
  const { runs } = node;
  const follow = followRunActivity({ runs, closing: closing.signal });
  const following = new MockActivityEnvironment().run(follow, input);
  await node.engine.asked(1);
  closing.abort();
  await runs.close();
  await assert.rejects(following, { type: 'WORKER_SHUTDOWN', nonRetryable: false });
  await node.close();
  rmSync(node.runsDir, { recursive: true });
});
