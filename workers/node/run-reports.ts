/** What the register says of its runs: views for the gateway, labels and gauges for the metrics, lines for the log. */
import { isDeepStrictEqual } from 'node:util';
import type { RunOffer, RunView } from '../../contracts/node.js';
import { narration } from '../../activities/pool/pool-fields.js';
import type { PriorityClass } from '../../domain/admission.js';
import { seedOf } from '../../domain/seed.js';
import type { CancelReason } from '../../domain/task.js';
import type { Logger } from '../../telemetry/logger.js';
import type { FullQueuePolicy } from './displacement.js';
import type { Pool, PoolRegistry } from './pool-registry.js';
import type { RunLabels, RunMetrics } from './run-metrics.js';
import type { Run, RunEnd } from './run.js';

/** What reports are made with. */
export interface ReportDeps {
  nodeId: string;
  pools: () => PoolRegistry;
  metrics: RunMetrics;
  log: Logger;
}

type QueueLabels = Pick<RunLabels, 'engine' | 'engine_version' | 'pool_id'>;

/** Reports of one register. */
export class RunReports {
  /** By pool, those of the gauges that were set last. */
  private readonly queueLabels = new Map<string, QueueLabels>();

  constructor(private readonly deps: ReportDeps) {}

  view(run: Run): RunView {
    const pool = this.poolOf(run);
    const { engine, model_ref } = run.offer.request;
    const place = {
      nodeId: this.deps.nodeId,
      engine: pool?.prepared?.engine ?? engine,
      engineVersion: pool?.prepared?.engine_version ?? null,
      modelRef: model_ref,
    };
    return run.view(place, run.ended ? null : (pool?.scheduler.position(run.taskId) ?? null));
  }

  labels(run: Run): RunLabels {
    const prepared = this.poolOf(run)?.prepared;
    return {
      engine: prepared?.engine ?? run.offer.request.engine,
      engine_version: prepared?.engine_version ?? '',
      pool_id: run.offer.pool_id,
      replica_id: run.replicaId ?? '',
      priority: run.offer.request.priority,
    };
  }

  /** Sets the gauges of a pool's queue to its real length, after every change of it. */
  queue(poolId: string): void {
    const pool = this.deps.pools().get(poolId);
    if (pool === undefined) return;
    const { engine = '', engine_version = null } = pool.prepared ?? {};
    const labels = { engine, engine_version: engine_version ?? '', pool_id: poolId };
    const before = this.queueLabels.get(poolId);
    this.queueLabels.set(poolId, labels);
    // Of an engine that was exchanged, or not known yet, nothing waits any more.
    if (before !== undefined && !isDeepStrictEqual(before, labels)) this.tellDepth(before, () => 0);
    this.tellDepth(labels, (priority) => pool.scheduler.depth(priority));
  }

  private tellDepth(labels: QueueLabels, depthOf: (priority: PriorityClass) => number): void {
    for (const priority of ['interactive', 'batch'] as const)
      this.deps.metrics.queueDepth({ ...labels, priority }, depthOf(priority));
  }

  nearLimit(run: Run, limitMs: number): void {
    this.deps.log.warn(
      {
        event: 'run_near_limit',
        ...narration('watchdog', run.offer.pool_id, `Has used four fifths of its ${limitMs} ms`),
        limit_ms: limitMs,
        ...this.record(run),
      },
      'a task comes near the limit of its execution',
    );
  }

  cancelled(run: Run, reason: CancelReason): void {
    this.deps.metrics.canceled(this.labels(run), reason);
    const human = run.replicaId === null ? 'Takes a waiting task out of the queue' : 'Stops a running task';
    this.deps.log.info(
      {
        event: 'cancel',
        ...narration('cancel', run.offer.pool_id, human),
        reason,
        ...this.record(run),
      },
      'task cancelled',
    );
  }

  /** A waiting task made room: the queue refused it after all, and said so to nobody but it (B-OBS-037). */
  evicted(run: Run, policy: FullQueuePolicy): void {
    this.deps.metrics.evicted(run.offer.request.engine, policy);
    this.queue(run.offer.pool_id);
    const line = {
      event: 'evicted',
      reason: 'QUEUE_FULL_DROP_LRU',
      policy_label: policy,
      ...this.record(run),
    };
    this.deps.log.info(line, 'task evicted from the full queue');
  }

  /** Its decoding began on a slot; not told again where it goes on. */
  started(run: Run): void {
    this.deps.metrics.started(this.labels(run));
    const { offer, startedAtMs, admittedAtMs, tokensIn } = run;
    const waitedMs = (startedAtMs ?? admittedAtMs) - admittedAtMs;
    const human = `Starts a stream on ${tokensIn ?? 0} prompt tokens after ${waitedMs} ms in the queue`;
    const line = { event: 'run_started', ...narration('stream_start', offer.pool_id, human) };
    this.deps.log.info({ ...line, ...this.record(run) }, 'run started');
  }

  ended(run: Run, end: RunEnd): void {
    this.judge(run, end);
    const duration_ms = (run.endedAtMs ?? run.admittedAtMs) - run.admittedAtMs;
    const human = `Ends a stream of ${run.tokensOut} tokens after ${duration_ms} ms as ${end.state}`;
    this.deps.log.info(
      {
        event: 'run_ended',
        ...narration('stream_end', run.offer.pool_id, human),
        ...this.record(run),
        state: end.state,
        code: end.error?.code,
        error_kind: end.error?.code,
        duration_ms,
      },
      'run ended',
    );
  }

  /** What was called off, or broke, says nothing of the forecast. */
  private judge(run: Run, { state }: RunEnd): void {
    if (run.forecast === null || run.endedAtMs === null) return;
    const inTime = run.endedAtMs <= run.deadlineAtMs;
    if (state !== 'completed' && run.endedBy !== 'deadline') return;
    this.deps.metrics.judged(run.offer.pool_id, run.forecast, state === 'completed' && inTime);
  }

  failed(run: Run, err: unknown, code: string | undefined): void {
    const human = `Fails at a task after ${run.tokensOut} tokens`;
    const story = narration('stream_error', run.offer.pool_id, human);
    const line = {
      err,
      event: 'run_failed',
      ...story,
      code,
      error_kind: code ?? 'INTERNAL',
      ...this.record(run),
    };
    this.deps.log.error(line, 'run failed');
  }

  /** Its engine broke off, and the run goes on once there is one. */
  brokenOff(run: Run, err: unknown): void {
    const line = { err, event: 'run_waits_for_engine', ...this.record(run) };
    this.deps.log.warn(line, 'the engine broke off; the run waits for one to go on with');
  }

  /** Nobody here knows whether it is still this node's. */
  held(run: Run): void {
    this.deps.log.warn({ event: 'run_held', ...this.record(run) }, 'the run waits to hear from its workflow');
  }

  takenUp(run: Run): void {
    this.deps.log.info({ event: 'run_taken_up', ...this.record(run) }, 'the run goes on');
  }

  fenced(run: Run): void {
    this.deps.log.warn({ event: 'run_fenced', ...this.record(run) }, 'the task went to another node');
  }

  /** The engine numbers its tokens otherwise than they come (B-AD-010). */
  outOfOrder(run: Run, index: number, before: number): void {
    const line = { event: 'engine_out_of_order', index, before, ...this.record(run) };
    this.deps.log.warn(line, 'the engine numbers its tokens out of order');
  }

  /** The disk is full: the run's stream pauses until there is room. */
  outOfRoom(run: Run, err: unknown): void {
    this.deps.log.error(
      { err, event: 'disk_full', ...this.record(run) },
      'the disk is full; the run waits for room',
    );
  }

  dropped(run: Run, why: string): void {
    this.deps.log.warn({ event: 'offer_dropped', why, ...this.record(run) }, 'offer dropped');
  }

  logFailed({ task_id, correlation_id }: RunOffer, err: unknown): void {
    const line = { err, event: 'run_log_failed', task_id, correlation_id };
    this.deps.log.error(line, 'the run log cannot be written');
  }

  /** What every record of a task's run has (observability 3). */
  private record(run: Run) {
    const { offer, startedAtMs, admittedAtMs, firstTokenAtMs, endedAtMs } = run;
    const { model_ref, ctx } = offer.request;
    return {
      ...fields(run),
      engine_version: this.poolOf(run)?.prepared?.engine_version ?? null,
      ...{ model_id: model_ref, ctx, kv_warmth: run.kvWarmth, seed: seedOf(offer.request) },
      queue_time_ms: startedAtMs === null ? null : startedAtMs - admittedAtMs,
      ...{ tokens_in: run.tokensIn, tokens_out: run.tokensOut },
      decode_time_ms: firstTokenAtMs === null ? 0 : (endedAtMs ?? Date.now()) - firstTokenAtMs,
    };
  }

  /** Undefined once the pool is forgotten: what is told of an ended task must not bring it back. */
  private poolOf(run: Run): Pool | undefined {
    return this.deps.pools().get(run.offer.pool_id);
  }
}

/** What the task's caller knows it by. */
function spansOf({ trace: { traceparent: _, ...spans } = {} }: RunOffer) {
  return spans;
}

function fields(run: Run) {
  return {
    task_id: run.taskId,
    job_id: run.taskId,
    session_id: run.offer.request.session_id,
    correlation_id: run.offer.correlation_id,
    ...spansOf(run.offer),
    engine: run.offer.request.engine,
    pool_id: run.offer.pool_id,
    replica_id: run.replicaId,
    queue_position: run.admission.queue_position,
    predicted_start_ms: run.admission.predicted_start_ms,
  };
}
