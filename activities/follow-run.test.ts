import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { runView, type FollowRunInput, type RunView } from '../contracts/node.js';
import { nodesOfTests, nodeOnDisk, offerOf } from '../testing/test-node.js';
import type { RunKeeper } from './deps.js';
import { POOL_DRAINED } from '../domain/drain.js';
import { followRunActivity } from './follow-run.js';

const aNode = nodesOfTests();
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

const pools = { status: () => undefined };

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
    .run(followRunActivity({ runs, pools, closing: new AbortController().signal }), input)
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
    followRunActivity({ runs, pools, closing: new AbortController().signal }),
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
  const follow = followRunActivity({ runs, pools, closing: closing.signal });
  const following = new MockActivityEnvironment().run(follow, input);
  await node.engine.asked(1);
  closing.abort();
  await runs.close();
  await assert.rejects(following, { type: 'WORKER_SHUTDOWN', nonRetryable: false });
  await node.close();
  rmSync(node.runsDir, { recursive: true });
});

test('B-DRAIN-015: who waits in a pool that drains is let go, who has begun there is followed to its end', async () => {
  const node = await aNode();
  const { runs } = node;
  const follow = followRunActivity({ runs, pools: node.pools, closing: new AbortController().signal });
  const following = (taskId: string, may_leave: boolean) =>
    new MockActivityEnvironment().run<[FollowRunInput], RunView, typeof follow>(follow, {
      ...{ ...offerOf(taskId), node_id: 'node-1', may_leave },
    });
  await runs.attach(offerOf('runs'));
  await node.engine.asked(1);
  await runs.attach(offerOf('waits'));
  await runs.attach(offerOf('stays'));
  node.pools.draining('default');
  const [begun, staying] = [following('runs', true), following('stays', false)];
  await assert.rejects(following('waits', true), { type: POOL_DRAINED, nonRetryable: true });
  assert.equal(runs.mustView('waits').state, 'queued');
  node.engine.finish('EOS');
  assert.equal((await begun).state, 'completed');
  await runs.cancel('stays', 'client');
  assert.equal((await staying).state, 'cancelled');
});
