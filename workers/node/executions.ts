/** The runs that have a slot: each on the engine of its replica until that has said all, failed, or was told to stop. */
import { basename } from 'node:path';
import type { ServedEngine } from '../../activities/deps.js';
import { DroverError } from '../../contracts/errors.js';
import { isPrompt } from '../../contracts/node.js';
import { isDeterministic } from '../../domain/launch-flags.js';
import type { StopReason } from '../../domain/task.js';
import { withCorrelation } from '../../telemetry/correlation.js';
import { executeInputs } from './execute-inputs.js';
import { executeRun, type Completion, type ExecutionContext } from './execute-run.js';
import type { EngineCircuits } from './engine-circuits.js';
import type { Pool, PoolRegistry, Replica } from './pool-registry.js';
import type { RunMetrics } from './run-metrics.js';
import type { RunReports } from './run-reports.js';
import { ContinuationError } from './continuation.js';
import type { Run } from './run.js';

/** What executions work with; what an end means for a run is its register's business. */
export interface ExecutionsDeps {
  pools: () => PoolRegistry;
  metrics: RunMetrics;
  reports: RunReports;
  now: () => number;
  metricsFrameMs: number;
  circuits: EngineCircuits;
  /** False once this node's tasks may be given to others. */
  inTouch: () => boolean;
  completed: (run: Run, stopReason: StopReason) => Promise<void>;
  failed: (run: Run, err: unknown) => Promise<void>;
}

/** An engine that was told to stop and did not is let go after this long: the slot is taken back (B-DP-210). */
const STOP_LIMIT_MS = 5_000;
/** Sessions whose warmth is remembered a node; the oldest are forgotten first. */
const WARM_SESSIONS = 10_000;

/** Executions of a node. */
export class Executions {
  private readonly running = new Map<string, Promise<void>>();
  private readonly warm = new Set<string>();

  constructor(private readonly deps: ExecutionsDeps) {}

  /** Runs the task on this replica; `then` is called once, when that is over. */
  begin(run: Run, replicaId: string, then: () => void): void {
    const execution = this.execute(run, replicaId).finally(() => {
      this.running.delete(run.taskId);
      then();
    });
    this.running.set(run.taskId, execution);
  }

  /** Resolves when the task's engine call is over, or has been given up. */
  async over(taskId: string): Promise<void> {
    const execution = this.running.get(taskId);
    if (execution === undefined) return;
    await Promise.race([execution, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS).unref())]);
  }

  /** Resolves when all of them are over. */
  async allOver(): Promise<void> {
    await Promise.allSettled(this.running.values());
  }

  private execute(run: Run, replicaId: string): Promise<void> {
    const { correlation_id, trace } = run.offer;
    return withCorrelation(correlation_id, () => this.carryOut(run, replicaId), trace);
  }

  private async carryOut(run: Run, replicaId: string): Promise<void> {
    const { deps } = this;
    const pool = deps.pools().ensure(run.offer.pool_id);
    const replica = pool.replicas.get(replicaId);
    const dispatchedAtMs = deps.now();
    run.replicaId = replicaId;
    try {
      if (replica === undefined) throw new DroverError('POOL_UNAVAILABLE', 'the engine of the pool is gone');
      run.isOnDeterministicPool = isDeterministic(replica.engine.prepared);
      const model = vocabularyOf(replica.engine.prepared);
      if (run.promptModel !== model) cutAnew(run, model);
      const { stopReason, decodeMs } = await executeOn(run, this.contextOf(run, pool, replica, model));
      deps.circuits.served(replica);
      const { tokensOut } = run;
      const serviceMs = deps.now() - dispatchedAtMs;
      const maxTokens = run.offer.request.max_tokens;
      // What was only read says nothing of the pace at which tokens are put out.
      if (isPrompt(run.offer.input))
        deps.pools().learn(pool.poolId, { tokensOut, decodeMs, serviceMs, maxTokens });
      const tokensIn = run.tokensIn ?? 0;
      deps.metrics.completed(deps.reports.labels(run), { tokensIn, tokensOut, decodeMs });
      await deps.completed(run, stopReason);
    } catch (err) {
      const isOfEngine = !run.abort.signal.aborted && !(err instanceof HeldError);
      if (replica !== undefined && isOfEngine) deps.circuits.failed(pool, replica, err);
      await deps.failed(run, err);
    }
  }

  private contextOf(run: Run, pool: Pool, replica: Replica, model: string | null): ExecutionContext {
    const { deps } = this;
    const replicaId = run.replicaId ?? '';
    return {
      adapter: replica.adapter,
      replicaId,
      model,
      engine: replica.engine.prepared.engine,
      now: deps.now,
      metricsFrameMs: deps.metricsFrameMs,
      queueDepth: () => pool.scheduler.depth(),
      pastRuns: () => pool.throughput.runs ?? [],
      warmUp: () =>
        (run.kvWarmth = this.warmUp(`${replicaId} ${pool.poolId} ${run.offer.request.session_id}`)),
      onStarted: () => deps.reports.started(run),
      onTokens: () => {
        replica.tokenAtMs = deps.now();
        deps.circuits.answered(pool, replica);
      },
      requireTouch: () => {
        if (run.held || !deps.inTouch()) throw new HeldError();
      },
      onDisorder: (index, before) => deps.reports.outOfOrder(run, index, before),
      onNoRoom: (err) => deps.reports.outOfRoom(run, err),
      onFirstToken: (afterMs) => deps.metrics.firstToken(deps.reports.labels(run), afterMs),
    };
  }

  private warmUp(session: string): boolean {
    this.warm.delete(session);
    this.warm.add(session);
    if (this.warm.size > WARM_SESSIONS) for (const oldest of this.warm) return this.warm.delete(oldest);
    return true;
  }
}

function executeOn(run: Run, ctx: ExecutionContext): Promise<Completion> {
  const { input } = run.offer;
  return isPrompt(input) ? executeRun(run, ctx) : executeInputs(run, input, ctx);
}

/**
 * The prompt's ids are of another model, or of none yet. No other model goes on with what one began; the same one does, also
 * where another node keeps it in another folder.
 */
function cutAnew(run: Run, model: string | null): void {
  const isSame = run.promptModel === null && model !== null && run.takenOverModel === basename(model);
  const hasBegun = run.ids.length > 0 || (run.tokenIndex > 0 && !isPrompt(run.offer.input));
  if (hasBegun && !isSame)
    throw new ContinuationError('the model of the pool was exchanged while the task ran');
  run.promptIds = null;
}

/** Out of touch: the run stops where it is, and is not over. */
class HeldError extends DroverError {
  constructor() {
    super('WORKER_RESET', 'the node is out of touch with Temporal');
  }
}

/** Engines of one model file, or of one reference where the file is unknown, cut a text into the same ids. */
export function vocabularyOf(engine: ServedEngine | null): string | null {
  return engine?.model_path ?? engine?.model_ref ?? null;
}
