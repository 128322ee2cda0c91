/** What the API asks of node gateways; `node.ts` does it over HTTP, tests have a twin in memory. */
import type { Budgets } from '../../contracts/session.js';
import type { Frame, MetricsData } from '../../contracts/events.js';
import type { FencedRun, NodePools, PlacedRun, RunInput, RunOffer, RunView } from '../../contracts/node.js';
import type { EngineAnnouncement } from '../../contracts/worker.js';
import type { WorkerHealth, WorkerReport } from '../../contracts/worker-report.js';
import type { TraceIds } from '../../contracts/trace.js';
import type { CancelReason } from '../../domain/task.js';

/** What a call to another process carries along (B-MW-007). */
export interface CallContext {
  correlationId: string;
  /** What its caller knows it by, beside that. */
  trace?: TraceIds;
  /** Ends the call early. */
  signal?: AbortSignal;
}

/** The same for the tail of a run's log. */
export interface TailContext extends CallContext {
  /** Told how far the preparation of a task is that waits for its pool to wake. */
  onPreparation?: (figures: MetricsData) => void;
}

/** A run's log as it is followed. */
export interface FrameTail {
  /** Offset of the first frame that was yet to come when the tail was opened: what lies before it is the log's past. */
  liveFrom: number;
  /** What the task's session had left at admission, where the node was told. */
  budgets?: Budgets | undefined;
  batches: AsyncIterable<Frame[]>;
}

/**
 * The gateways of all configured nodes. Every call but `frames` is idempotent by the gateway's contract. A refusal is a
 * `DroverError` with the node's own code; a node that cannot be reached is `POOL_UNAVAILABLE`.
 */
export interface NodeLink {
  readonly nodeIds: readonly string[];
  /** Whether an operator wants no more work for it. */
  drains(nodeId: string): boolean;
  /** The node's pools as they stand. */
  pools(nodeId: string, call: CallContext): Promise<NodePools>;
  /** Its engines, one by one. */
  workers(nodeId: string, call: CallContext): Promise<readonly WorkerReport[]>;
  /** How one of them answers for its health now; undefined where it does not serve. */
  workerHealth(
    nodeId: string,
    replica: { pool_id: string; replica_id: string },
    call: CallContext,
  ): Promise<WorkerHealth | undefined>;
  /** Offers a task; the answer is the run as it is on the node, accepted now or known before. */
  offer(nodeId: string, offer: RunOffer, call: CallContext): Promise<RunView>;
  /** Tells the node of an engine that others run; `bound` once the node has tried it. */
  announce(
    nodeId: string,
    replica: { pool_id: string; replica_id: string },
    told: EngineAnnouncement,
    call: CallContext,
  ): Promise<{ bound: boolean }>;
  /** How many tokens a pool's engine cuts an input into. */
  countTokens(nodeId: string, poolId: string, input: RunInput, call: CallContext): Promise<number>;
  confirm(nodeId: string, taskId: string, call: CallContext): Promise<RunView>;
  withdraw(nodeId: string, taskId: string, call: CallContext): Promise<void>;
  /** The run, or undefined where the node knows none. */
  view(nodeId: string, taskId: string, call: CallContext): Promise<RunView | undefined>;
  /** Resolves when the run's slot is free; undefined where the node knows no such run. */
  cancel(
    nodeId: string,
    taskId: string,
    reason: CancelReason,
    call: CallContext,
  ): Promise<RunView | undefined>;
  /**
   * The task goes to another node from this epoch on: stops its run for good.
   * @returns how it stands and all that it has shown; undefined where the node knows no such run
   */
  fence(nodeId: string, taskId: string, epoch: number, call: CallContext): Promise<FencedRun | undefined>;
  /** Gives a confirmed task to a node, with what it has shown elsewhere. */
  takeOver(nodeId: string, placed: PlacedRun, call: CallContext): Promise<RunView>;
  /** This API's last reader has left: a run that asked for it is cancelled, unless another comes soon. */
  abandon(nodeId: string, taskId: string, call: CallContext): Promise<void>;
  /**
   * Opens the tail of a run's log.
   * @returns undefined where the node knows no such run; else its frames from `from` on, until the node ends the answer
   */
  frames(nodeId: string, taskId: string, from: number, call: TailContext): Promise<FrameTail | undefined>;
}
