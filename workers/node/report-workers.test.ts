import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';
import { workerReports } from './report-workers.js';

const aNode = nodesOfTests();
const reportsOf = ({ pools }: TestNode) => workerReports('node-1', pools.all());

test('B-WST-007: one inference takes its worker from idle to busy and back, and its slot with it', async () => {
  const node = await aNode({ slots: 2 });
  const { engine, runs } = node;
  const states = () => reportsOf(node).map(({ state, slots_available }) => [state, slots_available]);
  assert.deepEqual(states(), [['idle', 2]]);
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  assert.deepEqual(states(), [['busy', 1]]);
  engine.say('one ');
  engine.finish('EOS');
  await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  await eventually(
    () => `idle, not ${JSON.stringify(states())}`,
    () => (states()[0]?.[0] === 'idle' ? true : undefined),
  );
  assert.deepEqual(states(), [['idle', 2]]);
});

test('B-LIFE-002, B-LIFE-010: its PID is the same through every state that it is in, and forgotten when it was stopped', async () => {
  const node = await aNode();
  const { engine, runs, pools } = node;
  const seen = () => reportsOf(node).map(({ state, pid }) => [state, pid]);
  const [[, pid] = []] = seen();
  assert.ok(Number(pid) > 0);
  assert.deepEqual(seen(), [['idle', pid]]);
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  assert.deepEqual(seen(), [['busy', pid]]);
  pools.draining('default');
  assert.deepEqual(seen(), [['draining', pid]]);
  pools.offline('default');
  assert.deepEqual(seen(), []);
});

test('what is told of a worker: whose it is, what it runs, where, and when it was last of use', async () => {
  const node = await aNode();
  const [before] = reportsOf(node);
  assert.deepEqual(before, {
    worker_id: 'node-1:default:r0',
    ...{ node_id: 'node-1', pool_id: 'default', replica_id: 'r0' },
    url: 'http://default:1',
    engine: 'llamacpp',
    model_ref: 'demo',
    model_name: null,
    ...{ backend: 'cpu', device: null },
    ...{ state: 'idle', slots_total: 1, slots_available: 1 },
    pid: 1,
    last_activity_ms: null,
    ...{ last_health_ms: null, failed_health_checks: 0 },
    last_error: null,
  });
  const startedAtMs = Date.now();
  await node.runs.attach(offerOf('t'));
  await node.engine.asked(1);
  node.engine.say('one ');
  await node.engine.heard();
  assert.ok((reportsOf(node)[0]?.last_activity_ms ?? 0) >= startedAtMs);
});

test('engines are sorted by id, one that a pool has lost is still told of, one that was stopped is not', async () => {
  const node = await aNode();
  node.open(1, 'b');
  node.open(1, 'a');
  node.pools.failed('b', 'the engine never became healthy');
  node.pools.offline('default');
  assert.deepEqual(
    reportsOf(node).map(({ worker_id, state, url, last_error }) => [worker_id, state, url, last_error]),
    [
      ['node-1:a:r0', 'idle', 'http://a:1', null],
      ['node-1:b:r0', 'error', null, 'the engine never became healthy'],
    ],
  );
});
