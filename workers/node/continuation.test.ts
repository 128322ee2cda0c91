import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ManualEngine,
  nodesOfTests,
  offerOf,
  type NodeOptions,
  type TestNode,
} from '../../testing/test-node.js';
import { pauseMs } from './continuation.js';

const aNode = nodesOfTests();

const tokensOf = ({ runs }: TestNode, task: string) =>
  runs
    .mustGet(task)
    .framesFrom(0)
    .flatMap((frame) => (frame.type === 'token' ? [[frame.data.i, frame.data.t]] : []));
const endOf = ({ runs }: TestNode, task: string) => runs.waitForEnd(task, AbortSignal.timeout(10_000));

/** A task that has said two words. */
async function begun(options: NodeOptions = {}): Promise<TestNode> {
  const node = await aNode(options);
  await node.runs.attach(offerOf('a'));
  await node.engine.asked(1);
  node.engine.say('one ');
  node.engine.say('two ');
  await node.engine.heard();
  return node;
}

test('B-DUR-003: a task whose engine breaks off goes on from its prompt and its logged ids, before tasks that wait', async () => {
  const node = await begun();
  const { engine, runs } = node;
  await runs.attach(offerOf('waits'));
  engine.breakOff();
  await engine.asked(2);
  const [first, second] = engine.requests;
  assert.ok(first && second);
  assert.deepEqual(second.promptIds, [...first.promptIds, 10, 11]);
  assert.equal(second.maxTokens, first.maxTokens - 2);
  engine.say('three');
  engine.finish('EOS');
  const { state, error } = await endOf(node, 'a');
  assert.deepEqual([state, error], ['completed', null]);
  assert.deepEqual(tokensOf(node, 'a'), [
    [0, 'one '],
    [1, 'two '],
    [2, 'three'],
  ]);
  const types = runs
    .mustGet('a')
    .framesFrom(0)
    .map(({ type }) => type);
  assert.deepEqual(
    types.filter((type) => type !== 'metrics'),
    ['started', 'token', 'token', 'token', 'end'],
  );
  await engine.asked(3);
  assert.equal(runs.mustView('waits').state, 'dispatched');
});

test('B-DUR-003: the slot of a dead engine is free, and its task waits until there is one again', async () => {
  const node: TestNode = await begun({
    lookAtEngine: (poolId, replicaId) => {
      node.pools.dropReplica(poolId, replicaId, 'the engine has exited');
      return Promise.resolve();
    },
  });
  const { engine, pools, runs } = node;
  engine.breakOff();
  while (pools.status('default')?.active_leases !== 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([runs.mustView('a').state, runs.mustView('a').queue_position], ['queued', 0]);
  assert.equal(engine.requests.length, 1);
  node.open(1);
  await engine.asked(2);
  engine.finish('EOS');
  assert.equal((await endOf(node, 'a')).state, 'completed');
});

test('ids that an engine kept to itself: the text is cut anew where the logged ids do not spell it', async () => {
  const node = await begun();
  const { engine } = node;
  engine.spelling = 'another text';
  engine.breakOff();
  await engine.asked(2);
  const [first, second] = engine.requests;
  const letters = Array.from('one two ', (letter) => letter.codePointAt(0));
  assert.deepEqual(second?.promptIds, [...(first?.promptIds ?? []), ...letters]);
});

test('B-FLOW-005: what no engine can go on with is run anew on another while nobody has had a token of it, and told with advice after', async () => {
  const [first, other] = [new ManualEngine(), new ManualEngine()];
  const node: TestNode = await aNode({
    adapterOf: (url) => (new URL(url).hostname === 'other' ? other : first),
    lookAtEngine: (poolId, replicaId) => {
      node.pools.dropReplica(poolId, replicaId, 'the engine has exited');
      return Promise.resolve();
    },
  });
  const { pools, runs } = node;
  const r0 = pools.running('default', 'r0') ?? assert.fail();
  pools.ready({ ...r0, prepared: { ...r0.prepared, replica_id: 'r1' }, url: 'http://other:1', pid: 2 });
  const input = {
    kind: 'chat' as const,
    messages: [{ role: 'user', content: 'hello' }],
    tool_use: {
      tools: [{ type: 'function' as const, function: { name: 'look' } }],
      tool_choice: 'auto' as const,
    },
  };
  await runs.attach(offerOf('early', { input }));
  await first.asked(1);
  first.breakOff();
  await other.asked(1);
  other.say('one');
  other.finish('EOS');
  assert.equal((await endOf(node, 'early')).state, 'completed');
  assert.deepEqual([tokensOf(node, 'early'), runs.mustView('early').replica_id], [[[0, 'one']], 'r1']);

  await runs.attach(offerOf('late', { input }));
  await other.asked(2);
  other.say('one');
  await other.heard();
  pools.ready(r0);
  other.breakOff();
  const { state, error } = await endOf(node, 'late');
  assert.deepEqual([state, error?.code, error?.retriable], ['failed', 'WORKER_RESET', true]);
  assert.ok((error?.retry_after_ms ?? 0) > 0);
  assert.deepEqual([tokensOf(node, 'late'), first.chats.length], [[[0, 'one']], 1]);
});

test('B-AD-011, B-ERR-018: a task that brought three engines no token ends with WORKER_RESET, and the next one runs', async () => {
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(offerOf('a'));
  await runs.attach(offerOf('b'));
  for (let asked = 1; asked <= 3; asked++) {
    await engine.asked(asked);
    engine.breakOff();
  }
  const { state, error } = await endOf(node, 'a');
  assert.deepEqual([state, error?.code, error?.retriable], ['failed', 'WORKER_RESET', true]);
  assert.deepEqual(runs.mustGet('a').lastFrame?.type, 'error');
  await engine.asked(4);
  engine.finish('EOS');
  assert.equal((await endOf(node, 'b')).state, 'completed');
});

test('a cancel that comes while a task waits for its engine is honoured, and nothing is asked of that', async () => {
  const looked: (() => void)[] = [];
  const node = await begun({ lookAtEngine: () => new Promise((resolve) => looked.push(resolve)) });
  const { engine, runs } = node;
  engine.breakOff();
  while (looked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const cancelling = runs.cancel('a', 'client');
  for (const answer of looked) answer();
  assert.equal((await cancelling).state, 'cancelled');
  assert.equal(engine.requests.length, 1);
});

test('no other model goes on with what one began: the task ends with WORKER_RESET', async () => {
  const engines = new Map<string, ManualEngine>();
  const adapterOf = (url: string) => {
    const engine = engines.get(url) ?? new ManualEngine();
    engines.set(url, engine);
    return engine;
  };
  const node: TestNode = await aNode({ adapterOf });
  const old = engines.get('http://default:1');
  const { pools, runs } = node;
  await runs.attach(offerOf('a'));
  await old?.asked(1);
  old?.say('one ');
  await old?.heard();
  const serving = pools.running('default', 'r0');
  assert.ok(serving);
  const prepared = { ...serving.prepared, model_path: '/other.gguf' };
  pools.switched({ prepared, url: 'http://new:1', pid: 2, startTicks: '2' });
  old?.breakOff();
  const { state, error } = await endOf(node, 'a');
  assert.deepEqual([state, error?.code], ['failed', 'WORKER_RESET']);
  assert.deepEqual(engines.get('http://new:1')?.requests, []);
});

test('B-AD-008: an engine that answers 500 is asked again before it has said anything, three times at most', async () => {
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(offerOf('a'));
  await engine.asked(1);
  engine.refuse(500);
  await engine.asked(2);
  engine.say('one ');
  engine.finish('EOS');
  assert.equal((await endOf(node, 'a')).state, 'completed');
  await runs.attach(offerOf('b'));
  for (let asked = 3; asked <= 5; asked++) {
    await engine.asked(asked);
    engine.refuse(502);
  }
  const { state, error } = await endOf(node, 'b');
  assert.deepEqual([state, error?.code, engine.requests.length], ['failed', 'INTERNAL', 5]);
});

test('B-AD-008: neither a fault amid a stream nor a refusal of the request is tried again', async () => {
  const node = await begun();
  const { engine, runs } = node;
  engine.refuse(500);
  const { state, error } = await endOf(node, 'a');
  assert.deepEqual([state, error?.code, engine.requests.length], ['failed', 'INTERNAL', 1]);
  assert.deepEqual(tokensOf(node, 'a'), [
    [0, 'one '],
    [1, 'two '],
  ]);
  for (const status of [400, 401, 403, 404, 422]) {
    const before = engine.requests.length;
    await runs.attach(offerOf(`refused-${status}`));
    await engine.asked(before + 1);
    engine.refuse(status);
    assert.equal((await endOf(node, `refused-${status}`)).state, 'failed');
    assert.equal(engine.requests.length, before + 1);
  }
});

test('B-INF-022: a task that meets a busy engine goes back to the head of its queue, and its client sees nothing of it', async () => {
  const node: TestNode = await aNode({
    // Before the task is back in the queue: nobody gives it another slot.
    lookAtEngine: () => Promise.resolve(node.pools.get('default')?.scheduler.setSlots('r0', 0)),
  });
  const { engine, runs } = node;
  for (const task of ['a', 'b']) await runs.attach(offerOf(task));
  await engine.asked(1);
  engine.refuse(503);
  const giveUpAt = Date.now() + 5_000;
  while (runs.mustView('a').state !== 'queued') {
    assert.ok(Date.now() < giveUpAt, runs.mustView('a').state);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual([runs.mustView('a').queue_position, runs.mustView('b').queue_position], [0, 1]);
  const types = () =>
    runs
      .mustGet('a')
      .framesFrom(0)
      .map(({ type }) => type);
  assert.deepEqual(types(), ['started']);
  node.open(1);
  await engine.asked(2);
  engine.say('one');
  engine.finish('EOS');
  assert.equal((await endOf(node, 'a')).state, 'completed');
  assert.deepEqual(types(), ['started', 'token', 'metrics', 'end']);
});

test('a busy engine is asked until the deadline: its task has no share of it to use up', async () => {
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(offerOf('a'));
  for (let asked = 1; asked <= 4; asked++) {
    await engine.asked(asked);
    engine.refuse(429);
  }
  await engine.asked(5);
  engine.finish('EOS');
  assert.equal((await endOf(node, 'a')).state, 'completed');
  await runs.attach(offerOf('late', { request: { deadline_ms: 400 } }));
  await engine.asked(6);
  engine.refuse(503);
  const { state, error } = await endOf(node, 'late');
  assert.deepEqual([state, error?.code], ['failed', 'DECODE_TIMEOUT']);
});

test('each pause before an engine is twice as long, with jitter, and none longer than five seconds and a half of that', () => {
  const pauses = [1, 2, 3, 4].map((fruitless) => pauseMs(fruitless, 0));
  assert.deepEqual(pauses, [250, 500, 1_000, 2_000]);
  assert.deepEqual([pauseMs(30, 0), pauseMs(30, 1), pauseMs(1, 0.5)], [5_000, 7_500, 312.5]);
});
