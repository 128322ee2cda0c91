import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import type { FrameBody } from '../../contracts/events.js';
import type { InferTaskInput } from '../../contracts/node.js';
import { MemoryNodes, readyPool } from '../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

const token = (i: number): FrameBody => ({ type: 'token', data: { t: `w${i}`, i } });
const started: FrameBody = {
  type: 'started',
  data: {
    queue_position: 0,
    predicted_start_ms: 0,
    task_id: 't-1',
    engine: 'llamacpp',
    pool_id: 'default',
    replica_id: 'r0',
    model_ref: 'demo',
    correlation_id: 'c',
    admitted_at_ms: 0,
  },
};

describe('a task whose node is lost', () => {
  let api: TestApi;
  let lost: string;
  let other: string;
  beforeEach(async () => {
    api = await startTestApi({ nodes: new MemoryNodes(['node-1', 'node-2']) });
    await api.ask('POST', '/v2/tasks', { payload: taskBody() });
    const run = api.nodes.run('t-1');
    lost = run.nodeId;
    other = lost === 'node-1' ? 'node-2' : 'node-1';
    run.publish(started, token(0), token(1));
  });
  afterEach(() => api.close());

  const task = (): InferTaskInput => ({ ...api.nodes.run('t-1').offer, node_id: lost });
  const move = () => api.app.taskMoves.moveTask(task());
  const reader = () => api.ask('GET', '/v2/tasks/t-1/events');

  it('B-DEAD-003: has the same deadline wherever it goes on', async () => {
    const before = api.nodes.run('t-1').offer.deadline_at_ms;
    await move();
    const after = api.nodes.run('t-1');
    assert.equal(after.nodeId, other);
    assert.ok(before !== undefined && before > Date.now());
    assert.equal(after.offer.deadline_at_ms, before);
  });

  it('design 2.7: is fenced where it was before another node has it, and goes on with all that it has shown', async () => {
    const shown = [...api.nodes.run('t-1').frames];
    const moved = await move();
    assert.deepEqual(moved, { kind: 'moved', node_id: other, pool_id: 'default', epoch: 2 });
    const calls = api.nodes.calls.filter((call) => /fence|takeOver/.test(call));
    assert.deepEqual(calls, [`${lost} fence 2 t-1`, `${other} takeOver t-1`]);
    const [placed] = api.nodes.takenOver;
    assert.deepEqual([placed?.epoch, placed?.pool_id, placed?.past], [2, 'default', shown]);
    const { event_type, details } = api.audited.at(-1) ?? {};
    assert.deepEqual([event_type, details?.['node_id'], details?.['from']], ['task_assigned', other, lost]);
    assert.equal(placed !== undefined && 'node_id' in placed, false);
    assert.equal(api.log.filter(({ event }) => event === 'task_moved').length, 1);
  });

  it('is not moved where it had ended: its end is told', async () => {
    api.nodes
      .run('t-1')
      .publish({ type: 'error', data: new DroverError('CANCELLED', 'the task was cancelled').toEnvelope() });
    const moved = await move();
    assert.equal(moved.kind, 'ended');
    assert.deepEqual(api.nodes.takenOver, []);
  });

  it('design 4: with its node away it goes on from what a reader here has had, and the reader sees a pause', async () => {
    const reading = reader();
    while (api.nodes.openTails === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const shown = [...api.nodes.run('t-1').frames];
    api.nodes.away.add(lost);
    api.nodes.cutTails();
    await move();
    assert.deepEqual(api.nodes.takenOver[0]?.past, shown);
    api.records.moved('t-1', other);
    api.nodes
      .run('t-1')
      .publish(token(2), { type: 'error', data: new DroverError('CANCELLED', 'over').toEnvelope() });
    const { payload } = await reading;
    assert.deepEqual(
      [...payload.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)),
      [0, 1, 2, 3, 4],
    );
  });

  it('design 4: with its node away and nobody reading it begins anew from its prompt', async () => {
    api.nodes.away.add(lost);
    await move();
    assert.equal(api.nodes.takenOver[0]?.past, undefined);
    assert.equal(api.nodes.takenOver[0]?.epoch, 2);
  });

  it('may begin anew where it was, when that node is there and has lost the run alone', async () => {
    const order = task();
    api.nodes.runs.clear();
    api.nodes.poolsOf.set(other, []);
    const moved = await api.app.taskMoves.moveTask(order);
    assert.deepEqual(moved, { kind: 'moved', node_id: lost, pool_id: 'default', epoch: 2 });
    assert.equal(api.nodes.takenOver[0]?.past, undefined);
  });

  it('stays where it is while no other node can take it', async () => {
    api.nodes.away.add(lost);
    api.nodes.poolsOf.set(other, []);
    await assert.rejects(move(), (err) => err instanceof DroverError && err.code === 'POOL_UNAVAILABLE');
    assert.deepEqual(api.nodes.takenOver, []);
  });
});

describe('a task that waits in a pool which is drained', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi({ nodes: new MemoryNodes(['node-1']) });
    await api.ask('POST', '/v2/tasks', { payload: taskBody() });
    serve(readyPool({ state: 'draining', draining: true, ready: false }), readyPool({ pool_id: 'other' }));
  });
  afterEach(() => api.close());

  const serve = (...pools: ReturnType<typeof readyPool>[]) => api.nodes.poolsOf.set('node-1', pools);
  const task = (): InferTaskInput => ({ ...api.nodes.run('t-1').offer, node_id: 'node-1' });
  const to = { node_id: 'node-1', pool_id: 'other' };

  it('B-DRAIN-015: has a place in another pool that serves the model, and stops where it was before it has it', async () => {
    const order = task();
    assert.deepEqual(await api.app.taskMoves.findPlace(order), to);
    assert.deepEqual(api.nodes.takenOver, []);
    const moved = await api.app.taskMoves.moveTask({ ...order, to });
    assert.deepEqual(moved, { kind: 'moved', ...to, epoch: 2 });
    const calls = api.nodes.calls.filter((call) => /fence|takeOver/.test(call));
    assert.deepEqual(calls, ['node-1 fence 2 t-1', 'node-1 takeOver t-1']);
    // A try whose answer was lost: it is there already.
    assert.deepEqual(await api.app.taskMoves.moveTask({ ...order, to }), moved);
    assert.equal(api.nodes.takenOver.length, 1);
  });

  it('B-DRAIN-015: stays where no other pool serves the model, and where its own is back', async () => {
    serve(readyPool({ state: 'draining', draining: true, ready: false }));
    assert.equal(await api.app.taskMoves.findPlace(task()), null);
    serve(readyPool(), readyPool({ pool_id: 'other', slots_free: 0 }));
    assert.equal(await api.app.taskMoves.findPlace(task()), null);
  });

  it('is given to nobody while its node does not say that it has stopped', async () => {
    const order = task();
    api.nodes.away.add('node-1');
    await assert.rejects(
      api.app.taskMoves.moveTask({ ...order, to: { node_id: 'node-2', pool_id: 'other' } }),
      {
        code: 'POOL_UNAVAILABLE',
      },
    );
    assert.deepEqual(api.nodes.takenOver, []);
  });
});
