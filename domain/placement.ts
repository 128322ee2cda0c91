/**
 * Where a task goes: facts about the request and about every pool of every node in, one verdict out (B-PL-001..014).
 * Filters come before scoring, in the order in which a client can act on them: what it asked for wrongly, then what is
 * not there, then what is not ready. Equal facts give the equal verdict.
 */
import { sameDevices } from './device-mask.js';
import { DEFAULT_MODEL, servesModel } from './model-ref.js';
import { leastLoaded, type Chooser } from './placement-strategy.js';
import { takesTasks, type PoolState } from './pool.js';

/** Context that is assumed where a pool does not report its own (B-DP-041). */
export const FALLBACK_CTX_MAX = 32_768;

/** What placement reads of a request. */
export interface PlacementRequest {
  modelRef: string;
  /** Null takes whichever serves the model. */
  engine: string | null;
  /** What the engine shall do. */
  workload: string;
  /** Context that is asked for; 0 takes the pool's. */
  ctx: number;
  /** Only this pool may serve. */
  pinnedPool: string | null;
  preferredPools: readonly string[];
  avoidedPools: readonly string[];
  /** Only pools whose mask names exactly these devices (B-DEVICE-014). */
  deviceMask: string | null;
  /** Whether other pools may serve when no preferred one can. */
  allowFallback: boolean;
}

/** A pool on a node, as the node reported it. */
export interface PlacementCandidate {
  nodeId: string;
  poolId: string;
  state: PoolState;
  draining: boolean;
  slotsFree: number;
  queueDepth: number;
  engine: string | null;
  modelRef: string | null;
  modelName: string | null;
  ctxMax: number | null;
  /** What its engine does; null: not known. */
  workloads: readonly string[] | null;
  deviceMask: string | null;
}

/** All that is known when a task is placed. */
export interface PlacementFacts {
  candidates: readonly PlacementCandidate[];
  /** True when some node could not be asked, so that a pool may exist that nobody sees now. */
  someNodeIsAway: boolean;
}

/** Why a task cannot be placed; `placeTask` says which of them first applies. */
export type PlacementProblem =
  | 'pinning_is_off'
  | 'unknown_pinned_pool'
  | 'pinned_pool_runs_another_engine'
  | 'no_pool_serves_model'
  | 'default_pool_not_loaded'
  | 'no_pool_runs_engine'
  | 'no_pool_does_workload'
  | 'ctx_beyond_every_pool'
  | 'excluded_by_request'
  | 'no_preferred_feasible'
  | 'pool_not_ready'
  | 'pool_draining'
  | 'pool_failed'
  | 'node_away';

/** What was weighed, for the decision log (B-PL-015). */
export interface PlacementTrace {
  candidatesConsidered: number;
  filtersApplied: readonly string[];
  tieBreakersApplied: readonly string[];
  pinned: boolean;
  fallbackUsed: boolean;
}

/** The verdict. A refusal may name the pool it is about, and the largest context that could have been had. */
export type PlacementVerdict = { trace: PlacementTrace } & (
  | { placed: true; candidate: PlacementCandidate }
  | { placed: false; problem: PlacementProblem; poolId: string | null; ctxMax: number | null }
);

/** What the installation has decided about placement. */
export interface PlacementPolicy {
  /** Default: the least loaded. */
  choose?: Chooser;
  /** Whether requests may name the pool that must serve them; default true. */
  pinning?: boolean;
}

interface Filter {
  name: string;
  problem: PlacementProblem;
  keeps: (candidate: PlacementCandidate) => boolean;
}

/** Places a task, or says why it cannot be placed. */
export function placeTask(
  request: PlacementRequest,
  facts: PlacementFacts,
  { choose = leastLoaded, pinning = true }: PlacementPolicy = {},
): PlacementVerdict {
  const pinned = request.pinnedPool !== null;
  const applied: string[] = [];
  const trace = (considered: number, fallbackUsed = false, tieBreakersApplied: string[] = []) => ({
    candidatesConsidered: considered,
    filtersApplied: applied,
    tieBreakersApplied,
    pinned,
    fallbackUsed,
  });
  if (pinned && !pinning)
    return { placed: false, problem: 'pinning_is_off', poolId: null, ctxMax: null, trace: trace(0) };
  let left = facts.candidates;
  for (const filter of filtersFor(request)) {
    const kept = left.filter(filter.keeps);
    if (kept.length < left.length) applied.push(filter.name);
    if (kept.length === 0) {
      const problem = problemOf(filter, left, request, facts);
      const poolId = pinned ? request.pinnedPool : (left.length === 1 && left[0]?.poolId) || null;
      return { placed: false, problem, poolId, ctxMax: largestCtx(left), trace: trace(left.length) };
    }
    left = kept;
  }
  const preferred = left.filter(({ poolId }) => request.preferredPools.includes(poolId));
  const fallbackUsed = request.preferredPools.length > 0 && preferred.length === 0;
  if (fallbackUsed && !request.allowFallback) {
    const problem = 'no_preferred_feasible';
    return { placed: false, problem, poolId: null, ctxMax: null, trace: trace(left.length) };
  }
  const { candidate, tieBreakers } = choose(preferred.length > 0 ? preferred : left);
  return { placed: true, candidate, trace: trace(left.length, fallbackUsed, tieBreakers) };
}

function filtersFor(request: PlacementRequest): Filter[] {
  const { pinnedPool, avoidedPools, deviceMask } = request;
  const byModel: Filter = { name: 'model', problem: 'no_pool_serves_model', keeps: serves(request.modelRef) };
  const byEngine: Filter = {
    name: 'engine',
    problem: pinnedPool === null ? 'no_pool_runs_engine' : 'pinned_pool_runs_another_engine',
    keeps: ({ engine }) => request.engine === null || engine === null || engine === request.engine,
  };
  const first: Filter[] =
    pinnedPool === null
      ? [byModel, byEngine]
      : [
          { name: 'pin', problem: 'unknown_pinned_pool', keeps: ({ poolId }) => poolId === pinnedPool },
          byEngine,
          byModel,
        ];
  return [
    ...first,
    {
      name: 'workload',
      problem: 'no_pool_does_workload',
      keeps: ({ workloads }) => workloads === null || workloads.includes(request.workload),
    },
    { name: 'ctx', problem: 'ctx_beyond_every_pool', keeps: (c) => request.ctx <= ctxOf(c) },
    { name: 'avoid', problem: 'excluded_by_request', keeps: ({ poolId }) => !avoidedPools.includes(poolId) },
    {
      name: 'device_mask',
      problem: 'excluded_by_request',
      keeps: (c) => deviceMask === null || sameDevices(c.deviceMask, deviceMask),
    },
    { name: 'readiness', problem: 'pool_not_ready', keeps: (c) => takesTasks(c.state) && !c.draining },
  ];
}

function serves(modelRef: string): Filter['keeps'] {
  return ({ poolId, modelRef: served, modelName }) =>
    served !== null && servesModel({ poolId, modelRef: served, modelName }, modelRef);
}

function problemOf(
  { problem }: Filter,
  left: readonly PlacementCandidate[],
  { modelRef }: PlacementRequest,
  { someNodeIsAway }: PlacementFacts,
): PlacementProblem {
  if (problem === 'pool_not_ready') {
    if (left.every(({ draining }) => draining)) return 'pool_draining';
    return left.every(({ state }) => state === 'failed') ? 'pool_failed' : problem;
  }
  if (someNodeIsAway) return 'node_away';
  return problem === 'no_pool_serves_model' && modelRef === DEFAULT_MODEL
    ? 'default_pool_not_loaded'
    : problem;
}

function ctxOf({ ctxMax }: PlacementCandidate): number {
  return ctxMax ?? FALLBACK_CTX_MAX;
}

function largestCtx(candidates: readonly PlacementCandidate[]): number | null {
  return candidates.length === 0 ? null : Math.max(...candidates.map(ctxOf));
}
