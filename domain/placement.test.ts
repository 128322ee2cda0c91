import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  placeTask,
  type PlacementCandidate,
  type PlacementFacts,
  type PlacementProblem,
  type PlacementRequest,
} from './placement.js';
import { POOL_STATES } from './pool.js';

const request = (over: Partial<PlacementRequest> = {}): PlacementRequest => ({
  modelRef: 'demo',
  engine: 'llamacpp',
  ctx: 0,
  pinnedPool: null,
  preferredPools: [],
  avoidedPools: [],
  deviceMask: null,
  allowFallback: true,
  ...over,
});

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
  ctxMax: 4096,
  deviceMask: 'GPU0',
  ...over,
});

const facts = (...candidates: PlacementCandidate[]): PlacementFacts => ({
  candidates,
  someNodeIsAway: false,
});

/** `pool@node` where the task goes, or the problem. */
function verdictOf(asked: PlacementRequest, known: PlacementFacts): string {
  const verdict = placeTask(asked, known);
  return verdict.placed ? `${verdict.candidate.poolId}@${verdict.candidate.nodeId}` : verdict.problem;
}

describe('a task goes', () => {
  for (const [id, what, asked, candidates, expected] of [
    ['B-PL-014', 'to the only pool', {}, [pool('a')], 'a@node-1'],
    [
      'B-DP-114',
      'to the pool `default` by its model',
      { modelRef: 'default' },
      [pool('default')],
      'default@node-1',
    ],
    [
      'B-PL-017',
      'where its model is, by name',
      {},
      [pool('a', { modelName: 'other' }), pool('b')],
      'b@node-1',
    ],
    [
      'B-PL-017',
      'where its model is, by reference',
      { modelRef: 'file:/m/demo.gguf' },
      [pool('b')],
      'b@node-1',
    ],
    ['B-DP-119', 'where its engine is', {}, [pool('a', { engine: 'vllm' }), pool('b')], 'b@node-1'],
    [
      'B-DP-119',
      'to any engine if it named none',
      { engine: null },
      [pool('a', { engine: 'vllm' })],
      'a@node-1',
    ],
    [
      'B-PL-001',
      'where its context fits',
      { ctx: 8000 },
      [pool('a'), pool('b', { ctxMax: 8192 })],
      'b@node-1',
    ],
    [
      'B-PL-013',
      'where the device mask is',
      { deviceMask: 'GPU1' },
      [pool('a'), pool('b', { deviceMask: 'GPU1' })],
      'b@node-1',
    ],
    [
      'B-PL-012',
      'nowhere that it avoids',
      { avoidedPools: ['a'] },
      [pool('a', { slotsFree: 9 }), pool('b')],
      'b@node-1',
    ],
    [
      'B-PL-005',
      'to its pin, though others are freer',
      { pinnedPool: 'a' },
      [pool('a', { slotsFree: 0 }), pool('b')],
      'a@node-1',
    ],
    [
      'B-PL-009',
      'to a preferred pool',
      { preferredPools: ['b'] },
      [pool('a', { slotsFree: 9 }), pool('b')],
      'b@node-1',
    ],
    ['B-PL-010', 'to any when no preferred one is', { preferredPools: ['z'] }, [pool('a')], 'a@node-1'],
    [
      'B-DP-052',
      'past a draining pool',
      {},
      [pool('a', { state: 'draining', draining: true }), pool('b')],
      'b@node-1',
    ],
    [
      'B-DP-112',
      'to a ready pool before one that starts',
      {},
      [pool('a', { state: 'starting' }), pool('b', { slotsFree: 0 })],
      'b@node-1',
    ],
    [
      'B-DP-112',
      'to a starting pool if there is no other',
      {},
      [pool('a', { state: 'starting' })],
      'a@node-1',
    ],
    ['B-PL-002', 'where most slots are free', {}, [pool('a'), pool('b', { slotsFree: 3 })], 'b@node-1'],
    [
      'B-PL-002',
      'to the shorter queue when slots are equal',
      {},
      [pool('a', { queueDepth: 4 }), pool('b')],
      'b@node-1',
    ],
    [
      'B-PL-002',
      'to the first by name when all is equal',
      {},
      [pool('b'), pool('a'), pool('a', { nodeId: 'node-0' })],
      'a@node-0',
    ],
  ] as const) {
    it(`${id}: ${what}`, () => assert.equal(verdictOf(request(asked), facts(...candidates)), expected));
  }
});

describe('a task is refused because', () => {
  for (const [id, asked, candidates, expected] of [
    ['B-PL-006', { pinnedPool: 'z' }, [pool('a')], 'unknown_pinned_pool'],
    [
      'B-DP-119',
      { pinnedPool: 'a', engine: 'vllm' },
      [pool('a'), pool('b', { engine: 'vllm' })],
      'pinned_pool_runs_another_engine',
    ],
    ['B-PL-007', { pinnedPool: 'a' }, [pool('a', { state: 'offline' }), pool('b')], 'pool_not_ready'],
    ['B-DP-047', { modelRef: 'nobody' }, [pool('a')], 'no_pool_serves_model'],
    ['C-014', { modelRef: 'default' }, [pool('a')], 'default_pool_not_loaded'],
    ['B-DP-119', { engine: 'tgi' }, [pool('a')], 'no_pool_runs_engine'],
    ['B-DP-041', { ctx: 4097 }, [pool('a')], 'ctx_beyond_every_pool'],
    ['B-DP-041', { ctx: 32_769 }, [pool('a', { ctxMax: null })], 'ctx_beyond_every_pool'],
    ['B-PL-012', { avoidedPools: ['a'] }, [pool('a')], 'excluded_by_request'],
    ['B-PL-011', { preferredPools: ['z'], allowFallback: false }, [pool('a')], 'no_preferred_feasible'],
    ['B-DP-052', {}, [pool('a', { state: 'draining', draining: true })], 'pool_not_ready'],
    ['B-DP-005', {}, [pool('a', { state: 'failed' })], 'pool_failed'],
  ] as const satisfies [string, Partial<PlacementRequest>, PlacementCandidate[], PlacementProblem][]) {
    it(`${id}: ${expected}`, () => assert.equal(verdictOf(request(asked), facts(...candidates)), expected));
  }

  it('B-PL-018: what cannot be seen is not called unknown while a node is away', () => {
    const away: PlacementFacts = { candidates: [pool('a')], someNodeIsAway: true };
    assert.equal(verdictOf(request({ modelRef: 'nobody' }), away), 'node_away');
    assert.equal(verdictOf(request({ pinnedPool: 'z' }), away), 'node_away');
    assert.equal(verdictOf(request(), away), 'a@node-1');
  });

  it('B-DP-041: says the largest context that could be had', () => {
    const verdict = placeTask(request({ ctx: 9_000 }), facts(pool('a'), pool('b', { ctxMax: 8_192 })));
    assert.ok(!verdict.placed);
    assert.equal(verdict.ctxMax, 8_192);
  });
});

describe('the trace of a decision', () => {
  it('B-PL-015: names what filtered, what broke the tie, and whether a pin or a fallback decided', () => {
    const known = facts(pool('a', { modelName: 'other' }), pool('b'), pool('c', { slotsFree: 5 }));
    assert.deepEqual(placeTask(request(), known).trace, {
      candidatesConsidered: 2,
      filtersApplied: ['model'],
      tieBreakersApplied: ['most_free_slots'],
      pinned: false,
      fallbackUsed: false,
    });
    assert.equal(placeTask(request({ pinnedPool: 'b' }), known).trace.pinned, true);
    assert.equal(placeTask(request({ preferredPools: ['z'] }), known).trace.fallbackUsed, true);
  });
});

describe('any placement', () => {
  const anyPool = fc.record({
    nodeId: fc.constantFrom('node-1', 'node-2'),
    poolId: fc.constantFrom('a', 'b', 'c', 'default'),
    state: fc.constantFrom(...POOL_STATES),
    draining: fc.boolean(),
    slotsFree: fc.nat(4),
    queueDepth: fc.nat(3),
    engine: fc.constantFrom('llamacpp', 'vllm', null),
    modelRef: fc.constantFrom('file:/m/demo.gguf', null),
    modelName: fc.constantFrom('demo', 'other', null),
    ctxMax: fc.constantFrom(2048, 4096, null),
    deviceMask: fc.constantFrom('GPU0', null),
  });
  const anyRequest = fc.record({
    modelRef: fc.constantFrom('demo', 'default', 'nobody'),
    engine: fc.constantFrom('llamacpp', 'vllm', null),
    ctx: fc.constantFrom(0, 4096, 5000),
    pinnedPool: fc.constantFrom(null, null, 'a', 'z'),
    preferredPools: fc.subarray(['a', 'b', 'z']),
    avoidedPools: fc.subarray(['b', 'c']),
    deviceMask: fc.constantFrom(null, null, 'GPU0'),
    allowFallback: fc.boolean(),
  });

  it('B-PL-002, B-PL-012, B-PL-013, B-DP-111: is among the feasible, and the same whatever the order of the facts', () => {
    fc.assert(
      fc.property(
        anyRequest,
        fc.array(anyPool, { maxLength: 8 }),
        fc.boolean(),
        (asked, candidates, someNodeIsAway) => {
          const verdict = placeTask(asked, { candidates, someNodeIsAway });
          const reversed = placeTask(asked, { candidates: candidates.toReversed(), someNodeIsAway });
          assert.equal(reversed.placed, verdict.placed);
          if (!verdict.placed || !reversed.placed) return;
          const { candidate } = verdict;
          assert.deepEqual(
            [reversed.candidate.poolId, reversed.candidate.nodeId],
            [candidate.poolId, candidate.nodeId],
          );
          assert.ok(!asked.avoidedPools.includes(candidate.poolId));
          assert.ok(!candidate.draining && candidate.state !== 'failed' && candidate.state !== 'offline');
          assert.ok(asked.pinnedPool === null || asked.pinnedPool === candidate.poolId);
          assert.ok(asked.deviceMask === null || asked.deviceMask === candidate.deviceMask);
          assert.ok(asked.engine === null || candidate.engine === null || asked.engine === candidate.engine);
        },
      ),
    );
  });
});
