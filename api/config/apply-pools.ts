/**
 * Brings the pools to what the configuration file says, through the same durable operations that an operator has. Nothing is
 * kept here: each step is decided by how the pool stands on its node, so that an API that dies in the middle, or several that
 * do the same, do no harm. What cannot be done now is tried again until it is, or until another file is read.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError, isRetriable } from '../../contracts/errors.js';
import {
  digestOf,
  launchOf,
  maskOf,
  type EmbeddedProgram,
  type PoolEntry,
} from '../../contracts/pool-entry.js';
import { LONGEST_DRAIN_MS, LONGEST_WAIT_MS } from '../../contracts/pool.js';
import { poolWorkflowId } from '../../domain/identity.js';
import { nextStep, nextStepWithout, type PoolStep } from '../../domain/pool-change.js';
import type { TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { DrainPool } from '../tasks/drain.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import { healthOfAll } from '../tasks/pool-health.js';
import type { OperationAnswer } from '../tasks/pool-operation.js';
import type { PreloadPool } from '../tasks/preload.js';
import type { ReloadPool } from '../tasks/reload.js';

/** What applying works with. */
export interface ApplyPoolsDeps {
  records: TaskRecords;
  board: PoolBoard;
  preloadPool: PreloadPool;
  reloadPool: ReloadPool;
  drainPool: DrainPool;
  embedded: EmbeddedProgram;
  now: () => number;
  /** Between two looks at a pool that is busy, or at what is away; default two seconds. */
  pauseMs?: number;
}

/** One file to apply. */
export interface PoolsOrder {
  entries: readonly PoolEntry[];
  /** Pools whose entries the file before did not have as they are now. */
  news: ReadonlySet<string>;
}

const PAUSE_MS = 2_000;
/** A node that has not come for so long is offline (design §7), and must not hold up what can be done without it. */
const PATIENCE_MS = 30_000;
/** Another operation on the pool runs, or another API was faster: it is looked at again. */
const BUSY = 'POOL_CONFLICT';

/** Applies the pools of one file; resolves when each is as it says or has failed, or the signal is aborted. */
export type ApplyPools = (order: PoolsOrder, context: RequestContext, signal: AbortSignal) => Promise<void>;

/** Builds it. */
export function createApplyPools(deps: ApplyPoolsDeps): ApplyPools {
  return async function applyPools({ entries, news }, context, signal) {
    const run = { deps, context, signal, giveUpNodesAtMs: deps.now() + PATIENCE_MS };
    const settled = entries.map((entry) => settle(run, { id: entry.id, entry, isNews: news.has(entry.id) }));
    await Promise.all([...settled, settleRemoved(run, new Set(entries.map(({ id }) => id)))]);
  };
}

/** One file being applied. */
interface Run {
  deps: ApplyPoolsDeps;
  context: RequestContext;
  signal: AbortSignal;
  /** Until then a node that does not answer is waited for. */
  giveUpNodesAtMs: number;
}

/** One pool of it, or one that is in it no more. */
interface Change {
  id: string;
  entry: PoolEntry | undefined;
  isNews: boolean;
}

/** Finds the pools that came from a file and are in it no more, as their nodes answer. */
async function settleRemoved(run: Run, kept: ReadonlySet<string>): Promise<void> {
  const found = new Map<string, Promise<void>>();
  for (;;) {
    const { pools, isWhole } = await lookAtAll(run);
    for (const { pool_id: id, config_digest } of pools) {
      if (config_digest === null || kept.has(id) || found.has(id)) continue;
      found.set(id, settle(run, { id, entry: undefined, isNews: false }));
    }
    if (isWhole || !(await paused(run))) break;
  }
  await Promise.all(found.values());
}

/** One step after the other, until none is left or one has failed for good. */
async function settle(run: Run, change: Change): Promise<void> {
  const { log } = run.context;
  const isOver = () => run.signal.aborted;
  while (!isOver()) {
    try {
      const step = await stepFor(run, change);
      if (step === 'none') return;
      if (step !== 'wait' && 'result' in (await carryOut(run, change, step))) continue;
    } catch (err) {
      // Another file is applied, or this API ends: what was begun goes on without it.
      if (isOver()) return;
      const told = { err, event: 'config_pool_failed', pool_id: change.id };
      if (!(err instanceof DroverError) || !(isRetriable(err.code) || err.code === BUSY)) {
        log.error(told, 'a pool of the configuration file could not be brought up to date');
        return;
      }
      log.debug(told, 'a pool of the configuration file has to wait');
    }
    if (!(await paused(run))) return;
  }
}

async function stepFor(run: Run, { id, entry, isNews }: Change): Promise<PoolStep> {
  const { pools, isWhole } = await lookAtAll(run);
  const pool = pools.find(({ pool_id }) => pool_id === id);
  if (pool === undefined && !isWhole) return 'wait'; // It may be on the node that is away.
  if (entry === undefined) return pool === undefined ? 'none' : nextStepWithout(pool);
  const wanted = { digest: digestOf(entry), device_mask: maskOf(entry), preload: entry.preload, isNews };
  if (pool === undefined) return nextStep(wanted, undefined);
  return nextStep(wanted, { ...pool, wasDrained: pool.state === 'offline' && (await wasDrained(run, id)) });
}

/** The pools of the nodes that answer, asked now; `isWhole`: no other is waited for. */
async function lookAtAll({ deps, context, giveUpNodesAtMs }: Run) {
  const reports = await deps.board.reports(context, deps.now());
  const there = reports.filter(({ pools }) => pools !== undefined);
  const isWhole = there.length === reports.length || deps.now() >= giveUpNodesAtMs;
  return { pools: healthOfAll(there), isWhole };
}

/** Whether a pool's last drain came after its last preload; histories are kept for a week. */
async function wasDrained({ deps }: Run, poolId: string): Promise<boolean> {
  const startOf = async (kind: 'drain' | 'preload') =>
    (await deps.records.operation(poolWorkflowId(poolId, kind)))?.started_at_ms ?? 0;
  const [drained, loaded] = await Promise.all([startOf('drain'), startOf('preload')]);
  return drained > loaded;
}

async function carryOut(
  { deps, context }: Run,
  { id, entry }: Change,
  step: 'preload' | 'reload' | 'drain',
): Promise<OperationAnswer<unknown>> {
  context.log.info({ event: 'config_pool', pool_id: id, step }, `the configuration file asks for a ${step}`);
  const waitMs = LONGEST_WAIT_MS;
  if (entry === undefined || step === 'drain') {
    const deadlineMs = entry?.drain_deadline_ms ?? LONGEST_DRAIN_MS;
    return deps.drainPool({ poolId: id, deadlineMs, waitMs }, context);
  }
  const { health_timeout_ms, drain_deadline_ms, supervision } = entry;
  const prepared = launchOf(entry, deps.embedded);
  if (step === 'preload')
    return deps.preloadPool(
      {
        ...{ prepared, waitMs, healthTimeoutMs: health_timeout_ms, supervision },
        asleep: entry.on_demand === true,
      },
      context,
    );
  const order = { prepared, drain_deadline_ms, health_timeout_ms, force: false, strategy: 'auto' as const };
  return deps.reloadPool(id, order, waitMs, context);
}

/** False when nobody wants the file applied any more. */
async function paused({ deps, signal }: Run): Promise<boolean> {
  try {
    await delay(deps.pauseMs ?? PAUSE_MS, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
