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
  workload: 'completion',
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
  workloads: null,
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

interface Row {
  title: string;
  asked?: Partial<PlacementRequest>;
  pools: PlacementCandidate[];
  goesTo: string;
}

const PLACED: Row[] = [
  { title: 'B-PL-014: to the only pool', pools: [pool('a')], goesTo: 'a@node-1' },
  {
    title: 'B-DP-114: to the pool `default` by the model of that name',
    asked: { modelRef: 'default' },
    pools: [pool('default')],
    goesTo: 'default@node-1',
  },
  {
    title: 'B-PL-017: where its model is, by name',
    pools: [pool('a', { modelName: 'other' }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-017: where its model is, by reference',
    asked: { modelRef: 'file:/m/demo.gguf' },
    pools: [pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-DP-119: where its engine is',
    pools: [pool('a', { engine: 'vllm' }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-DP-119: to any engine if it named none',
    asked: { engine: null },
    pools: [pool('a', { engine: 'vllm' })],
    goesTo: 'a@node-1',
  },
  {
    title: 'B-PL-001: where its context fits',
    asked: { ctx: 8000 },
    pools: [pool('a'), pool('b', { ctxMax: 8192 })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-001: where its workload is done, also where that is not known yet',
    asked: { workload: 'embedding' },
    pools: [pool('a', { workloads: ['completion'] }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'where its workload is done, for completions too',
    pools: [pool('a', { workloads: ['embedding', 'rerank'] }), pool('b', { workloads: ['completion'] })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-013: where the device mask is',
    asked: { deviceMask: 'GPU1' },
    pools: [pool('a'), pool('b', { deviceMask: 'GPU1' })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-DEVICE-014: where the devices of its mask are, in whatever order and spelling',
    asked: { deviceMask: '0,1' },
    pools: [pool('a', { deviceMask: '0' }), pool('b', { deviceMask: 'GPU1,GPU0' })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-012: nowhere that it avoids',
    asked: { avoidedPools: ['a'] },
    pools: [pool('a', { slotsFree: 9 }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-005, B-DP-114: to its pin, though others are freer',
    asked: { pinnedPool: 'a' },
    pools: [pool('a', { slotsFree: 0 }), pool('b')],
    goesTo: 'a@node-1',
  },
  {
    title: 'B-PL-009: to a preferred pool',
    asked: { preferredPools: ['b'] },
    pools: [pool('a', { slotsFree: 9 }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-010: to any when no preferred one is there',
    asked: { preferredPools: ['z'] },
    pools: [pool('a')],
    goesTo: 'a@node-1',
  },
  {
    title: 'B-DP-052: past a draining pool',
    pools: [pool('a', { state: 'draining', draining: true }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-DP-112: to a ready pool before one that starts',
    pools: [pool('a', { state: 'starting' }), pool('b', { slotsFree: 0 })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-DP-112: to a starting pool if there is no other',
    pools: [pool('a', { state: 'starting' })],
    goesTo: 'a@node-1',
  },
  {
    title: 'B-PL-002, B-BG-021: where most slots are free',
    pools: [pool('default'), pool('b', { slotsFree: 3 })],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-002: to the shorter queue when slots are equal',
    pools: [pool('a', { queueDepth: 4 }), pool('b')],
    goesTo: 'b@node-1',
  },
  {
    title: 'B-PL-002: to the first by name when all is equal',
    pools: [pool('b'), pool('a'), pool('a', { nodeId: 'node-0' })],
    goesTo: 'a@node-0',
  },
];

describe('a task goes', () => {
  for (const { title, asked, pools, goesTo } of PLACED) {
    it(title, () => assert.equal(verdictOf(request(asked), facts(...pools)), goesTo));
  }
});

interface RefusedRow {
  title: string;
  asked?: Partial<PlacementRequest>;
  pools: PlacementCandidate[];
  problem: PlacementProblem;
}

const REFUSED: RefusedRow[] = [
  {
    title: 'B-PL-006: its pin is no pool',
    asked: { pinnedPool: 'z' },
    pools: [pool('a')],
    problem: 'unknown_pinned_pool',
  },
  {
    title: 'B-DP-119: its pin runs another engine',
    asked: { pinnedPool: 'a', engine: 'vllm' },
    pools: [pool('a'), pool('b', { engine: 'vllm' })],
    problem: 'pinned_pool_runs_another_engine',
  },
  {
    title: 'B-PL-007: its pin is not ready, though another pool is',
    asked: { pinnedPool: 'a' },
    pools: [pool('a', { state: 'offline' }), pool('b')],
    problem: 'pool_not_ready',
  },
  {
    title: 'B-DP-047, C-014: nobody has its model, and no other model will do',
    asked: { modelRef: 'nobody' },
    pools: [pool('a')],
    problem: 'no_pool_serves_model',
  },
  {
    title: 'the pool `default` is not loaded',
    asked: { modelRef: 'default' },
    pools: [pool('a')],
    problem: 'default_pool_not_loaded',
  },
  {
    title: 'B-DP-119: its model runs on another engine',
    asked: { engine: 'tgi' },
    pools: [pool('a')],
    problem: 'no_pool_runs_engine',
  },
  {
    title: 'B-DP-041: its context is larger than any',
    asked: { ctx: 4097 },
    pools: [pool('a')],
    problem: 'ctx_beyond_every_pool',
  },
  {
    title: 'B-DP-041: its context is larger than the fallback ceiling',
    asked: { ctx: 32_769 },
    pools: [pool('a', { ctxMax: null })],
    problem: 'ctx_beyond_every_pool',
  },
  {
    title: 'B-PL-012: it avoids the only pool',
    asked: { avoidedPools: ['a'] },
    pools: [pool('a')],
    problem: 'excluded_by_request',
  },
  {
    title: 'B-PL-011: no preferred pool can, and it takes no other',
    asked: { preferredPools: ['z'], allowFallback: false },
    pools: [pool('a')],
    problem: 'no_preferred_feasible',
  },
  {
    title: 'B-DP-052: the only pool is draining',
    pools: [pool('a', { state: 'draining', draining: true })],
    problem: 'pool_draining',
  },
  {
    title: 'B-DP-052: one pool is draining, the other is off',
    pools: [pool('a', { state: 'draining', draining: true }), pool('b', { state: 'offline' })],
    problem: 'pool_not_ready',
  },
  {
    title: 'B-DP-005: the only pool has failed',
    pools: [pool('a', { state: 'failed' })],
    problem: 'pool_failed',
  },
];

describe('a task is refused because', () => {
  for (const { title, asked, pools, problem } of REFUSED) {
    it(title, () => assert.equal(verdictOf(request(asked), facts(...pools)), problem));
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
    workloads: fc.constantFrom(null, ['completion'], ['completion', 'embedding'], ['embedding']),
    ctxMax: fc.constantFrom(2048, 4096, null),
    deviceMask: fc.constantFrom('GPU0', null),
  });
  const anyRequest = fc.record({
    modelRef: fc.constantFrom('demo', 'default', 'nobody'),
    engine: fc.constantFrom('llamacpp', 'vllm', null),
    workload: fc.constantFrom('completion', 'embedding'),
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
          assert.ok(candidate.workloads?.includes(asked.workload) ?? true);
          assert.ok(asked.engine === null || candidate.engine === null || asked.engine === candidate.engine);
        },
      ),
    );
  });
});
