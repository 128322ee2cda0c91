import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { closesStream, type Frame } from '../../contracts/events.js';
import { firstOffset } from '../../domain/fence.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';

const aNode = nodesOfTests();

const refusedWith = (code: string) => (err: unknown) => err instanceof DroverError && err.code === code;
const text = (frames: readonly Frame[]) =>
  frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');

/** A node whose touch with Temporal the test cuts. */
async function aNodeInTouch() {
  const touch = { isThere: true };
  const node = await aNode({ inTouch: () => touch.isThere });
  const cut = () => {
    touch.isThere = false;
    node.runs.holdAll();
  };
  const mend = () => void (touch.isThere = true);
  return { ...node, cut, mend };
}

/** Begins a task that has said `a` and `b`. */
async function begin({ runs, engine }: Pick<TestNode, 'runs' | 'engine'>, taskId = 't'): Promise<void> {
  await runs.attach(offerOf(taskId));
  await engine.asked(1);
  engine.say('a');
  engine.say('b');
  await engine.heard();
}

test('design 2.7: out of touch a run stops and shows nothing; its workflow lets it go on, from the token where it was', async () => {
  const { runs, engine, pools, cut, mend } = await aNodeInTouch();
  await begin({ runs, engine });
  let isTold = false;
  runs.mustGet('t').watch(() => (isTold = true));
  cut();
  await engine.left(1);
  assert.equal(isTold, true, 'open streams are told');
  assert.equal(pools.status('default')?.slots_free, 1);
  assert.throws(() => runs.mustServe('t'), refusedWith('POOL_UNAVAILABLE'));
  await runs.attach(offerOf('t'));
  assert.throws(() => runs.mustServe('t'), refusedWith('POOL_UNAVAILABLE'));
  mend();
  await runs.attach(offerOf('t'));
  await engine.asked(2);
  const [first, second] = engine.requests;
  assert.deepEqual(second?.promptIds, [...(first?.promptIds ?? []), 10, 11]);
  engine.say('c');
  engine.finish('EOS');
  await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const frames = runs.mustServe('t').framesFrom(0);
  assert.equal(text(frames), 'abc');
  assert.deepEqual(
    frames.map(({ offset }) => offset),
    frames.map((_, index) => index),
  );
});

test('design 2.7: what the engine says out of touch is not written, though nobody has stopped the run yet', async () => {
  const touch = { isThere: true };
  const { runs, engine } = await aNode({ inTouch: () => touch.isThere });
  await begin({ runs, engine });
  touch.isThere = false;
  engine.say('late');
  await engine.left(1);
  assert.equal(text(runs.mustGet('t').framesFrom(0)), 'ab');
  assert.equal(runs.mustView('t').ended, false);
});

test('a task that waited out of touch waits on, and one that was begun goes first', async () => {
  const { runs, engine, cut, mend } = await aNodeInTouch();
  await begin({ runs, engine });
  await runs.attach(offerOf('waiting'));
  cut();
  await engine.left(1);
  assert.equal(runs.mustView('waiting').queue_position, null);
  mend();
  await runs.attach(offerOf('t'));
  await runs.attach(offerOf('waiting'));
  await engine.asked(2);
  assert.equal(runs.mustView('t').queue_position, null);
  assert.equal(runs.mustView('waiting').queue_position, 0);
});

test('design 2.7: a worker that was away for longer than a fence goes on with nothing before it is told to', async () => {
  const before = await aNode();
  await begin(before);
  await before.crash();
  const touch = { isThere: false };
  const { runs, engine } = await aNode({ runsDir: before.runsDir, inTouch: () => touch.isThere });
  touch.isThere = true;
  assert.throws(() => runs.mustServe('t'), refusedWith('POOL_UNAVAILABLE'));
  assert.equal(engine.requests.length, 0);
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  assert.equal(text(runs.mustServe('t').framesFrom(0)), 'ab');
});

test('design 2.7: a task that goes elsewhere stops for good, tells all that it has shown, and is not known here', async () => {
  const node = await aNode();
  await begin(node);
  const { run, frames } = await node.runs.fence('t', 2);
  assert.equal(run.ended, false);
  assert.equal(text(frames), 'ab');
  await node.engine.left(1);
  assert.throws(() => node.runs.mustServe('t'), refusedWith('TASK_NOT_FOUND'));
  await assert.rejects(async () => node.runs.attach(offerOf('t')), refusedWith('TASK_NOT_FOUND'));
  assert.deepEqual(await node.runs.fence('t', 2), { run, frames });
  await node.crash();
  const next = await aNode({ runsDir: node.runsDir });
  assert.throws(() => next.runs.mustServe('t'), refusedWith('TASK_NOT_FOUND'));
  assert.equal(text((await next.runs.fence('t', 2)).frames), 'ab');
  assert.equal(next.engine.requests.length, 0);
});

test('a task that had ended is not fenced: its end is told, and readers have it', async () => {
  const node = await aNode();
  await begin(node);
  node.engine.finish('EOS');
  await node.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const { run, frames } = await node.runs.fence('t', 2);
  assert.equal(run.state, 'completed');
  assert.equal(frames.some(closesStream), true);
  assert.equal(text(node.runs.mustServe('t').framesFrom(0)), 'ab');
});

test('B-DUR-003: another node goes on with what was shown: same ids, offsets and indexes go on, in the next epoch', async () => {
  const lost = await aNode();
  await begin(lost);
  const { frames: past } = await lost.runs.fence('t', 2);
  const { runs, engine } = await aNode();
  engine.spelling = 'ab';
  await runs.attach({ ...offerOf('t'), epoch: 2, past });
  await engine.asked(1);
  assert.deepEqual(engine.requests[0]?.promptIds, [1, 2, 3, 10, 11]);
  assert.equal(engine.requests[0].maxTokens, offerOf('t').request.max_tokens - 2);
  engine.say('c');
  engine.finish('EOS');
  await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const frames = runs.mustServe('t').framesFrom(0);
  assert.equal(text(frames), 'abc');
  assert.deepEqual(frames.slice(0, past.length), past);
  const later = frames.slice(past.length);
  assert.deepEqual(
    later.map(({ offset, epoch }) => [offset, epoch]),
    later.map((_, index) => [past.length + index, 2]),
  );
  assert.deepEqual(
    frames.flatMap((frame) => (frame.type === 'token' ? [frame.data.i] : [])),
    [0, 1, 2],
  );
  assert.equal(frames.filter(({ type }) => type === 'started').length, 1);
});

test('without the past a task begins anew, and nobody takes its frames for those that were lost', async () => {
  const node = await aNode();
  await node.runs.attach({ ...offerOf('t'), epoch: 2 });
  await node.engine.asked(1);
  node.engine.say('x');
  await node.engine.heard();
  const run = node.runs.mustServe('t');
  const offsets = run.framesFrom(0).map(({ offset }) => offset);
  assert.deepEqual(offsets.slice(0, 2), [firstOffset(2), firstOffset(2) + 1]);
  assert.equal(run.framesFrom(firstOffset(2) + 1)[0]?.type, 'token');
  for (const [from, hasLost] of [
    [0, false],
    [1, false],
    [2, true],
    [500, true],
    [firstOffset(2) + 1, false],
  ] as const) {
    assert.equal(run.hasLost(from), hasLost, `from ${from}`);
  }
  await node.crash();
  const next = await aNode({ runsDir: node.runsDir });
  assert.equal(next.runs.mustView('t').next_offset, run.nextOffset);
});

test('a task whose last frame was shown by the lost node ends as that frame says, and runs no more', async () => {
  const lost = await aNode();
  await begin(lost);
  lost.engine.finish('EOS');
  await lost.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const { frames: past } = await lost.runs.fence('t', 2);
  const { runs, engine } = await aNode();
  const view = await runs.attach({ ...offerOf('t'), epoch: 2, past });
  assert.deepEqual([view.state, view.ended, view.tokens_out], ['completed', true, 2]);
  assert.equal(engine.requests.length, 0);
});

test('B-DRAIN-015: a task that waits goes to another pool of the same node, and is on record there', async () => {
  const node = await aNode();
  node.open(1, 'other');
  await begin(node);
  await node.runs.attach(offerOf('waits'));
  assert.equal((await node.runs.fence('waits', 2)).run.ended, false);
  await node.runs.attach({ ...offerOf('waits'), pool_id: 'other', epoch: 2 });
  await node.engine.asked(2);
  assert.deepEqual(
    [node.runs.mustView('waits').pool_id, node.runs.mustView('waits').epoch, node.pools.waiting('default')],
    ['other', 2, []],
  );
  // The same again, by a try whose answer was lost, stops nothing.
  assert.equal((await node.runs.fence('waits', 2)).run.pool_id, 'other');
  assert.doesNotThrow(() => node.runs.mustServe('waits'));
  await assert.rejects(
    async () => node.runs.attach(offerOf('waits', { digest: 'other' })),
    refusedWith('TASK_CONFLICT'),
  );
  await node.crash();
  const next = await aNode({ runsDir: node.runsDir, slots: 0 });
  assert.equal(next.runs.mustView('waits').pool_id, 'other');
});

test('a task that comes back goes on from what it showed elsewhere, not from what it showed here', async () => {
  const node = await aNode();
  await begin(node);
  const { frames } = await node.runs.fence('t', 2);
  node.engine.spelling = 'abc';
  const elsewhere = (frame: Frame, index: number): Frame =>
    frame.type === 'token' ? { ...frame, data: { ...frame.data, t: 'xyz'[index] ?? '' } } : frame;
  const past = frames.map(elsewhere);
  await node.runs.attach({ ...offerOf('t'), epoch: 3, past });
  assert.deepEqual(node.runs.mustServe('t').framesFrom(0), past);
});
