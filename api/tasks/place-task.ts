/** Placement of a request: the nodes' reports go to `domain/placement.ts`, its verdict becomes a node and a pool, or a refusal. */
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import type { PoolStatus } from '../../contracts/pool.js';
import {
  placeTask,
  type PlacementCandidate,
  type PlacementFacts,
  type PlacementPolicy,
  type PlacementProblem,
  type PlacementRequest,
  type PlacementVerdict,
} from '../../domain/placement.js';
import { leastLoaded } from '../../domain/placement-strategy.js';
import type { Logger } from '../../telemetry/logger.js';
import { story } from '../../telemetry/narration.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { CallContext } from '../clients/node-link.js';
import type { AskedTask } from './admit-task.js';
import type { NodeReport, PoolBoard } from './pool-board.js';
import { SessionHomes, type HomeUse } from './session-homes.js';

/** What placement is given. */
export interface PlacerDeps {
  board: PoolBoard;
  metrics: Metrics;
  now: () => number;
  policy: PlacementPolicy;
}

/** How long a client waits before it asks again for a pool that is not ready. */
const RETRY_AFTER_MS = 1_000;

/** Chooses the pool and node of a request, any node but `without`. @throws DroverError with the reason for the client */
export function createPlacer({ board, metrics, now, policy }: PlacerDeps) {
  const homes = new SessionHomes();
  const { choose = leastLoaded, pinning = true } = policy;

  return async function place(
    request: AskedTask['request'],
    call: CallContext & { log: Pick<Logger, 'debug'> },
    without?: string,
  ): Promise<PlacementCandidate> {
    const asked = placementRequestOf(request);
    const beganAtMs = now();
    // What has been accepted already is refused by no node: where it goes must be true now.
    const notBeforeMs = without === undefined ? 0 : beganAtMs;
    const { session_id: session } = request;
    const how = { choose: homes.chooserFor(session, choose), pinning };
    const verdictOn = (reports: readonly NodeReport[]) => placeTask(asked, factsOf(reports, without), how);
    let reports = await board.reports(call, notBeforeMs);
    let verdict = verdictOn(reports);
    const isReckoned = reports.some(({ placedSince }) => placedSince.size > 0);
    if (!verdict.placed || (isReckoned && homes.isElsewhere(session, verdict.candidate))) {
      // What was kept said no, or that the session's engine is taken by tasks that may have ended: what the nodes say now decides.
      reports = await board.reports(call, beganAtMs);
      verdict = verdictOn(reports);
    }
    const home = verdict.placed ? homes.placed(session, verdict.candidate) : 'none';
    note(verdict, home, call.log);
    if (verdict.placed) {
      const { nodeId, poolId } = verdict.candidate;
      board.placed(nodeId, poolId);
      return verdict.candidate;
    }
    const cause_code =
      verdict.problem === 'node_away' ? reports.find(({ problem }) => problem)?.problem : undefined;
    throw refusalOf(verdict.problem, request, { ...verdict, cause_code });
  };

  function note(
    { placed, trace, ...verdict }: PlacementVerdict,
    home: HomeUse,
    log: Pick<Logger, 'debug'>,
  ): void {
    metrics.placementDecisions.inc({
      outcome: placed ? 'assigned' : 'no_capacity',
      pinned: String(trace.pinned),
      fallback: String(trace.fallbackUsed),
    });
    metrics.placementCandidates.set(trace.candidatesConsidered);
    const poolId = 'candidate' in verdict ? verdict.candidate.poolId : null;
    log.debug(
      {
        event: 'placement',
        ...story('orchestratord', 'placement', poolId ?? 'task', placementInWords(poolId, trace)),
        selected_pool_id: poolId,
        ...('problem' in verdict ? { problem: verdict.problem } : {}),
        candidates_considered: trace.candidatesConsidered,
        filters_applied: trace.filtersApplied,
        tie_breakers_applied: trace.tieBreakersApplied,
        pinned: trace.pinned,
        fallback_used: trace.fallbackUsed,
        // What an engine remembers of a session never moves: elsewhere it begins cold.
        ...(home === 'left' ? { kv_warmth: false, kv_migrated: false } : {}),
      },
      placed ? 'task placed' : 'task not placed',
    );
  }
}

function placementInWords(
  poolId: string | null,
  { candidatesConsidered }: PlacementVerdict['trace'],
): string {
  if (poolId === null) return `finds no pool for the task among ${candidatesConsidered}`;
  return `gives the task to the best of ${candidatesConsidered} pools`;
}

function placementRequestOf({
  model_ref,
  engine,
  workload,
  ctx,
  placement,
}: AskedTask['request']): PlacementRequest {
  return {
    modelRef: model_ref,
    engine: engine ?? null,
    workload,
    ctx,
    pinnedPool: placement?.pin_pool_id ?? null,
    preferredPools: placement?.mode === 'prefer' ? (placement.prefer_pools ?? []) : [],
    avoidedPools: placement?.avoid_pools ?? [],
    deviceMask: placement?.require_device_mask ?? null,
    allowFallback: placement?.allow_fallback ?? true,
  };
}

function factsOf(reports: readonly NodeReport[], without?: string): PlacementFacts {
  const eligible = reports.filter(({ nodeId }) => nodeId !== without);
  const candidates = eligible.flatMap(({ nodeId, pools, drains, placedSince }) =>
    (pools ?? []).map((pool) => ({
      nodeId,
      poolId: pool.pool_id,
      state: pool.state,
      draining: pool.draining || drains,
      ...loadOf(pool, placedSince.get(pool.pool_id) ?? 0),
      engine: pool.engine,
      modelRef: pool.model_ref,
      modelName: pool.model_name,
      ctxMax: pool.ctx_max,
      workloads: pool.workloads,
      deviceMask: pool.device_mask,
    })),
  );
  const someNodeIsAway = reports.length === 0 || reports.some(({ pools }) => pools === undefined);
  return { candidates, someNodeIsAway };
}

/** Its load with the tasks that it was given since it told of it: a burst spreads, though nobody is asked in between. */
function loadOf({ slots_free, queue_depth }: PoolStatus, placedSince: number) {
  const free = slots_free ?? 0;
  return {
    slotsFree: Math.max(0, free - placedSince),
    queueDepth: queue_depth + Math.max(0, placedSince - free),
  };
}

const REFUSALS: Record<PlacementProblem, { code: ErrorCode; field?: string; message: string }> = {
  pinning_is_off: {
    code: 'INVALID_PARAMS',
    field: 'placement.pin_pool_id',
    message: 'this installation places every task itself',
  },
  unknown_pinned_pool: {
    code: 'INVALID_PARAMS',
    field: 'placement.pin_pool_id',
    message: 'there is no such pool',
  },
  pinned_pool_runs_another_engine: {
    code: 'INVALID_PARAMS',
    field: 'engine',
    message: 'the pinned pool runs another engine',
  },
  no_pool_runs_engine: {
    code: 'INVALID_PARAMS',
    field: 'engine',
    message: 'no pool serves this model with this engine',
  },
  no_pool_does_workload: {
    code: 'INVALID_PARAMS',
    field: 'workload',
    message: 'no pool that serves this model does this workload',
  },
  ctx_beyond_every_pool: {
    code: 'INVALID_PARAMS',
    field: 'ctx',
    message: 'ctx is larger than the context of the pool',
  },
  no_pool_serves_model: { code: 'MODEL_NOT_FOUND', message: 'no pool serves this model' },
  default_pool_not_loaded: { code: 'POOL_UNREADY', message: 'the pool "default" is not loaded' },
  excluded_by_request: {
    code: 'POOL_UNREADY',
    message: 'the request excludes every pool that serves the model',
  },
  no_preferred_feasible: { code: 'POOL_UNREADY', message: 'no preferred pool can take the task' },
  pool_not_ready: { code: 'POOL_UNREADY', message: 'the pool is not ready' },
  pool_draining: { code: 'POOL_UNREADY', message: 'the pool is draining and takes no new task' },
  pool_failed: { code: 'POOL_UNAVAILABLE', message: 'the engine of the pool has failed' },
  node_away: { code: 'POOL_UNAVAILABLE', message: 'the node of the pool cannot be reached' },
};

function refusalOf(
  problem: PlacementProblem,
  { engine }: AskedTask['request'],
  {
    poolId,
    ctxMax,
    cause_code,
  }: { poolId: string | null; ctxMax: number | null; cause_code: string | undefined },
): DroverError {
  const { code, field, message } = REFUSALS[problem];
  const text = problem === 'ctx_beyond_every_pool' ? `${message}, ${ctxMax} tokens` : message;
  return new DroverError(code, text, {
    ...(engine === undefined ? {} : { engine }),
    ...(poolId === null ? {} : { pool_id: poolId }),
    ...(field === undefined ? {} : { details: [{ field, problem: text }] }),
    ...(cause_code === undefined ? {} : { details: { cause_code } }),
    ...(code === 'POOL_UNREADY' || code === 'POOL_UNAVAILABLE'
      ? { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' }
      : {}),
  });
}
