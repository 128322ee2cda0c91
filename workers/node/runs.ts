/**
 * The runs of this node: offers, confirmations, tombstones, dispatch and ends. One owner: every change of a run goes
 * through here, and a pool's scheduler calls back into {@link RunRegister.dispatch}.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunKeeper } from '../../activities/deps.js';
import { DroverError } from '../../contracts/errors.js';
import type { Frame, MetricsData } from '../../contracts/events.js';
import type { FencedRun, PlacedRun, RunOffer, RunView } from '../../contracts/node.js';
import type { CircuitPolicy } from '../../domain/circuit.js';
import { firstOffset } from '../../domain/fence.js';
import { runLogFileName } from '../../domain/identity.js';
import type { CancelReason } from '../../domain/task.js';
import type { KeyRing } from '../../security/payload-keys.js';
import {
  fittingPromptIds,
  requireFeasible,
  requireRoom,
  requireServingPool,
  takePlace,
} from './admit-run.js';
import { letEngineSettle, mayGoOn } from './continuation.js';
import { isOutOfRoom, onceThereIsRoom, requireDiskRoom } from './disk-room.js';
import { Displacement, type FullQueuePolicy } from './displacement.js';
import { cancelledEnd, droppedEnd, failedEnd, streamedEnd } from './end-run.js';
import { ENGINE_CIRCUIT, EngineCircuits } from './engine-circuits.js';
import { Executions, vocabularyOf } from './executions.js';
import { Fence } from './fence.js';
import type { Pool } from './pool-registry.js';
import { preparationFigures, type FetchedSoFar } from './preparation.js';
import { openRunLog } from './run-log.js';
import { Run, type RunEnd } from './run.js';
import { RunReports, type ReportDeps } from './run-reports.js';
import { Watchdog } from './run-limits.js';
import { RunTimers, Tombstones } from './timers.js';

/** What the register is given. */
export interface RunRegisterDeps extends ReportDeps {
  runsDir: string;
  ring: KeyRing;
  now: () => number;
  offerTtlMs: number;
  fullQueuePolicy: FullQueuePolicy;
  tombstoneMs: number;
  metricsFrameMs: number;
  /** Longest execution of a task, unless its request or its pool says another. */
  runLimitMs: number;
  /** Free space below which no new task is taken. */
  diskReserveBytes: number;
  /** When an engine that fails is left alone; tests have a quick one. */
  engineCircuit?: CircuitPolicy;
  /** Opens the log of a new run; tests have one that runs out of room. */
  openLog?: typeof openRunLog;
  /** Finds out now whether this engine is gone; one that is takes no task any more when this resolves. */
  lookAtEngine: (poolId: string, replicaId: string) => Promise<void>;
  /** How far the download of a model is; undefined while there is none. */
  fetched?: FetchedSoFar;
  /** False once this node's tasks may be given to others: out of touch with Temporal. */
  inTouch: () => boolean;
  disconnectGraceMs: number;
}

/** Whoever has accepted a task that its node had not heard of when it died finds the next worker within this time. */
const FOUND_AGAIN_LIMIT_MS = 10_000;
/** Ended runs whose frames stay in memory. */
const RECENT_RUNS = 128;

/** Register of this node's runs. */
export class RunRegister implements RunKeeper {
  private readonly runs = new Map<string, Run>();
  private readonly executions: Executions;
  private readonly circuits: EngineCircuits;
  private readonly timers: RunTimers;
  private readonly tombstones: Tombstones;
  private readonly reports: RunReports;
  private readonly displacement: Displacement;
  private readonly watchdog: Watchdog;
  private readonly fences: Fence;
  private readonly recent: Run[] = [];
  private nextSequence = 1;
  /** When this worker took over what an earlier one had left. */
  private restoredAtMs = -Infinity;
  /** Aborts what waits when the worker ends. */
  private readonly ending = new AbortController();

  constructor(private readonly deps: RunRegisterDeps) {
    this.reports = new RunReports(deps);
    this.displacement = new Displacement(
      deps.fullQueuePolicy,
      (taskId) => this.runs.get(taskId)?.confirmed === true,
    );
    this.timers = new RunTimers(deps.now);
    this.watchdog = new Watchdog({
      now: deps.now,
      runLimitMs: deps.runLimitMs,
      warn: (run, limitMs) => this.reports.nearLimit(run, limitMs),
      stop: (run) => void this.cancel(run.taskId, 'watchdog'),
    });
    this.tombstones = new Tombstones(deps.tombstoneMs, deps.now);
    this.circuits = new EngineCircuits({ ...deps, policy: deps.engineCircuit ?? ENGINE_CIRCUIT });
    this.executions = new Executions({
      ...deps,
      circuits: this.circuits,
      reports: this.reports,
      completed: (run, stopReason) => this.end(run, { state: 'completed', stopReason, error: null }),
      failed: (run, err) => this.endFailed(run, err),
    });
    this.fences = new Fence({
      ...deps,
      isEnding: () => this.isEnding,
      reports: this.reports,
      schedulerOf: (run) => this.poolOf(run).scheduler,
      over: (taskId) => this.executions.over(taskId),
      disarm: (taskId) => this.timers.clear(taskId),
      queueAgain: (run) => this.queueAgain(run),
    });
  }

  private get isEnding(): boolean {
    return this.ending.signal.aborted;
  }

  get(taskId: string): Run | undefined {
    return this.runs.get(taskId);
  }

  view(taskId: string): RunView | undefined {
    const run = this.runs.get(taskId);
    return run === undefined ? undefined : this.reports.view(run);
  }

  /** @throws DroverError TASK_NOT_FOUND */
  mustView(taskId: string): RunView {
    return this.reports.view(this.mustGet(taskId));
  }

  /** A fresh offer of the API: validated, queued and recorded, not yet confirmed (design §2.1). */
  async offer(offer: RunOffer): Promise<RunView> {
    const known = this.sameRun(offer);
    if (known !== undefined) return this.reports.view(known);
    const pool = requireServingPool(this.deps.pools().get(offer.pool_id), offer, this.deps.now());
    requireDiskRoom(this.deps.runsDir, this.deps.diskReserveBytes);
    // Before the engine is asked anything: overload must stay cheap to refuse.
    requireRoom(pool, offer, this.displacement, this.deps.now());
    const model = vocabularyOf(pool.prepared);
    pool.offers += 1;
    const promptIds = await fittingPromptIds(pool, offer, this.deps.offerTtlMs).finally(() => {
      pool.offers -= 1;
    });
    const raced = this.sameRun(offer);
    if (raced !== undefined) return this.reports.view(raced);
    this.tombstones.forget(offer.task_id);
    const run = this.admit(pool, offer, false);
    run.promptIds = promptIds;
    run.promptModel = model;
    this.arm(run);
    pool.scheduler.pump();
    return this.reports.view(run);
  }

  /** Temporal has the task; late confirmations of a withdrawn offer are refused. */
  confirm(taskId: string): RunView {
    this.refuseTombstone(taskId);
    const run = this.mustGet(taskId);
    this.confirmRun(run, run.offer.epoch);
    return this.reports.view(run);
  }

  /** Offer and confirmation in one step, for workflows: what was accepted once is never refused for room. */
  async attach(offer: PlacedRun): Promise<RunView> {
    this.refuseTombstone(offer.task_id);
    let run = this.sameRun(offer);
    if (run !== undefined && cameBack(run, offer.epoch)) {
      this.remove(run);
      run = undefined;
    }
    if (run === undefined) {
      const pool = this.deps.pools().ensure(offer.pool_id);
      run = this.admit(pool, offer, true);
      this.confirmRun(run, offer.epoch);
      if (run.streamClosed) {
        pool.scheduler.remove(run.taskId);
        await this.endAsStreamed(run);
      }
      pool.scheduler.pump();
    } else {
      this.confirmRun(run, offer.epoch);
      await this.fences.takeUp(run, offer.epoch);
    }
    return this.reports.view(run);
  }

  /** Out of touch with Temporal: nothing goes on until a workflow says that its task is still this node's (design §2.7). */
  holdAll(): void {
    for (const run of this.runs.values()) if (run.confirmed && !run.ended) this.fences.hold(run);
  }

  private queueAgain(run: Run): void {
    const { scheduler } = this.poolOf(run);
    scheduler.enqueue(run.taskId, run.offer.request.priority, true);
    if (run.startedAtMs !== null) scheduler.goOn(run.taskId);
    this.reports.queue(run.offer.pool_id);
    this.arm(run);
  }

  /**
   * From this epoch on the task is another node's: whatever it does here stops, for good.
   * @returns all that it has shown; where it has ended here, that is its end
   * @throws DroverError TASK_NOT_FOUND
   */
  async fence(taskId: string, epoch: number): Promise<FencedRun> {
    const run = this.mustGet(taskId);
    if (!run.confirmed) {
      this.drop(run, 'the task went to another node');
      throw noSuchTask();
    }
    return this.fences.stopForGood(run, epoch);
  }

  /** What is told of a run that waits for its pool to wake; undefined where there is nothing to tell. */
  preparationOf(run: Run): MetricsData | undefined {
    if (run.state !== 'queued' || run.nextOffset > 0 || !run.confirmed || run.held) return undefined;
    return preparationFigures(run, this.poolOf(run), this.deps.now(), this.deps.fetched);
  }

  /** The run as readers may see it. @throws DroverError TASK_NOT_FOUND, also for one that went elsewhere; POOL_UNAVAILABLE while nobody knows */
  mustServe(taskId: string): Run {
    const run = this.mustGet(taskId);
    this.fences.requireOurs(run);
    return run;
  }

  /** The offer is void, and stays so for whoever asks later; a run that is confirmed is nobody's offer any more. */
  withdraw(taskId: string): void {
    const run = this.runs.get(taskId);
    if (run?.confirmed === true) return;
    this.tombstones.add(taskId);
    if (run !== undefined) this.drop(run, 'the offer was withdrawn');
  }

  /** Ends a task, queued or running; resolves when its slot is free (B-DP-209, B-DP-210). */
  async cancel(taskId: string, reason: CancelReason): Promise<RunView> {
    const run = this.mustGet(taskId);
    if (!run.ended && run.cancelReason === null) this.requestCancel(run, reason);
    await this.executions.over(taskId);
    if (!run.ended) await this.end(run, cancelledEnd(run, this.deps.now()));
    return this.reports.view(run);
  }

  /** The engine of a running task is to be stopped, or the pool forgotten that it waits for: its stream ends with `WORKER_RESET` (B-DRAIN-005). */
  reset(taskId: string, why: string): Promise<void> {
    return this.breakOff(taskId, new DroverError('WORKER_RESET', why));
  }

  /** Ends a task with this error; one that has ended is left alone. */
  async breakOff(taskId: string, error: DroverError): Promise<void> {
    if (this.runs.get(taskId)?.ended !== false) return;
    const run = this.mustGet(taskId);
    if (this.poolOf(run).scheduler.remove(taskId)) this.reports.queue(run.offer.pool_id);
    run.abort.abort(error);
    await this.executions.over(taskId);
    if (!run.ended) await this.end(run, failedEnd(run, error));
  }

  private requestCancel(run: Run, reason: CancelReason): void {
    const wasQueued = this.poolOf(run).scheduler.remove(run.taskId);
    this.recordCancel(run, reason);
    this.reports.cancelled(run, reason);
    if (wasQueued) this.reports.queue(run.offer.pool_id);
    run.abort.abort(reason);
  }

  /** A full disk stops no cancel, and no deadline: the end, which tells of it, waits for room. */
  private recordCancel(run: Run, reason: CancelReason): void {
    const record = { kind: 'cancel', reason, at_ms: this.deps.now() } as const;
    try {
      run.record(record);
    } catch (err) {
      if (!isOutOfRoom(err)) throw err;
      this.reports.outOfRoom(run, err);
      run.apply(record);
    }
  }

  /** The last reader at some API has left: cancels, after a grace without any reader, a task that asked for it (C-103). */
  abandon(taskId: string): void {
    const run = this.mustGet(taskId);
    if (run.offer.request.cancel_on_disconnect !== true || run.ended) return;
    run.readers.afterSilence(this.deps.disconnectGraceMs, () => void this.cancel(taskId, 'disconnect'));
  }

  /** Resolves with the view when the run has ended, or as it stands when `signal` aborts. */
  async waitForEnd(taskId: string, signal: AbortSignal): Promise<RunView> {
    const run = this.mustGet(taskId);
    await run.untilOver(signal);
    return this.reports.view(run);
  }

  /** Takes over a run that a log held; a cancel that was asked for is carried out now. */
  restore(run: Run): void {
    this.runs.set(run.taskId, run);
    this.nextSequence = Math.max(this.nextSequence, run.sequence + 1);
    this.restoredAtMs = this.deps.now();
    if (run.ended) {
      this.arm(run);
      return run.archive();
    }
    // Not awaited: on a full disk an end waits for room, and a worker that starts waits for nothing.
    if (run.streamClosed) return void this.end(run, streamedEnd(run, this.deps.now()));
    if (run.fencedBy !== null) return run.discard();
    if (run.cancelReason !== null) return void this.end(run, cancelledEnd(run, this.deps.now()));
    if (!this.deps.inTouch()) return run.confirmed ? this.fences.hold(run) : this.drop(run, 'out of touch');
    run.requeue();
    this.queueAgain(run);
  }

  /** Its last frame was shown already. */
  private async endAsStreamed(run: Run): Promise<void> {
    run.recordEnd(streamedEnd(run, this.deps.now()), this.deps.now());
    await run.settleLog();
  }

  /** The scheduler gave this task a slot. */
  dispatch(taskId: string, replicaId: string): void {
    if (this.isEnding) return;
    const run = this.mustGet(taskId);
    this.watchdog.watch(run, this.poolOf(run).prepared?.timeouts?.wall_ms);
    this.executions.begin(run, replicaId, () => {
      this.watchdog.forget(taskId);
      // A worker that ends leaves its tasks unfinished: a lease given back now would tell a drain that they have ended.
      if (this.isEnding) return;
      this.deps.pools().used(run.offer.pool_id);
      this.deps.pools().get(run.offer.pool_id)?.scheduler.release(taskId);
      this.reports.queue(run.offer.pool_id);
    });
    this.reports.queue(run.offer.pool_id);
  }

  private async endFailed(run: Run, err: unknown): Promise<void> {
    if (this.isEnding || run.held || this.runs.get(run.taskId) !== run) return;
    if (!this.deps.inTouch()) return run.confirmed ? this.fences.hold(run) : this.drop(run, 'out of touch');
    if (run.cancelReason !== null) return this.end(run, cancelledEnd(run, this.deps.now()));
    const { reason } = run.abort.signal as { reason: unknown };
    if (!run.abort.signal.aborted && mayGoOn(run, err)) return this.goOn(run, err);
    const end = failedEnd(run, reason instanceof DroverError ? reason : err);
    this.reports.failed(run, err, end.error?.code);
    await this.end(run, end);
  }

  /** The engine broke off: the run waits, before all others, for that engine or another one. */
  private async goOn(run: Run, err: unknown): Promise<void> {
    const { pool_id } = run.offer;
    this.reports.brokenOff(run, err);
    await letEngineSettle(run);
    await this.deps.lookAtEngine(pool_id, run.replicaId ?? '');
    if (this.isEnding || run.ended || run.held) return;
    if (run.cancelReason !== null) return this.end(run, cancelledEnd(run, this.deps.now()));
    run.requeue();
    this.poolOf(run).scheduler.putBack(run.taskId, run.offer.request.priority);
  }

  private async end(run: Run, end: RunEnd): Promise<void> {
    if (run.ended) return;
    // Two may wait for room to say it, such as a cancel and the end that it asked for: one of them does.
    const mine = { isFirst: false };
    const record = () => {
      mine.isFirst = !run.ended;
      if (mine.isFirst) this.recordEnd(run, end);
    };
    try {
      // What it waits for is not its own abort: an end that finds a full disk is told once there is room.
      await onceThereIsRoom(record, this.ending.signal, (err) => this.reports.outOfRoom(run, err));
      if (!mine.isFirst) return;
      await run.settleLog();
    } catch (err) {
      this.reports.logFailed(run.offer, err);
    }
    this.arm(run);
    this.reports.ended(run, end);
    this.keepInMemory(run);
  }

  private recordEnd(run: Run, end: RunEnd): void {
    const now = this.deps.now();
    if (end.error !== null && !run.streamClosed) {
      run.publish([{ body: { type: 'error', data: end.error }, ids: [] }], now);
    }
    run.recordEnd(end, now);
  }

  /** The newest ended runs stay in memory for readers who come back; older ones are read from their logs. */
  private keepInMemory(run: Run): void {
    this.recent.push(run);
    if (this.recent.length > RECENT_RUNS) this.recent.shift()?.archive();
  }

  private admit(pool: Pool, { past, ...offer }: PlacedRun, accepted: boolean): Run {
    const now = this.deps.now();
    const admission = takePlace(pool, offer, accepted, this.displacement, now);
    try {
      if (!accepted) requireFeasible(pool, offer, admission);
      const { openLog = openRunLog } = this.deps;
      const log = openLog(join(this.deps.runsDir, runLogFileName(offer.task_id)), this.deps.ring, true);
      const first_offset = past?.[0]?.offset ?? firstOffset(offer.epoch);
      const run = new Run(offer, admission, this.nextSequence++, now, log, first_offset);
      recordAdmission(run, first_offset, past);
      this.runs.set(offer.task_id, run);
      this.reports.queue(pool.poolId);
      return run;
    } catch (err) {
      pool.scheduler.remove(offer.task_id);
      this.displacement.forget(offer.task_id);
      if (err instanceof DroverError) throw err;
      this.reports.logFailed(offer, err);
      throw new DroverError('POOL_UNAVAILABLE', 'the node cannot record a task now', {
        retry_after_ms: 1000,
      });
    }
  }

  private confirmRun(run: Run, epoch: number): void {
    try {
      run.confirm(epoch, this.deps.now());
    } catch (err) {
      // Temporal has the task: its offer does not lapse while there is no room, and the workflow asks again.
      run.isExpected = isOutOfRoom(err);
      throw err;
    } finally {
      this.arm(run);
    }
    const { scheduler } = this.poolOf(run);
    const victim = this.displacement.redeem(scheduler, run.taskId, run.offer.request.priority);
    if (victim !== undefined) this.evict(this.mustGet(victim));
  }

  /** The waiting task goes for one that was confirmed: its own stream says so. */
  private evict(victim: Run): void {
    this.poolOf(victim).scheduler.remove(victim.taskId);
    const { policy } = this.displacement;
    this.reports.evicted(victim, policy);
    void this.end(victim, droppedEnd(victim, policy));
  }

  /** Sets the run's one timer: an offer's lapse until it is confirmed, its deadline from then on. */
  private arm(run: Run): void {
    const { taskId } = run;
    if (run.ended && run.confirmed) this.timers.clear(taskId);
    else if (run.confirmed || run.isExpected) {
      this.timers.set(taskId, run.deadlineAtMs, () => void this.cancel(taskId, 'deadline'));
    } else {
      const lapsesAtMs = Math.max(
        run.admittedAtMs + this.deps.offerTtlMs,
        this.restoredAtMs + FOUND_AGAIN_LIMIT_MS,
      );
      this.timers.set(taskId, lapsesAtMs, () => {
        this.drop(run, 'nobody confirmed the offer');
      });
    }
  }

  /** Removes an unconfirmed offer without a trace: nobody was told that it is accepted. */
  private drop(run: Run, why: string): void {
    this.reports.dropped(run, why);
    this.displacement.forget(run.taskId);
    this.timers.clear(run.taskId);
    this.deps.pools().get(run.offer.pool_id)?.scheduler.remove(run.taskId);
    run.abort.abort('admin');
    this.remove(run);
    this.reports.queue(run.offer.pool_id);
  }

  private remove(run: Run): void {
    this.runs.delete(run.taskId);
    run.discard();
    rmSync(run.logPath, { force: true });
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
    if (run === undefined) throw noSuchTask();
    return run;
  }

  private refuseTombstone(taskId: string): void {
    if (this.tombstones.has(taskId))
      throw new DroverError('OFFER_WITHDRAWN', 'the offer of this task was withdrawn');
  }

  private poolOf(run: Run): Pool {
    return this.deps.pools().ensure(run.offer.pool_id);
  }

  /** Ended runs, and those that nobody came back for, for the sweep of old logs. */
  *endedBefore(atMs: number): Generator<Run> {
    for (const run of this.runs.values()) {
      const endedAtMs = run.endedAtMs ?? (run.held ? run.deadlineAtMs : Infinity);
      if (endedAtMs < atMs) yield run;
    }
  }

  /** Forgets an ended run whose log was removed. */
  forget(taskId: string): void {
    this.runs.delete(taskId);
  }

  /** The worker ends: running tasks stay unfinished in their logs, for the next worker to go on with. */
  async close(): Promise<void> {
    this.ending.abort();
    this.timers.clearAll();
    this.watchdog.close();
    this.circuits.close();
    for (const run of this.runs.values()) if (!run.ended) run.abort.abort('admin');
    await this.executions.allOver();
    for (const run of this.runs.values()) if (!run.ended) run.discard();
  }
}

/** It went elsewhere, and comes in this epoch or a later one with all that it has shown: to another pool, or from one. */
function cameBack({ fencedBy }: Run, epoch: number): boolean {
  return fencedBy !== null && fencedBy <= epoch;
}

function noSuchTask(): DroverError {
  return new DroverError('TASK_NOT_FOUND', 'this node has no such task');
}

/** Writes the first record. A log without one would stand in the way of the next offer of this task. */
function recordAdmission(run: Run, first_offset: number, past: readonly Frame[] | undefined): void {
  const { sequence, offer, admission, admittedAtMs: at_ms } = run;
  try {
    run.record({ kind: 'admission', sequence, offer, admission, first_offset, at_ms });
    if (past !== undefined) run.takeOver(past, at_ms);
  } catch (err) {
    run.discard();
    rmSync(run.logPath, { force: true });
    throw err;
  }
}
