/** What a task waits for whose pool has to wake: its steps, for the admission, and how far they are, for its stream. */
import type { MetricsData, StepProgress } from '../../contracts/events.js';
import type { preparationStep } from '../../contracts/task.js';
import type { z } from 'zod';
import { modelIdOf, shownRef } from '../../domain/model-source.js';
import { onTimeProbability } from '../../domain/on-time.js';
import { isUnfetched } from '../../domain/reload.js';
import { loadProgress, maySleep } from '../../domain/sleep.js';
import { budgetsDuring } from './budgets-during.js';
import type { Pool } from './pool-registry.js';
import type { Run } from './run.js';

type Step = z.infer<typeof preparationStep>;

/** Bytes of a model that are there, and in all. */
export interface Fetched {
  bytes: number;
  totalBytes: number | null;
}

/** How far the download of a model is; undefined while there is none. */
export type FetchedSoFar = (modelId: string) => Fetched | undefined;

/** The steps, in their order; none where the pool serves, or is started for nobody's task. */
export function preparationSteps(pool: Pool): Step[] {
  const { poolId, prepared, state, loadMs, fetches } = pool;
  if (prepared === null || !isBeingWoken(pool)) return [];
  const load: Step = {
    ...{ id: `pool:${poolId}`, kind: 'pool_warmup', group: 'pool', description: `load the pool ${poolId}` },
    ...(loadMs === null ? {} : { estimated_ms: Math.round(loadMs) }),
    status: state === 'starting' ? 'running' : 'pending',
  };
  if (fetches === null) return [load];
  const ref = shownRef(fetches);
  const status = isUnfetched({ model_path: prepared.model_path ?? '' }) ? 'pending' : 'completed';
  return [
    {
      id: `model:${ref}`,
      kind: 'model_fetch',
      group: 'model',
      description: `fetch the model ${ref}`,
      status,
    },
    load,
  ];
}

/** Milliseconds that the load still takes, by what the last one took. */
export function remainingLoadMs(pool: Pool, nowMs: number): number {
  return isBeingWoken(pool) ? (progressOf(pool, nowMs).etaMs ?? 0) : 0;
}

function isBeingWoken({ state, prepared }: Pool): boolean {
  return (state === 'asleep' || state === 'starting') && prepared !== null && maySleep(prepared);
}

function progressOf({ state, changedAtMs, loadMs: lastMs }: Pool, nowMs: number) {
  return loadProgress({ elapsedMs: state === 'starting' ? nowMs - changedAtMs : 0, lastMs });
}

/** A `metrics` event for a run that has nothing else to show. */
export function preparationFigures(
  run: Run,
  pool: Pool,
  nowMs: number,
  fetched: FetchedSoFar = () => undefined,
): MetricsData | undefined {
  const steps = preparationSteps(pool);
  if (steps.length === 0) return undefined;
  const { max_tokens: maxTokens } = run.offer.request;
  const remainingMs = run.deadlineAtMs - nowMs - remainingLoadMs(pool, nowMs);
  return {
    queue_depth: pool.scheduler.depth(),
    on_time_probability: onTimeProbability(pool.throughput.runs ?? [], {
      ...{ remainingMs, tokensOut: 0, maxTokens, timed: { tokens: 0, ms: 0 } },
    }),
    ...{ kv_warmth: false, tokens_out: 0 },
    ...budgetsDuring(run, 0),
    prep: Object.fromEntries(
      steps.map((step) => [
        step.id,
        step.kind === 'model_fetch' ? fetching(step, pool, fetched) : loading(step, pool, nowMs),
      ]),
    ),
  };
}

function fetching({ status }: Step, { fetches }: Pool, fetched: FetchedSoFar): StepProgress {
  const now = fetches === null ? undefined : fetched(modelIdOf(fetches));
  const { bytes = null, totalBytes = null } = now ?? {};
  const figures = { bytes_done: bytes, bytes_total: totalBytes, eta_ms: null };
  if (status === 'completed')
    return { ...figures, status, pct: 100, phase: 'done', human: 'the model is there' };
  const pct = bytes === null || !totalBytes ? null : Math.min(99, Math.floor((100 * bytes) / totalBytes));
  if (bytes === null) return { ...figures, status, pct, phase: 'wait', human: 'the model is asked for' };
  const share = pct === null ? `${bytes} bytes so far` : `${pct} %`;
  return { ...figures, status: 'running', pct, phase: 'fetch', human: `fetches the model, ${share}` };
}

function loading({ status }: Step, pool: Pool, nowMs: number): StepProgress {
  const none = { bytes_done: null, bytes_total: null };
  const { pct, etaMs } = progressOf(pool, nowMs);
  const eta_ms = etaMs === null ? null : Math.round(etaMs);
  if (status === 'pending')
    return { ...none, status, pct: 0, eta_ms, phase: 'wait', human: 'waits to be loaded' };
  const inWords = eta_ms === null ? 'for the first time' : `about ${(eta_ms / 1000).toFixed(1)} s to go`;
  return { ...none, status, pct, eta_ms, phase: 'load', human: `loads the model, ${inWords}` };
}
