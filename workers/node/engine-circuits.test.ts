import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { nodesOfTests, offerOf, type NodeOptions, type TestNode } from '../../testing/test-node.js';

const aNode = nodesOfTests();
const QUICK = { circuit_threshold: 2, circuit_open_ms: 300, circuit_open_cap_ms: 60_000 };

const endOf = ({ runs }: TestNode, task: string) => runs.waitForEnd(task, AbortSignal.timeout(10_000));
const circuitOf = ({ pools }: TestNode) => pools.get('default')?.replicas.get('r0')?.circuit;

async function untilState(node: TestNode, state: string): Promise<void> {
  const deadline = AbortSignal.timeout(5_000);
  while (circuitOf(node)?.state !== state) {
    deadline.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A node whose engine of four slots has failed at two tasks in a row, amid their streams. */
async function opened(options: NodeOptions = {}): Promise<TestNode> {
  const node = await aNode({ slots: 4, engineCircuit: QUICK, ...options });
  const { engine, runs } = node;
  for (const [index, task] of ['first', 'second'].entries()) {
    await runs.attach(offerOf(task));
    await engine.asked(index + 1);
    engine.say('one ');
    await engine.heard();
    engine.refuse(500);
    await endOf(node, task);
  }
  assert.equal(circuitOf(node)?.state, 'open');
  return node;
}

test('an engine that fails at task after task gets none for a while, then one to be tested with, then all that wait', async () => {
  const node = await opened();
  const { engine, runs, pools } = node;
  for (const task of ['a', 'b', 'c']) await runs.attach(offerOf(task));
  assert.deepEqual([engine.requests.length, pools.status('default')?.slots_free], [2, 0]);
  await untilState(node, 'half_open');
  await engine.asked(3);
  assert.deepEqual([engine.requests.length, runs.mustView('b').state], [3, 'queued']);
  engine.say('well again ');
  await engine.asked(5);
  assert.equal(circuitOf(node)?.state, 'closed');
});

test('a test that fails leaves it alone for twice as long', async () => {
  const node = await opened();
  const { engine, runs } = node;
  await runs.attach(offerOf('a'));
  await engine.asked(3);
  const before = Date.now();
  engine.refuse(500);
  await untilState(node, 'open');
  const { openings, open_until_ms } = circuitOf(node) ?? assert.fail();
  assert.equal(openings, 2);
  assert.ok((open_until_ms ?? 0) >= before + 600);
});

test('while all engines of a pool are left alone a newcomer is told when to come again', async () => {
  const { runs } = await opened({ engineCircuit: { ...QUICK, circuit_open_ms: 60_000 } });
  await assert.rejects(runs.offer(offerOf('late')), (err: { code: string; extras: object }) => {
    const { retry_after_ms = 0, pool_id } = err.extras as { retry_after_ms?: number; pool_id?: string };
    assert.deepEqual([err.code, pool_id], ['POOL_UNAVAILABLE', 'default']);
    return retry_after_ms > 50_000 && retry_after_ms <= 60_000;
  });
});

test('what the client did, or called off, is not held against the engine', async () => {
  const node = await aNode({ slots: 4, engineCircuit: { ...QUICK, circuit_threshold: 1 } });
  const { engine, runs } = node;
  await runs.attach(offerOf('refused'));
  await engine.asked(1);
  engine.refuse(400);
  await endOf(node, 'refused');
  await runs.attach(offerOf('cancelled'));
  await engine.asked(2);
  await runs.cancel('cancelled', 'client');
  assert.equal(circuitOf(node)?.state, 'closed');
});

test('a task that is served between two failures begins the count anew', async () => {
  const node = await aNode({ engineCircuit: { ...QUICK, circuit_threshold: 3 } });
  const { engine, runs } = node;
  for (const [index, status] of [500, 500, null, 500, 500].entries()) {
    await runs.attach(offerOf(`t${index}`));
    await engine.asked(index + 1);
    engine.say('one ');
    await engine.heard();
    if (status === null) engine.finish('EOS');
    else engine.refuse(status);
    await endOf(node, `t${index}`);
  }
  assert.deepEqual([circuitOf(node)?.state, circuitOf(node)?.failures], ['closed', 2]);
});

test('another engine under the same name starts without its circuit, and the log has both', async () => {
  const lines: { event?: string; failures?: number }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line) as object) });
  const node = await opened({ engineCircuit: { ...QUICK, circuit_open_ms: 60_000 }, log });
  const { engine, runs, pools, open } = node;
  assert.deepEqual(
    lines.filter(({ event }) => event === 'engine_circuit_opened').map(({ failures }) => failures),
    [2],
  );
  pools.dropReplica('default', 'r0', 'the engine has exited');
  open(4);
  await runs.attach(offerOf('a'));
  await engine.asked(3);
  assert.equal(circuitOf(node)?.state, 'closed');
});
