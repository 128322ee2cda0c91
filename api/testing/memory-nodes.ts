/** Nodes in memory, for the API's own tests: runs, offers and logs behave as a gateway's do, and can be made to fail. */
import type { TraceIds } from '../../contracts/trace.js';
import { DroverError } from '../../contracts/errors.js';
import { closesStream, type Frame, type FrameBody } from '../../contracts/events.js';
import type { PlacedRun, RunInput, RunOffer, RunView } from '../../contracts/node.js';
import type { WorkerHealth, WorkerReport } from '../../contracts/worker-report.js';
import type { PoolStatus } from '../../contracts/pool.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';

/** A pool that is ready and serves `demo`. */
export function readyPool(over: Partial<PoolStatus> = {}): PoolStatus {
  return {
    pool_id: 'default',
    state: 'ready',
    live: true,
    ready: true,
    draining: false,
    active_leases: 0,
    slots_total: 4,
    slots_free: 4,
    queue_depth: 0,
    engine: 'llamacpp',
    engine_version: 'b1',
    backend: 'cpu',
    device_mask: null,
    split_plan: null,
    engine_digest: null,
    engine_catalog_id: null,
    model_ref: 'file:/models/demo.gguf',
    model_name: 'demo',
    workloads: null,
    ctx_max: 4096,
    config_digest: null,
    last_error: null,
    changed_at_ms: 0,
    last_heartbeat_ms: 0,
    next_restart_at: null,
    on_demand: false,
    sleeps_at_ms: null,
    ...over,
  };
}

/** A run of a node in memory. */
export class MemoryRun {
  readonly frames: Frame[] = [];
  confirmed = false;
  state: RunView['state'] = 'queued';
  epoch = 1;
  private readonly watchers = new Set<() => void>();

  constructor(
    readonly nodeId: string,
    readonly offer: RunOffer,
  ) {}

  get ended(): boolean {
    return this.frames.some(closesStream);
  }

  /** Appends frames to the log; they get the next offsets. */
  publish(...bodies: FrameBody[]): void {
    for (const body of bodies) {
      this.frames.push({ ...body, offset: this.frames.length, epoch: this.epoch });
    }
    this.wake();
  }

  watch(listener: () => void): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  wake(): void {
    for (const watcher of this.watchers) watcher();
  }

  view(): RunView {
    const { offer } = this;
    const tokens = this.frames.filter(({ type }) => type === 'token').length;
    return {
      task_id: offer.task_id,
      node_id: this.nodeId,
      pool_id: offer.pool_id,
      replica_id: 'r0',
      epoch: this.epoch,
      digest: offer.digest,
      confirmed: this.confirmed,
      state: this.state,
      ended: this.ended,
      engine: 'llamacpp',
      engine_version: 'b1',
      model_ref: offer.request.model_ref,
      priority: offer.request.priority,
      queue_position: null,
      admission: { queue_position: 3, predicted_start_ms: 300, backoff_ms: 0, preparation: { steps: [] } },
      admitted_at_ms: 1_000,
      started_at_ms: null,
      first_token_at_ms: null,
      ended_at_ms: null,
      tokens_in: null,
      tokens_out: tokens,
      stop_reason: null,
      error: null,
      next_offset: this.frames.length,
      correlation_id: offer.correlation_id,
      dialect: null,
    };
  }
}

/** Node links to nodes in memory. */
export class MemoryNodes implements NodeLink {
  readonly runs = new Map<string, MemoryRun>();
  readonly poolsOf = new Map<string, PoolStatus[]>();
  /** Nodes that do not answer. */
  readonly away = new Set<string>();
  /** Every call, as `<node> <what> <task>`. */
  readonly calls: string[] = [];
  /** Called with each call before it is carried out. */
  onCall: (call: string) => void = () => undefined;
  /** Correlation ids of the calls, in order. */
  readonly correlationIds: string[] = [];
  /** What else each of them was told of its request. */
  readonly traces: TraceIds[] = [];
  /** What the next offer is refused with. */
  refusal: DroverError | undefined;
  /** Tails that are open now. */
  openTails = 0;
  private readonly cuts = new Set<() => void>();

  constructor(readonly nodeIds: readonly string[] = ['node-1']) {
    for (const nodeId of nodeIds) this.poolsOf.set(nodeId, [readyPool()]);
  }

  /** The run of a task that was offered. */
  run(taskId: string): MemoryRun {
    const run = this.runs.get(taskId);
    if (run === undefined) throw new Error(`no run of ${taskId}`);
    return run;
  }

  /** Breaks every open tail, as a dying gateway does. */
  cutTails(): void {
    for (const cut of [...this.cuts]) cut();
  }

  /** Nodes that an operator wants no more work for. */
  drains: (nodeId: string) => boolean = () => false;

  async pools(nodeId: string, call: CallContext) {
    this.note(nodeId, 'pools', '', call);
    return Promise.resolve({ node_id: nodeId, pools: this.poolsOf.get(nodeId) ?? [] });
  }

  /** By node: the engines that it reports. */
  readonly workersOf = new Map<string, WorkerReport[]>();

  async workers(nodeId: string, call: CallContext) {
    this.note(nodeId, 'workers', '', call);
    return Promise.resolve(this.workersOf.get(nodeId) ?? []);
  }

  /** By worker: how its engine answers for its health; those that are not here do not serve. */
  readonly healthOf = new Map<string, WorkerHealth>();

  async workerHealth(nodeId: string, replica: { pool_id: string; replica_id: string }, call: CallContext) {
    this.note(nodeId, 'workerHealth', '', call);
    return Promise.resolve(this.healthOf.get(`${nodeId}:${replica.pool_id}:${replica.replica_id}`));
  }

  async offer(nodeId: string, offer: RunOffer, call: CallContext) {
    this.note(nodeId, 'offer', offer.task_id, call);
    const known = this.runs.get(offer.task_id);
    if (known !== undefined && known.offer.digest !== offer.digest) {
      throw new DroverError('TASK_CONFLICT', 'a task with this id and another body is on record');
    }
    if (known !== undefined) return Promise.resolve(known.view());
    if (this.refusal !== undefined) throw this.refusal;
    const run = new MemoryRun(nodeId, offer);
    this.runs.set(offer.task_id, run);
    return Promise.resolve(run.view());
  }

  /** Engines that were announced, as the nodes were told of them. */
  readonly announced: Record<string, unknown>[] = [];

  async announce(nodeId: string, replica: object, told: object, call: CallContext) {
    this.note(nodeId, 'announce', '', call);
    this.announced.push({ ...replica, ...told });
    return Promise.resolve({ bound: true });
  }

  /** Counts words: each is a token here. */
  async countTokens(nodeId: string, poolId: string, input: RunInput, call: CallContext) {
    this.note(nodeId, `count ${poolId}`, '', call);
    if (this.refusal !== undefined) throw this.refusal;
    const texts = input.kind === 'chat' ? input.messages.map(({ content }) => content) : [];
    return Promise.resolve(texts.join(' ').split(' ').length);
  }

  async confirm(nodeId: string, taskId: string, call: CallContext) {
    this.note(nodeId, 'confirm', taskId, call);
    const run = this.run(taskId);
    run.confirmed = true;
    run.wake();
    return Promise.resolve(run.view());
  }

  async withdraw(nodeId: string, taskId: string, call: CallContext) {
    this.note(nodeId, 'withdraw', taskId, call);
    this.runs.delete(taskId);
    return Promise.resolve();
  }

  async abandon(nodeId: string, taskId: string, call: CallContext) {
    this.note(nodeId, 'abandon', taskId, call);
    return Promise.resolve();
  }

  async view(nodeId: string, taskId: string, call: CallContext) {
    this.note(nodeId, 'view', taskId, call);
    const run = this.runs.get(taskId);
    return Promise.resolve(run && { ...run.view(), dialect: run.offer.dialect ?? null });
  }

  async cancel(nodeId: string, taskId: string, _reason: string, call: CallContext) {
    this.note(nodeId, 'cancel', taskId, call);
    const run = this.runs.get(taskId);
    if (run !== undefined && !run.ended) {
      run.state = 'cancelled';
      run.publish({
        type: 'error',
        data: new DroverError('CANCELLED', 'the task was cancelled').toEnvelope(),
      });
    }
    return Promise.resolve(run?.view());
  }

  async fence(nodeId: string, taskId: string, epoch: number, call: CallContext) {
    this.note(nodeId, `fence ${epoch}`, taskId, call);
    const run = this.runs.get(taskId);
    return Promise.resolve(run?.nodeId === nodeId ? { run: run.view(), frames: [...run.frames] } : undefined);
  }

  /** What nodes were given of tasks that others had lost. */
  readonly takenOver: PlacedRun[] = [];

  async takeOver(nodeId: string, placed: PlacedRun, call: CallContext) {
    this.note(nodeId, 'takeOver', placed.task_id, call);
    const run = new MemoryRun(nodeId, placed);
    run.confirmed = true;
    run.epoch = placed.epoch;
    run.frames.push(...(placed.past ?? []));
    this.takenOver.push(placed);
    this.runs.set(placed.task_id, run);
    return Promise.resolve(run.view());
  }

  async frames(nodeId: string, taskId: string, from: number, call: CallContext) {
    this.note(nodeId, `frames ${from}`, taskId, call);
    const run = this.runs.get(taskId);
    if (run === undefined) return Promise.resolve(undefined);
    const { budgets } = run.offer;
    const batches = this.tail(run, from, call.signal);
    return Promise.resolve({ liveFrom: run.frames.length, budgets, batches });
  }

  private async *tail(run: MemoryRun, from: number, signal?: AbortSignal): AsyncGenerator<Frame[]> {
    let [next, isCut] = [from, false];
    let wake = (): void => undefined;
    const cut = () => {
      isCut = true;
      wake();
    };
    const unwatch = run.watch(() => wake());
    signal?.addEventListener('abort', cut);
    this.cuts.add(cut);
    this.openTails += 1;
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        if (isCut || this.away.has(run.nodeId)) throw new Error('connection cut');
        const batch = run.confirmed ? run.frames.slice(next) : [];
        next += batch.length;
        if (batch.length > 0) yield batch;
        else if (run.ended) return;
        else await woken;
      }
    } finally {
      this.openTails -= 1;
      this.cuts.delete(cut);
      unwatch();
    }
  }

  private note(
    nodeId: string,
    what: string,
    taskId: string,
    { correlationId, trace = {} }: CallContext,
  ): void {
    const text = [nodeId, what, taskId].filter((part) => part !== '').join(' ');
    this.onCall(text);
    this.calls.push(text);
    this.correlationIds.push(correlationId);
    this.traces.push(trace);
    if (this.away.has(nodeId)) {
      const extras = { retry_after_ms: 1_000, policy_label: 'retry' };
      throw new DroverError('POOL_UNAVAILABLE', 'the node of the pool cannot be reached', extras);
    }
  }
}
