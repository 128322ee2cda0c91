import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodesOfTests, offerOf } from '../../testing/test-node.js';
import type { RunMetrics } from './run-metrics.js';

const aNode = nodesOfTests();

test('what waits when a worker starts is shown of the engine that takes it, and then of none', async () => {
  const before = await aNode({ slots: 0 });
  await before.runs.attach(offerOf('a'));
  await before.crash();
  const gauges = new Map<string, number>();
  const queueDepth: RunMetrics['queueDepth'] = ({ engine, priority }, depth) =>
    void gauges.set(`${engine} ${priority}`, depth);
  const after = await aNode({ slots: 0, runsDir: before.runsDir, queueDepth });
  const waiting = () => [...gauges].filter(([, depth]) => depth > 0);
  assert.deepEqual(waiting(), [[' interactive', 1]]);
  after.open(1);
  await after.engine.asked(1);
  assert.deepEqual(waiting(), []);
});
