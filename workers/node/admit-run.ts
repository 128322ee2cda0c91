/** What an offer must pass before it is recorded: a pool that can serve it, a prompt that fits, a deadline that can be met. */
import type { IdsAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import { engineFailure } from '../../activities/engine/adapters/engine-failure.js';
import { NotOfferedError } from '../../activities/engine/adapters/vectors.js';
import { DroverError } from '../../contracts/errors.js';
import { isPrompt, type RunInput, type RunOffer } from '../../contracts/node.js';
import type { Admission, Workload } from '../../contracts/task.js';
import { isInfeasible, predictedStartMs } from '../../domain/estimate.js';
import { takesTasks } from '../../domain/pool.js';
import type { Displacement, FullQueuePolicy } from './displacement.js';
import { openUntilMs } from './engine-circuits.js';
import type { Pool, Replica } from './pool-registry.js';
import { preparationSteps, remainingLoadMs } from './preparation.js';

/** Advice of a refusal that time may mend. */
const RETRY = { retry_after_ms: 1000 };
/** An engine cuts a megabyte in a fraction of a second; whoever offers a task waits 10 s for our answer. */
const TOKENIZE_LIMIT_MS = 5_000;

/**
 * @throws DroverError POOL_NOT_FOUND; POOL_UNREADY / POOL_UNAVAILABLE when the pool is not on its way to ready, or all its
 * engines fail at every task
 */
export function requireServingPool(pool: Pool | undefined, offer: RunOffer, nowMs: number): Pool {
  if (pool === undefined) throw noSuchPool();
  const whose = { pool_id: pool.poolId, engine: offer.request.engine, policy_label: 'retry' };
  const triedAtMs = openUntilMs(pool);
  if (triedAtMs !== undefined) {
    const retry_after_ms = Math.max(1, triedAtMs - nowMs);
    throw new DroverError('POOL_UNAVAILABLE', 'the engines of the pool fail', { ...whose, retry_after_ms });
  }
  if (takesTasks(pool.state)) return pool;
  const code = pool.state === 'failed' ? 'POOL_UNAVAILABLE' : 'POOL_UNREADY';
  throw new DroverError(code, `the pool is ${pool.state}`, { ...RETRY, ...whose });
}

/**
 * Ids of the prompt, when an engine is up to ask; null while the pool is on its way, or where its engine takes text.
 * @throws DroverError INVALID_PARAMS when the prompt has no tokens, or prompt and `max_tokens` do not fit the context (B-DP-043); POOL_UNAVAILABLE when
 * the engine breaks off or stands still: nothing was begun, so the client may come again
 */
export async function fittingPromptIds(
  pool: Pool,
  offer: RunOffer,
  limitMs: number,
): Promise<number[] | null> {
  const [replica] = pool.replicas.values();
  const { input, request } = offer;
  if (replica !== undefined) requireOffered(replica, request.workload);
  // Inputs are cut by the engine alone, which says which of them does not fit.
  if (!isPrompt(input)) return null;
  // An engine that takes text alone says itself what does not fit.
  if (replica?.adapter.takes !== 'ids') return null;
  const { adapter } = replica;
  const whose = { pool_id: offer.pool_id, engine: request.engine };
  const patienceMs = Math.min(limitMs, TOKENIZE_LIMIT_MS);
  const ids = await answered(checkedIds(offer, input, adapter, AbortSignal.timeout(patienceMs)), whose);
  const { ctx, max_tokens } = request;
  const limit = Math.min(ctx === 0 ? Infinity : ctx, pool.prepared?.ctx_max ?? Infinity);
  const wanted = offer.fit_context === true ? 1 : max_tokens;
  if (ids.length + wanted <= limit) return ids;
  const problem = `prompt (${ids.length} tokens) and max_tokens (${wanted}) exceed the context of ${limit} tokens`;
  throw new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'max_tokens', problem }] });
}

/** @throws NotOfferedError for what this engine is known not to do */
function requireOffered({ adapter, workloads }: Replica, workload: Workload): void {
  const isUnknown =
    (workload === 'embedding' && adapter.embed === undefined) ||
    (workload === 'rerank' && adapter.rerank === undefined);
  if (isUnknown || workloads?.includes(workload) === false) throw new NotOfferedError(workload);
}

/**
 * How many tokens the pool's engine cuts an input into.
 * @throws DroverError POOL_NOT_FOUND; POOL_UNREADY while no engine is up; INVALID_PARAMS where the engine takes text and tells no
 * tokens; POOL_UNAVAILABLE when it does not answer
 */
export async function countTokensOf(pool: Pool | undefined, input: RunInput): Promise<number> {
  if (pool === undefined) throw noSuchPool();
  const [replica] = pool.replicas.values();
  const engine = replica?.engine.prepared.engine;
  const whose = { pool_id: pool.poolId, ...(engine === undefined ? {} : { engine }) };
  if (replica === undefined)
    throw new DroverError('POOL_UNREADY', `the pool is ${pool.state}`, { ...RETRY, ...whose });
  const { adapter } = replica;
  if (adapter.takes === 'ids')
    return (await answered(adapter.tokenize(input, AbortSignal.timeout(TOKENIZE_LIMIT_MS)), whose)).length;
  const problem = 'the engine of this model takes text, and tells nobody its tokens';
  throw new DroverError('INVALID_PARAMS', problem, { ...whose, details: [{ field: 'model', problem }] });
}

function noSuchPool(): DroverError {
  return new DroverError('POOL_NOT_FOUND', 'this node has no such pool');
}

/** What an engine is asked before anything is begun: when it breaks off, or stands still, the client may come again. */
async function answered<T>(asked: Promise<T>, whose: { pool_id: string; engine?: string }): Promise<T> {
  try {
    return await asked;
  } catch (err) {
    const failure = engineFailure(err);
    if (failure.code !== 'WORKER_RESET') throw failure;
    const advice = { ...RETRY, ...whose, policy_label: 'retry' };
    throw new DroverError('POOL_UNAVAILABLE', 'the engine of the pool does not answer', advice, {
      cause: err,
    });
  }
}

/**
 * The ids of a prompt.
 * @throws DroverError INVALID_PARAMS where there are none, for an engine has nothing to go on from then, and for what the
 * engine says beforehand that it does not do
 */
export async function checkedIds(
  { request: { logprobs } }: RunOffer,
  input: RunInput,
  adapter: IdsAdapter,
  signal: AbortSignal,
): Promise<number[]> {
  await adapter.check?.({ input, logprobs }, signal);
  const ids = await adapter.tokenize(input, signal);
  if (ids.length > 0) return ids;
  const problem = 'prompt: has no tokens for this model to go on from';
  throw new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'prompt', problem }] });
}

/** @throws DroverError DEADLINE_UNMET when what was measured says that the task cannot end in time (B-DP-051) */
export function requireFeasible(pool: Pool, offer: RunOffer, admission: Admission): void {
  const { request } = offer;
  const likely = request.expected_tokens ?? likelyTokens(pool, offer);
  const tokens = isPrompt(offer.input) ? Math.min(likely, request.max_tokens) : 0;
  const task = { predictedStartMs: admission.predicted_start_ms, tokens, deadlineMs: request.deadline_ms };
  if (!isInfeasible(pool.throughput, task)) return;
  const whose = { pool_id: pool.poolId, engine: request.engine };
  throw new DroverError(
    'DEADLINE_UNMET',
    'the deadline cannot be met at the measured pace of the pool',
    whose,
  );
}

/** A ceiling says nothing of what a task will take; what tasks of this pool took does. */
function likelyTokens({ throughput }: Pool, { fit_context, request }: RunOffer): number {
  return fit_context === true ? (throughput.tokensOut ?? 0) : request.max_tokens;
}

/** The refusal of a full queue: under `reject` of everybody, under `drop-lru` of who may displace nobody (B-DP-013, B-DP-066). */
function queueFull(pool: Pool, offer: RunOffer, policy: FullQueuePolicy, nowMs: number): DroverError {
  const { poolId, retryAdvice, scheduler, throughput } = pool;
  const advice = {
    retry_after_ms: retryAdvice.adviseMs(nowMs, throughput, scheduler.slotsTotal),
    ...{ pool_id: poolId, engine: offer.request.engine, policy_label: policy },
  };
  return policy === 'drop-lru'
    ? new DroverError('QUEUE_FULL_DROP_LRU', 'the queue of the pool is full of tasks that go before', advice)
    : new DroverError('ADMISSION_REJECT', 'the queue of the pool is full', advice);
}

/** @throws DroverError REPLICA_EXHAUSTED for a task that may not wait, where no slot is free for it (B-PL-019) */
function requireSlot(
  { poolId, retryAdvice, scheduler, throughput }: Pool,
  { request }: RunOffer,
  nowMs: number,
) {
  if (request.may_wait !== false || scheduler.hasSlot) return;
  throw new DroverError(
    'REPLICA_EXHAUSTED',
    'no engine of the pool has a free slot, and the task may not wait',
    {
      retry_after_ms: retryAdvice.adviseMs(nowMs, throughput, scheduler.slotsTotal),
      ...{ pool_id: poolId, engine: request.engine, policy_label: 'retry' },
    },
  );
}

/**
 * @throws DroverError as {@link queueFull}, when the queue is full and nobody would go for this task; REPLICA_EXHAUSTED where it
 * may not wait
 */
export function requireRoom(pool: Pool, offer: RunOffer, displacement: Displacement, nowMs: number): void {
  requireSlot(pool, offer, nowMs);
  if (pool.scheduler.hasRoom) return;
  if (displacement.victimFor(pool.scheduler, offer.request.priority) === undefined) {
    throw queueFull(pool, offer, displacement.policy, nowMs);
  }
}

/**
 * Puts the task into its pool's queue; in a full one on the promise of somebody's place.
 * @param accepted - it was accepted before, and is never refused for room
 * @throws DroverError as {@link requireRoom}
 */
export function takePlace(
  pool: Pool,
  offer: RunOffer,
  accepted: boolean,
  displacement: Displacement,
  nowMs: number,
): Admission {
  const { scheduler } = pool;
  const { task_id, request } = offer;
  if (!accepted) requireSlot(pool, offer, nowMs);
  const isFull = !accepted && !scheduler.hasRoom;
  const victim = isFull ? displacement.victimFor(scheduler, request.priority) : undefined;
  const position = scheduler.enqueue(task_id, request.priority, accepted || victim !== undefined);
  if (position === null) throw queueFull(pool, offer, displacement.policy, nowMs);
  if (victim === undefined) return admissionAt(pool, position, nowMs);
  displacement.promise(task_id);
  const isVictimAhead = (scheduler.position(victim) ?? Infinity) < position;
  return admissionAt(pool, isVictimAhead ? position - 1 : position, nowMs);
}

/** What admission at this place promises. */
function admissionAt(pool: Pool, position: number, nowMs: number): Admission {
  const { scheduler, throughput } = pool;
  const { slotsTotal, slotsFree } = scheduler;
  const startMs = predictedStartMs(throughput, { position, slotsTotal, slotsFree });
  return {
    queue_position: position,
    predicted_start_ms: Math.round(remainingLoadMs(pool, nowMs)) + startMs,
    backoff_ms: 0,
    preparation: { steps: preparationSteps(pool) },
  };
}
