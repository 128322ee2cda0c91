import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooserOf } from './placement-strategy.js';
import type { PlacementCandidate } from './placement.js';

const pool = (poolId: string, over: Partial<PlacementCandidate> = {}): PlacementCandidate => ({
  nodeId: 'node-1',
  poolId,
  state: 'ready',
  draining: false,
  slotsFree: 2,
  queueDepth: 0,
  engine: 'llamacpp',
  modelRef: 'file:/m/demo.gguf',
  modelName: 'demo',
  workloads: null,
  ctxMax: 4096,
  deviceMask: null,
  ...over,
});
const never = () => assert.fail('nothing is drawn');

test('B-PL-004: least-loaded takes the one with the most free slots, then the shortest queue, then by name', () => {
  const choose = chooserOf('least-loaded', never);
  assert.equal(choose([pool('a'), pool('b', { slotsFree: 3 })]).candidate.poolId, 'b');
  const byQueue = choose([pool('a', { queueDepth: 1 }), pool('b')]);
  assert.deepEqual([byQueue.candidate.poolId, byQueue.tieBreakers], ['b', ['shortest_queue']]);
  assert.equal(choose([pool('b'), pool('a')]).candidate.poolId, 'a');
});

test('B-PL-004: round-robin takes each in turn, however busy, and goes on where it was when some come and go', () => {
  const choose = chooserOf('round-robin', never);
  const take = (...names: string[]) =>
    choose(names.map((name, slotsFree) => pool(name, { slotsFree }))).candidate.poolId;
  assert.deepEqual(
    [take('a', 'b', 'c'), take('c', 'b', 'a'), take('a', 'c'), take('a', 'b', 'c'), take('b')],
    ['a', 'b', 'c', 'a', 'b'],
  );
  assert.deepEqual(choose([pool('a'), pool('b')]).tieBreakers, ['round_robin']);
});

test('B-PL-004: random takes any, by what was drawn', () => {
  const draws = [0, 0.34, 0.99];
  const choose = chooserOf('random', () => draws.shift() ?? 0);
  const taken = [1, 2, 3].map(() => choose([pool('a'), pool('b'), pool('c')]));
  assert.deepEqual(
    taken.map(({ candidate }) => candidate.poolId),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(taken[0]?.tieBreakers, ['random']);
});

test('B-PL-001: no strategy takes a pool that is not ready while another one is', () => {
  for (const strategy of ['least-loaded', 'round-robin', 'random'] as const) {
    const choose = chooserOf(strategy, () => 0);
    const pools = [pool('a', { state: 'starting' }), pool('b'), pool('c', { state: 'starting' })];
    for (let turn = 0; turn < 3; turn += 1) assert.equal(choose(pools).candidate.poolId, 'b', strategy);
  }
});
