import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { DroverError } from '../../contracts/errors.js';
import type { PriorityClass } from '../../domain/admission.js';
import { readSettings } from '../../contracts/settings.js';
import { nodeOnDisk, offerOf, type TestNode } from '../../testing/test-node.js';
import type { FullQueuePolicy } from './displacement.js';
import { nodeMetrics } from './prometheus.js';

const nodes: TestNode[] = [];
/** A node whose one slot is taken, with these tasks in its queue of `capacity`. */
async function fullNode(
  waiting: Record<string, PriorityClass>,
  policy: FullQueuePolicy = 'drop-lru',
): Promise<TestNode> {
  const node = await nodeOnDisk({ capacity: Object.keys(waiting).length, policy });
  nodes.push(node);
  await node.runs.attach(offerOf('busy'));
  for (const [id, priority] of Object.entries(waiting)) {
    await offered(node, id, priority);
    node.runs.confirm(id);
  }
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    rmSync(node.runsDir, { recursive: true, force: true });
  }
});

const offered = (node: TestNode, id: string, priority: PriorityClass = 'interactive') =>
  node.runs.offer(offerOf(id, { digest: id, request: { priority } }));
const waiting = (node: TestNode) => node.pools.ensure('default').scheduler.waiting();

describe('a full queue under shed-low-priority', () => {
  it('B-DP-071: sheds the oldest batch task for an interactive one, and counts it under its own policy', async () => {
    const node = await fullNode({ a: 'interactive', b: 'batch', c: 'batch' }, 'shed-low-priority');
    await offered(node, 'new');
    node.runs.confirm('new');
    assert.deepEqual(waiting(node), ['a', 'new', 'c']);
    const frame = node.runs.mustGet('b').lastFrame;
    assert.equal(frame?.type, 'error');
    assert.deepEqual(
      [frame.data.code, frame.data.policy_label],
      ['QUEUE_FULL_DROP_LRU', 'shed-low-priority'],
    );
    const { runs, text } = nodeMetrics();
    runs.evicted('llamacpp', 'shed-low-priority');
    assert.match(
      await text(),
      /^admission_backpressure_events_total\{engine="llamacpp",policy="shed-low-priority"\} 1$/m,
    );
  });

  it('B-DP-071: refuses a batch newcomer, and an interactive one for whom no batch task waits', async () => {
    const refused = async (node: TestNode, priority: PriorityClass) => {
      const before = waiting(node);
      await assert.rejects(offered(node, 'new', priority), (err: unknown) => {
        assert.ok(err instanceof DroverError);
        assert.deepEqual([err.code, err.extras.policy_label], ['ADMISSION_REJECT', 'shed-low-priority']);
        return true;
      });
      assert.deepEqual(waiting(node), before);
    };
    await refused(await fullNode({ a: 'batch', b: 'batch' }, 'shed-low-priority'), 'batch');
    await refused(await fullNode({ a: 'interactive' }, 'shed-low-priority'), 'interactive');
  });

  it('B-DP-071: is chosen by name, and is not the default', () => {
    const policy = (DROVER_ADMISSION_POLICY?: string) =>
      readSettings({ DROVER_ADMISSION_POLICY }).DROVER_ADMISSION_POLICY;
    assert.deepEqual([policy('shed-low-priority'), policy()], ['shed-low-priority', 'reject']);
  });
});

describe('a full queue under drop-lru', () => {
  it('B-DP-014, B-DP-065: takes a newcomer, and the oldest batch task goes', async () => {
    const node = await fullNode({ a: 'interactive', b: 'batch', c: 'batch' });
    const view = await offered(node, 'new');
    assert.equal(view.admission.queue_position, 1);
    node.runs.confirm('new');
    assert.deepEqual(waiting(node), ['a', 'new', 'c']);
    assert.equal(node.runs.mustView('b').state, 'dropped');
  });

  it('B-DP-065: only without any batch task does the oldest interactive one go', async () => {
    const node = await fullNode({ a: 'interactive', b: 'interactive' });
    const view = await offered(node, 'new');
    assert.equal(view.admission.queue_position, 1, 'its place is the one that it has afterwards');
    node.runs.confirm('new');
    assert.deepEqual(waiting(node), ['b', 'new']);
  });

  it('B-DP-066: a batch task that may displace nobody is refused by the policy', async () => {
    const node = await fullNode({ a: 'interactive', b: 'interactive' });
    await assert.rejects(offered(node, 'new', 'batch'), (err: unknown) => {
      assert.ok(err instanceof DroverError);
      const { code, extras } = err;
      assert.deepEqual(
        [code, extras.policy_label, extras.retry_after_ms],
        ['QUEUE_FULL_DROP_LRU', 'drop-lru', 1000],
      );
      return true;
    });
    assert.deepEqual(waiting(node), ['a', 'b']);
    assert.deepEqual(node.evicted, []);
  });

  it('B-DP-067, B-OBS-037: whoever goes is told so in its own stream, and is counted once', async () => {
    const node = await fullNode({ a: 'batch' });
    await offered(node, 'new', 'batch');
    node.runs.confirm('new');
    const run = node.runs.mustGet('a');
    const frame = run.lastFrame;
    assert.equal(frame?.type, 'error');
    const { code, retriable, policy_label, correlation_id } = frame.data;
    assert.deepEqual(
      [code, retriable, policy_label, correlation_id],
      ['QUEUE_FULL_DROP_LRU', true, 'drop-lru', 'c'],
    );
    assert.equal(run.streamClosed, true);
    assert.deepEqual(node.evicted, ['llamacpp']);
    assert.deepEqual(node.canceled, [], 'nobody has cancelled it');
  });

  it('design 2.2: an offer that comes to nothing has cost nobody a place', async () => {
    const node = await fullNode({ a: 'batch' });
    await offered(node, 'new');
    assert.equal(node.runs.mustView('a').state, 'queued');
    node.runs.withdraw('new');
    assert.deepEqual(waiting(node), ['a']);
  });

  it('one place is promised to one newcomer, however many are offered at once', async () => {
    const node = await fullNode({ a: 'batch' });
    await offered(node, 'first');
    await assert.rejects(offered(node, 'second', 'batch'), /full/);
    await assert.rejects(offered(node, 'third'), /full/);
    node.runs.confirm('first');
    assert.deepEqual(waiting(node), ['first']);
  });

  it('nobody goes when a slot was freed meanwhile', async () => {
    const node = await fullNode({ a: 'batch' });
    await offered(node, 'new');
    await node.runs.cancel('busy', 'client');
    node.runs.confirm('new');
    assert.deepEqual(node.evicted, []);
    assert.equal(node.runs.mustView('a').ended, false);
  });

  it('a task that a workflow brings back is never refused, and displaces nobody', async () => {
    const node = await fullNode({ a: 'batch' });
    await node.runs.attach(offerOf('lost', { digest: 'lost' }));
    assert.deepEqual(waiting(node), ['lost', 'a']);
    assert.deepEqual(node.evicted, []);
  });

  it('never holds more confirmed tasks than its bound, and drops no interactive task for a batch one', async () => {
    const arrivals = fc.array(fc.constantFrom<PriorityClass>('interactive', 'batch'), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(arrivals, async (classes) => {
        const node = await fullNode({ a: 'batch', b: 'interactive', c: 'batch' });
        for (const [index, priority] of classes.entries()) {
          const [before, ended] = [waiting(node).length, node.runs.mustView('b').ended];
          const id = `n${index}`;
          const admitted = await offered(node, id, priority).then(
            () => true,
            () => false,
          );
          if (admitted) node.runs.confirm(id);
          assert.ok(waiting(node).length <= Math.max(before, 3));
          if (priority === 'batch') assert.equal(node.runs.mustView('b').ended, ended);
        }
      }),
      { numRuns: 15 },
    );
  });
});
