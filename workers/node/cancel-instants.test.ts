/** A cancel at any instant of a task's life: whatever comes between, its stream has one end, and its slot is free once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CancelReason } from '../../domain/task.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';

const aNode = nodesOfTests();

/** What may happen around a cancel; a turn lets everything that waits for nothing go on. */
type Step = 'token' | 'finish' | 'fail' | 'break off' | 'cancel' | 'turn' | 'microtask' | 'attach again';

const step = fc.constantFrom<Step>('token', 'token', 'turn', 'microtask', 'attach again');
const life = fc.record({
  isQueued: fc.boolean(),
  before: fc.array(step, { maxLength: 6 }),
  around: fc.uniqueArray(fc.constantFrom<Step>('cancel', 'finish', 'fail', 'break off', 'microtask'), {
    minLength: 1,
    maxLength: 3,
  }),
  after: fc.array(fc.oneof(step, fc.constantFrom<Step>('cancel', 'finish')), { maxLength: 5 }),
  reason: fc.constantFrom<CancelReason>('client', 'admin', 'disconnect'),
});

test('B-DP-131, B-DP-206, B-DP-207, B-DP-209, B-DP-210: a cancel at any instant leaves one end, no later token, and a slot that is free', async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ isQueued, before, around, after, reason }) => {
      const node = await aNode();
      const { runs, pools, canceled } = node;
      if (isQueued) await runs.attach(offerOf('first'));
      await runs.attach(offerOf('t'));
      const cancels: Promise<unknown>[] = [];
      for (const next of [...before, ...around, 'cancel', ...after] as const) {
        if (next === 'cancel') cancels.push(runs.cancel('t', reason));
        else await take(node, next);
      }
      await Promise.all(cancels);
      const run = runs.mustGet('t');
      const frames = [...run.framesFrom(0)];
      const shown = frames.length;
      node.engine.say(' late');
      await turn();
      const kinds = runs
        .mustGet('t')
        .framesFrom(0)
        .map(({ type }) => type);
      assert.equal(kinds.length, shown, 'a frame after the cancel was answered');
      assert.deepEqual(kinds.filter((kind) => kind === 'end' || kind === 'error').length, 1, kinds.join(' '));
      assert.ok(['end', 'error'].includes(kinds.at(-1) ?? ''), kinds.join(' '));
      assert.deepEqual(
        frames.map(({ offset }) => offset),
        frames.map((_, index) => index),
      );
      assert.ok(run.ended && ['completed', 'cancelled', 'failed'].includes(run.state), run.state);
      assert.ok(canceled.length <= 1, `counted ${canceled.length} times`);
      assert.equal(run.state === 'cancelled' ? canceled.length : 1, 1);
      if (isQueued) await runs.cancel('first', 'client');
      await turn();
      assert.deepEqual(
        [pools.status('default')?.slots_free, pools.ensure('default').scheduler.depth()],
        [1, 0],
      );
      await node.close();
    }),
    { numRuns: 150 },
  );
});

async function take({ runs, engine }: TestNode, next: Exclude<Step, 'cancel'>): Promise<void> {
  if (next === 'token') engine.say('x');
  else if (next === 'finish') engine.finish('EOS');
  else if (next === 'fail') engine.fail();
  else if (next === 'break off') engine.breakOff();
  else if (next === 'attach again') await runs.attach(offerOf('t')).catch(() => undefined);
  else if (next === 'turn') await turn();
  else await Promise.resolve();
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
