/**
 * The runs of this node: offers, confirmations, tombstones, dispatch and ends. One owner: every change of a run goes
 * through here, and a pool's scheduler calls back into {@link RunRegister.dispatch}.
 */
import { join } from 'node:path';
import type { RunKeeper } from '../../activities/deps.js';
import { DroverError, type ErrorEnvelope } from '../../contracts/errors.js';
import type { RunOffer, RunView } from '../../contracts/node.js';
import type { Admission } from '../../contracts/task.js';
import { runLogFileName } from '../../domain/identity.js';
import { isInfeasible, predictedStartMs } from '../../domain/estimate.js';
import { mayBecomeReady } from '../../domain/pool.js';
import type { CancelReason, TaskState } from '../../domain/task.js';
import type { KeyRing } from '../../security/payload-keys.js';
import type { Logger } from '../../telemetry/logger.js';
import { executeRun } from './execute-run.js';
import type { Pool, PoolRegistry } from './pool-registry.js';
import { openRunLog } from './run-log.js';
import { Run, type RunEnd } from './run.js';
import type { RunMetrics, RunLabels } from './run-metrics.js';
import { armAt, Tombstones } from './timers.js';

/** What the register is given. */
export interface RunRegisterDeps {
  nodeId: string;
  runsDir: string;
  ring: KeyRing;
  pools: () => PoolRegistry;
  metrics: RunMetrics;
  log: Logger;
  now: () => number;
  offerTtlMs: number;
  tombstoneMs: number;
  metricsFrameMs: number;
}

/** An engine that was told to stop and did not is let go after this long: the slot is taken back (B-DP-210). */
const CANCEL_LIMIT_MS = 5_000;
/** Sessions whose warmth is remembered a node; the oldest are forgotten first. */
const WARM_SESSIONS = 10_000;

const END_OF_CANCEL: Record<CancelReason, { queued: RunEndSpec; running: RunEndSpec }> = {
  client: { queued: ['cancelled', 'CANCELLED'], running: ['cancelled', 'CANCELLED'] },
  disconnect: { queued: ['cancelled', 'CANCELLED'], running: ['cancelled', 'CANCELLED'] },
  admin: { queued: ['cancelled', 'CANCELLED'], running: ['cancelled', 'CANCELLED'] },
  deadline: { queued: ['expired', 'DEADLINE_UNMET'], running: ['failed', 'DECODE_TIMEOUT'] },
  watchdog: { queued: ['expired', 'DEADLINE_UNMET'], running: ['failed', 'DECODE_TIMEOUT'] },
};
type RunEndSpec = [TaskState, 'CANCELLED' | 'DEADLINE_UNMET' | 'DECODE_TIMEOUT'];

const END_MESSAGES = {
  CANCELLED: 'the task was cancelled',
  DEADLINE_UNMET: 'the deadline passed while the task waited in the queue',
  DECODE_TIMEOUT: 'the deadline passed while the task was running (stage execution)',
};

/** Register of this node's runs. */
export class RunRegister implements RunKeeper {
  private readonly runs = new Map<string, Run>();
  private readonly executions = new Map<string, Promise<void>>();
  private readonly disarm = new Map<string, () => void>();
  private readonly tombstones: Tombstones;
  private readonly warm = new Set<string>();
  private nextSequence = 1;
  private closing = false;

  constructor(private readonly deps: RunRegisterDeps) {
    this.tombstones = new Tombstones(deps.tombstoneMs, deps.now);
  }

  get(taskId: string): Run | undefined {
    return this.runs.get(taskId);
  }

  view(taskId: string): RunView | undefined {
    const run = this.runs.get(taskId);
    return run === undefined ? undefined : this.viewOf(run);
  }

  /** @throws DroverError TASK_NOT_FOUND */
  mustView(taskId: string): RunView {
    return this.viewOf(this.mustGet(taskId));
  }

  /** A fresh offer of the API: validated, queued and recorded, not yet confirmed (design §2.1). */
  async offer(offer: RunOffer): Promise<RunView> {
    const known = this.sameRun(offer);
    if (known !== undefined) return this.viewOf(known);
    const pool = this.servingPool(offer);
    const promptIds = await this.promptIds(pool, offer);
    const raced = this.sameRun(offer);
    if (raced !== undefined) return this.viewOf(raced);
    this.tombstones.forget(offer.task_id);
    const run = this.admit(pool, offer, false);
    run.promptIds = promptIds;
    this.arm(run);
    pool.scheduler.pump();
    return this.viewOf(run);
  }

  /** Temporal has the task; late confirmations of a withdrawn offer are refused. */
  confirm(taskId: string): RunView {
    this.refuseTombstone(taskId);
    const run = this.mustGet(taskId);
    this.confirmRun(run, run.offer.epoch);
    return this.viewOf(run);
  }

  /** Offer and confirmation in one step, for workflows: what was accepted once is never refused for room. */
  attach(offer: RunOffer): Promise<RunView> {
    this.refuseTombstone(offer.task_id);
    let run = this.sameRun(offer);
    if (run === undefined) {
      const pool = this.deps.pools().ensure(offer.pool_id);
      run = this.admit(pool, offer, true);
      this.confirmRun(run, offer.epoch);
      pool.scheduler.pump();
    } else {
      this.confirmRun(run, offer.epoch);
    }
    return Promise.resolve(this.viewOf(run));
  }

  /** The offer is void, and stays so for whoever asks later. */
  withdraw(taskId: string): void {
    this.tombstones.add(taskId);
    const run = this.runs.get(taskId);
    if (run !== undefined && !run.confirmed) this.drop(run, 'the offer was withdrawn');
  }

  /** Ends a task, queued or running; resolves when its slot is free (B-DP-209, B-DP-210). */
  async cancel(taskId: string, reason: CancelReason): Promise<RunView> {
    const run = this.mustGet(taskId);
    if (!run.ended && run.cancelReason === null) this.requestCancel(run, reason);
    const stopped = this.executions.get(taskId);
    if (stopped !== undefined) {
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, CANCEL_LIMIT_MS).unref())]);
    }
    if (!run.ended) await this.endCancelled(run);
    return this.viewOf(run);
  }

  private requestCancel(run: Run, reason: CancelReason): void {
    const wasQueued = this.poolOf(run).scheduler.remove(run.taskId);
    run.record({ kind: 'cancel', reason, at_ms: this.deps.now() });
    this.deps.metrics.canceled(this.labels(run), reason);
    this.deps.log.info(
      {
        event: 'cancel',
        task_id: run.taskId,
        job_id: run.taskId,
        reason,
        correlation_id: run.offer.correlation_id,
      },
      'task cancelled',
    );
    if (wasQueued) this.observeQueue(run.offer.pool_id);
    run.abort.abort(reason);
  }

  /** Resolves with the view when the run has ended, or as it stands when `signal` aborts. */
  async waitForEnd(taskId: string, signal: AbortSignal): Promise<RunView> {
    const run = this.mustGet(taskId);
    await new Promise<void>((resolve) => {
      const settle = () => {
        if (!run.ended && !signal.aborted && this.runs.get(taskId) === run) return;
        unwatch();
        signal.removeEventListener('abort', settle);
        resolve();
      };
      const unwatch = run.watch(settle);
      signal.addEventListener('abort', settle);
      settle();
    });
    return this.viewOf(run);
  }

  /** Takes over a run that a log held; a cancel that was asked for is carried out now. */
  async restore(run: Run): Promise<void> {
    this.runs.set(run.taskId, run);
    this.nextSequence = Math.max(this.nextSequence, run.sequence + 1);
    if (run.ended) return;
    if (run.streamClosed) return this.closeAsStreamed(run);
    if (run.cancelReason !== null) return this.endCancelled(run);
    run.requeue();
    this.poolOf(run).scheduler.enqueue(run.taskId, run.offer.request.priority, true);
    this.arm(run);
  }

  /** The last frame was written and the end record was not. */
  private closeAsStreamed(run: Run): Promise<void> {
    const last = run.frames.at(-1);
    const end: RunEnd =
      last?.type === 'end'
        ? { state: 'completed', stopReason: last.data.stop_reason, error: null }
        : { state: 'failed', stopReason: 'ERROR', error: last?.type === 'error' ? last.data : null };
    return run.close(end, this.deps.now());
  }

  /** The scheduler gave this task a slot. */
  dispatch(taskId: string, replicaId: string): void {
    const run = this.mustGet(taskId);
    const execution = this.execute(run, replicaId).finally(() => {
      this.executions.delete(taskId);
      this.poolOf(run).scheduler.release(taskId);
      this.observeQueue(run.offer.pool_id);
    });
    this.executions.set(taskId, execution);
    this.observeQueue(run.offer.pool_id);
  }

  private async execute(run: Run, replicaId: string): Promise<void> {
    const pool = this.poolOf(run);
    const replica = pool.replicas.get(replicaId);
    const dispatchedAtMs = this.deps.now();
    run.replicaId = replicaId;
    try {
      if (replica === undefined) throw new DroverError('POOL_UNAVAILABLE', 'the engine of the pool is gone');
      const { stopReason, decodeMs } = await executeRun(run, {
        adapter: replica.adapter,
        replicaId,
        engine: replica.engine.prepared.engine,
        now: this.deps.now,
        metricsFrameMs: this.deps.metricsFrameMs,
        queueDepth: () => pool.scheduler.depth(),
        warmUp: () => this.warmUp(`${replicaId} ${pool.poolId} ${run.offer.request.session_id}`),
        onStarted: () => this.deps.metrics.started(this.labels(run)),
        onFirstToken: (afterMs) => this.deps.metrics.firstToken(this.labels(run), afterMs),
      });
      const serviceMs = this.deps.now() - dispatchedAtMs;
      this.deps.pools().learn(pool.poolId, { tokensOut: run.tokensOut, decodeMs, serviceMs });
      this.deps.metrics.completed(this.labels(run), {
        tokensIn: run.tokensIn ?? 0,
        tokensOut: run.tokensOut,
        decodeMs,
      });
      await this.end(run, { state: 'completed', stopReason, error: null });
    } catch (err) {
      await this.endFailed(run, err);
    }
  }

  private async endFailed(run: Run, err: unknown): Promise<void> {
    if (this.closing || this.runs.get(run.taskId) !== run) return;
    if (run.cancelReason !== null) return this.endCancelled(run);
    const known =
      err instanceof DroverError ? err : new DroverError('INTERNAL', 'the run failed', {}, { cause: err });
    const { code } = known;
    this.deps.log.error({ err, event: 'run_failed', task_id: run.taskId, code }, 'run failed');
    await this.end(run, { state: 'failed', stopReason: 'ERROR', error: this.envelope(run, known) });
  }

  private endCancelled(run: Run): Promise<void> {
    const spec = END_OF_CANCEL[run.cancelReason ?? 'admin'];
    const [state, code] = run.startedAtMs === null ? spec.queued : spec.running;
    const error = this.envelope(run, new DroverError(code, END_MESSAGES[code]));
    return this.end(run, { state, stopReason: code === 'CANCELLED' ? 'CANCELLED' : 'ERROR', error });
  }

  private async end(run: Run, end: RunEnd): Promise<void> {
    if (run.ended) return;
    this.disarm.get(run.taskId)?.();
    this.disarm.delete(run.taskId);
    try {
      if (end.error !== null && !run.streamClosed) {
        run.publish([{ body: { type: 'error', data: end.error }, ids: [] }], this.deps.now());
      }
      await run.close(end, this.deps.now());
    } catch (err) {
      this.deps.log.error(
        { err, event: 'run_log_failed', task_id: run.taskId },
        'could not write the end of a run',
      );
    }
    this.deps.log.info(
      {
        event: 'run_ended',
        task_id: run.taskId,
        job_id: run.taskId,
        correlation_id: run.offer.correlation_id,
        session_id: run.offer.request.session_id,
        pool_id: run.offer.pool_id,
        replica_id: run.replicaId,
        engine: run.offer.request.engine,
        state: end.state,
        tokens_in: run.tokensIn,
        tokens_out: run.tokensOut,
      },
      'run ended',
    );
  }

  private admit(pool: Pool, offer: RunOffer, accepted: boolean): Run {
    const { scheduler } = pool;
    const position = scheduler.enqueue(offer.task_id, offer.request.priority, accepted);
    if (position === null) throw queueFull();
    const admission = admissionAt(pool, position);
    try {
      if (!accepted) this.refuseInfeasible(pool, offer, admission);
      const now = this.deps.now();
      const log = openRunLog(join(this.deps.runsDir, runLogFileName(offer.task_id)), this.deps.ring, true);
      const run = new Run(offer, admission, this.nextSequence++, now, log);
      run.record({ kind: 'admission', sequence: run.sequence, offer, admission, at_ms: now });
      this.runs.set(offer.task_id, run);
      this.observeQueue(pool.poolId);
      return run;
    } catch (err) {
      scheduler.remove(offer.task_id);
      if (err instanceof DroverError) throw err;
      this.deps.log.error(
        { err, event: 'run_log_failed', task_id: offer.task_id },
        'could not record a task',
      );
      throw new DroverError('POOL_UNAVAILABLE', 'the node cannot record a task now', {
        retry_after_ms: 1000,
      });
    }
  }

  private refuseInfeasible(pool: Pool, { request }: RunOffer, admission: Admission): void {
    const tokens = Math.min(request.expected_tokens ?? request.max_tokens, request.max_tokens);
    const task = { predictedStartMs: admission.predicted_start_ms, tokens, deadlineMs: request.deadline_ms };
    if (!isInfeasible(pool.throughput, task)) return;
    throw new DroverError('DEADLINE_UNMET', 'the deadline cannot be met at the measured pace of the pool', {
      pool_id: pool.poolId,
      engine: request.engine,
    });
  }

  private servingPool(offer: RunOffer): Pool {
    const pool = this.deps.pools().get(offer.pool_id);
    if (pool === undefined) throw new DroverError('POOL_NOT_FOUND', 'this node has no such pool');
    if (!mayBecomeReady(pool.state)) {
      throw new DroverError(
        pool.state === 'failed' ? 'POOL_UNAVAILABLE' : 'POOL_UNREADY',
        `the pool is ${pool.state}`,
        {
          retry_after_ms: 1000,
          policy_label: 'retry',
          pool_id: pool.poolId,
          engine: offer.request.engine,
        },
      );
    }
    return pool;
  }

  /** Ids of the prompt, when an engine is up to ask; refuses what cannot fit its context (B-DP-043). */
  private async promptIds(pool: Pool, offer: RunOffer): Promise<number[] | null> {
    const [replica] = pool.replicas.values();
    if (replica === undefined) return null;
    const ids = await replica.adapter.tokenize(offer.input, AbortSignal.timeout(this.deps.offerTtlMs));
    const { ctx, max_tokens } = offer.request;
    const limit = Math.min(ctx === 0 ? Infinity : ctx, pool.prepared?.ctx_max ?? Infinity);
    if (ids.length + max_tokens > limit) {
      const problem = `prompt (${ids.length} tokens) and max_tokens exceed the context of ${limit}`;
      throw new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'max_tokens', problem }] });
    }
    return ids;
  }

  private confirmRun(run: Run, epoch: number): void {
    run.confirm(epoch, this.deps.now());
    this.arm(run);
  }

  /** Sets the run's one timer: an offer's lapse until it is confirmed, its deadline from then on. */
  private arm(run: Run): void {
    this.disarm.get(run.taskId)?.();
    this.disarm.delete(run.taskId);
    if (run.ended) return;
    const disarm = run.confirmed
      ? armAt(run.deadlineAtMs, this.deps.now, () => void this.cancel(run.taskId, 'deadline'))
      : armAt(run.admittedAtMs + this.deps.offerTtlMs, this.deps.now, () => {
          this.drop(run, 'nobody confirmed the offer');
        });
    this.disarm.set(run.taskId, disarm);
  }

  /** Removes an unconfirmed offer without a trace: nobody was told that it is accepted. */
  private drop(run: Run, why: string): void {
    this.deps.log.warn({ event: 'offer_dropped', task_id: run.taskId, why }, 'offer dropped');
    this.disarm.get(run.taskId)?.();
    this.disarm.delete(run.taskId);
    this.poolOf(run).scheduler.remove(run.taskId);
    this.runs.delete(run.taskId);
    run.abort.abort('admin');
    run.discard();
    this.observeQueue(run.offer.pool_id);
  }

  private sameRun(offer: RunOffer): Run | undefined {
    const run = this.runs.get(offer.task_id);
    if (run !== undefined && run.offer.digest !== offer.digest) {
      throw new DroverError('TASK_CONFLICT', 'a task with this id and another body is on record');
    }
    return run;
  }

  /** @throws DroverError TASK_NOT_FOUND */
  mustGet(taskId: string): Run {
    const run = this.runs.get(taskId);
    if (run === undefined) throw new DroverError('TASK_NOT_FOUND', 'this node has no such task');
    return run;
  }

  private refuseTombstone(taskId: string): void {
    if (this.tombstones.has(taskId))
      throw new DroverError('OFFER_WITHDRAWN', 'the offer of this task was withdrawn');
  }

  private poolOf(run: Run): Pool {
    return this.deps.pools().ensure(run.offer.pool_id);
  }

  private warmUp(session: string): boolean {
    this.warm.delete(session);
    this.warm.add(session);
    if (this.warm.size > WARM_SESSIONS) for (const oldest of this.warm) return this.warm.delete(oldest);
    return true;
  }

  private envelope(run: Run, error: DroverError): ErrorEnvelope {
    const { pool_id, request, correlation_id } = run.offer;
    return { ...error.toEnvelope(correlation_id), pool_id, engine: request.engine };
  }

  private viewOf(run: Run): RunView {
    const { prepared, scheduler } = this.poolOf(run);
    const place = {
      nodeId: this.deps.nodeId,
      engine: run.offer.request.engine,
      engineVersion: prepared?.engine_version ?? null,
      modelRef: prepared?.model_ref ?? run.offer.request.model_ref,
    };
    return run.view(place, run.ended ? null : scheduler.position(run.taskId));
  }

  private labels(run: Run): RunLabels {
    return {
      engine: run.offer.request.engine,
      engine_version: this.poolOf(run).prepared?.engine_version ?? '',
      pool_id: run.offer.pool_id,
      replica_id: run.replicaId ?? '',
      priority: run.offer.request.priority,
    };
  }

  private observeQueue(poolId: string): void {
    const { prepared, scheduler } = this.deps.pools().ensure(poolId);
    for (const priority of ['interactive', 'batch'] as const) {
      const labels = {
        engine: prepared?.engine ?? '',
        engine_version: prepared?.engine_version ?? '',
        pool_id: poolId,
      };
      this.deps.metrics.queueDepth({ ...labels, priority }, scheduler.depth(priority));
    }
  }

  /** Ended runs, for the sweep of old logs. */
  *endedBefore(atMs: number): Generator<Run> {
    for (const run of this.runs.values()) if (run.endedAtMs !== null && run.endedAtMs < atMs) yield run;
  }

  /** Forgets an ended run whose log was removed. */
  forget(taskId: string): void {
    this.runs.delete(taskId);
  }

  /** The worker ends: running tasks stay unfinished in their logs, for the next worker to go on with. */
  async close(): Promise<void> {
    this.closing = true;
    for (const disarm of this.disarm.values()) disarm();
    for (const run of this.runs.values()) if (!run.ended) run.abort.abort('admin');
    await Promise.allSettled(this.executions.values());
    for (const run of this.runs.values()) if (!run.ended) run.discard();
  }
}

function queueFull(): DroverError {
  const retry = { retry_after_ms: 1000, policy_label: 'reject' };
  return new DroverError('ADMISSION_REJECT', 'the queue of the pool is full', retry);
}

function admissionAt({ scheduler, throughput }: Pool, position: number): Admission {
  const { slotsTotal, slotsFree } = scheduler;
  const queue = { position, slotsTotal, slotsFree };
  return {
    queue_position: position,
    predicted_start_ms: predictedStartMs(throughput, queue),
    backoff_ms: 0,
    preparation: { steps: [] },
  };
}
