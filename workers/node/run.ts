/**
 * One run of a task on this node: its record, its frames and who waits for them. It moves only forward
 * (`domain/task.ts`), and everything that a reader may see stands in the run log first.
 */
import { closesStream, type Frame } from '../../contracts/events.js';
import type { ErrorEnvelope } from '../../contracts/errors.js';
import { isPrompt, type RunOffer, type RunView } from '../../contracts/node.js';
import type { Admission } from '../../contracts/task.js';
import {
  isTerminal,
  mayMove,
  type CancelReason,
  type StopReason,
  type TaskState,
} from '../../domain/task.js';
import { hasReadLostFrames } from '../../domain/fence.js';
import { Readers } from './readers.js';
import type { LoggedFrame, LogRecord, RunLog } from './run-log.js';

/** Facts that only the pool knows, for the run's view. */
export interface RunPlace {
  nodeId: string;
  engine: string;
  engineVersion: string | null;
  modelRef: string;
}

/** How a run ended. */
export interface RunEnd {
  state: TaskState;
  stopReason: StopReason | null;
  error: ErrorEnvelope | null;
}

/** A run, live or ended. Its owner is the {@link RunRegister} of this node. */
export class Run {
  /** Ids of the engine tokens that the logged frames stand for: from here a run is continued. */
  readonly ids: number[] = [];
  /** All frames, or null once an ended run's are only in its log. */
  private live: Frame[] | null = [];
  private last: Frame | undefined;
  private frameCount = 0;
  /** Relays that follow this run, one an API process. */
  readonly readers = new Readers();
  /** Aborts the engine's stream; the reason is a {@link CancelReason}. */
  abort = new AbortController();
  /** Whether it is still this node's is not known: it does nothing and shows nothing until its workflow says so. */
  held = false;
  /** The epoch in which it is another node's; null while it is not known to be. */
  fencedBy: number | null = null;
  state: TaskState = 'queued';
  confirmed = false;
  /** Temporal has the task, though the log had no room to say so yet. */
  isExpected = false;
  replicaId: string | null = null;
  promptIds: number[] | null = null;
  /** File of the model whose vocabulary {@link promptIds} and {@link ids} are of. */
  promptModel: string | null = null;
  /** File name of the model with which another node began it. */
  get takenOverModel(): string | undefined {
    const [first] = this.framesFrom(0);
    return first?.type === 'started' ? first.model : undefined;
  }

  /** Its engine takes text, and tells no ids. */
  isByText = false;
  /** How often it was given to an engine without another token since. */
  fruitless = 0;
  /** Longest execution; null before it has a slot. */
  wallMs: number | null = null;
  /** The next token brings a `metrics` frame, however soon after the last one. */
  metricsDue = false;
  /** Probability that it would end in time, as its first `metrics` frame told. */
  forecast: number | null = null;
  tokensIn: number | null = null;
  tokensOut = 0;
  startedAtMs: number | null = null;
  firstTokenAtMs: number | null = null;
  /** Whether its engine has kept something of its session; null until a `metrics` frame said so. */
  kvWarmth: boolean | null = null;
  endedAtMs: number | null = null;
  cancelReason: CancelReason | null = null;
  /** Who had called it off when it ended. */
  endedBy: CancelReason | null = null;
  /** Its engine runs one task at a time, so that equal requests give equal texts (B-DP-194). */
  isOnDeterministicPool = false;
  end: RunEnd | null = null;
  discarded = false;
  private epoch: number;
  private nextTokenIndex = 0;
  private readonly waiters = new Set<() => void>();

  constructor(
    readonly offer: RunOffer,
    readonly admission: Admission,
    readonly sequence: number,
    readonly admittedAtMs: number,
    private readonly log: RunLog,
    private readonly firstOffset = 0,
  ) {
    this.epoch = offer.epoch;
  }

  get taskId(): string {
    return this.offer.task_id;
  }

  get logPath(): string {
    return this.log.path;
  }

  get ended(): boolean {
    return this.end !== null;
  }

  /** The same instant on every node; only records from before it was fixed at admission count from their own. */
  get deadlineAtMs(): number {
    const { deadline_at_ms, request } = this.offer;
    return deadline_at_ms ?? this.admittedAtMs + request.deadline_ms;
  }

  /** What its session is charged for: what it puts out, or, where it only reads, what it has read. */
  get tokensCharged(): number {
    return isPrompt(this.offer.input) ? this.tokensOut : (this.tokensIn ?? 0);
  }

  /** Index of the next `token` frame. */
  get tokenIndex(): number {
    return this.nextTokenIndex;
  }

  /** Temporal has the task: readers may see its frames from now on. */
  confirm(epoch: number, nowMs: number): void {
    if (this.confirmed && epoch <= this.epoch) return;
    if (this.ended && this.confirmed) return;
    this.record({ kind: 'confirmed', epoch, at_ms: nowMs });
    if (this.ended) this.log.close();
    this.wake();
  }

  /** Writes frames, all with one write, then shows them. The caller has checked that the run goes on. */
  publish(frames: readonly LoggedFrame[], nowMs: number): void {
    const next = this.nextOffset;
    const shown = frames.map(({ body, ids }, index): Frame => {
      const frame = { ...body, offset: next + index, epoch: this.epoch };
      return ids.length === 0 ? frame : { ...frame, ids: [...ids] };
    });
    this.append(shown, nowMs);
  }

  /** Takes over what it showed at a node that is lost or has given it up. */
  takeOver(frames: readonly Frame[], nowMs: number): void {
    this.append(frames, nowMs);
  }

  private append(frames: readonly Frame[], nowMs: number): void {
    const records = frames.map((frame): LogRecord => ({ kind: 'frame', frame, at_ms: nowMs }));
    this.log.append(records);
    for (const record of records) this.apply(record);
    this.wake();
  }

  /** Writes one record and takes it over into the state. */
  record(record: LogRecord): void {
    this.log.append([record]);
    this.apply(record);
  }

  /** Takes a record into the state: as it is written, and again when a log is read back. */
  apply(record: LogRecord): void {
    if (record.kind === 'confirmed') {
      this.confirmed = true;
      this.epoch = Math.max(this.epoch, record.epoch);
    } else if (record.kind === 'dispatched') {
      this.replicaId = record.replica_id;
      this.promptModel = record.model;
      this.fruitless += 1;
      this.tokensIn = record.tokens_in;
      this.isByText = record.by_text === true;
      this.startedAtMs ??= record.at_ms;
      this.move('dispatched');
    } else if (record.kind === 'cancel') {
      this.cancelReason = record.reason;
      this.move('cancel_requested');
    } else if (record.kind === 'closed') {
      this.end = { state: record.state, stopReason: record.stop_reason, error: record.error };
      // Nothing is asked of a run that is over (B-DP-142).
      this.endedBy = this.cancelReason;
      this.cancelReason = null;
      this.endedAtMs = record.at_ms;
      this.state = record.state;
    } else if (record.kind === 'frame') {
      this.applyFrame(record.frame, record.frame.ids ?? record.ids ?? [], record.at_ms);
    } else if (record.kind === 'fenced') {
      this.fencedBy = record.epoch;
      this.endedAtMs = record.at_ms;
      this.held = true;
    }
  }

  private applyFrame(frame: Frame, ids: readonly number[], atMs: number): void {
    this.live?.push(frame);
    this.last = frame;
    this.frameCount += 1;
    this.ids.push(...ids);
    // Without ids each piece of text counts as a token, until the engine says how many there were.
    const tokens = this.isByText && frame.type === 'token' ? 1 : ids.length;
    this.tokensOut += tokens;
    if (tokens > 0) this.fruitless = 0;
    if (frame.type === 'end') {
      this.tokensOut = frame.data.tokens_out;
      if (this.isByText) this.tokensIn = frame.data.tokens_in;
    }
    if (frame.type === 'token' && frame.data.tokens_in !== undefined) {
      this.tokensIn = frame.data.tokens_in;
      this.fruitless = 0;
    }
    if (frame.type === 'token') {
      this.nextTokenIndex = frame.data.i + 1;
      this.firstTokenAtMs ??= atMs;
      this.move('executing');
    }
  }

  /** The text of its tokens so far. */
  get text(): string {
    return this.framesFrom(0)
      .map((frame) => (frame.type === 'token' ? frame.data.t : ''))
      .join('');
  }

  /** Back into the queue after its engine's or a worker's death; the tokens that are logged stay. */
  requeue(): void {
    this.state = 'queued';
    this.replicaId = null;
  }

  /** Stops showing anything, and ends the streams that are open. */
  hold(): void {
    this.held = true;
    this.wake();
  }

  /** It is this node's after all. */
  takeUp(): void {
    this.held = false;
    this.abort = new AbortController();
    this.requeue();
  }

  private move(to: TaskState): void {
    if (mayMove(this.state, to)) this.state = to;
  }

  /** Writes the final record; done twice it is done once. */
  recordEnd(end: RunEnd, nowMs: number): void {
    if (this.end !== null) return;
    if (!isTerminal(end.state)) throw new Error(`a run does not end as ${end.state}`);
    this.record({
      kind: 'closed',
      state: end.state,
      stop_reason: end.stopReason,
      error: end.error,
      at_ms: nowMs,
    });
    this.wake();
  }

  /** Makes the final record durable. */
  async settleLog(): Promise<void> {
    await this.log.checkpoint();
    // A short run may end before its offer is confirmed, which the log has to say too.
    if (this.confirmed) this.log.close();
  }

  /** Survives a power cut up to here. */
  checkpoint(): Promise<void> {
    return this.log.checkpoint();
  }

  /** Lets go of the log: the offer is void, or the next worker goes on. Streams of it end without a last frame. */
  discard(): void {
    this.discarded = true;
    this.log.close();
    this.wake();
  }

  /** Resolves when the run has ended or was discarded, or when `signal` aborts. */
  untilOver(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        if (!this.ended && !this.discarded && !signal.aborted) return;
        unwatch();
        signal.removeEventListener('abort', settle);
        resolve();
      };
      const unwatch = this.watch(settle);
      signal.addEventListener('abort', settle);
      settle();
    });
  }

  /** The last frame is there, or the run ended without any. */
  get streamClosed(): boolean {
    return this.ended || (this.last !== undefined && closesStream(this.last));
  }

  get lastFrame(): Frame | undefined {
    return this.last;
  }

  /** The offset of the next frame. */
  get nextOffset(): number {
    return this.firstOffset + this.frameCount;
  }

  /** True for a reader that wants to go on behind frames which were lost with another node. */
  hasLost(from: number): boolean {
    return hasReadLostFrames(from, this.firstOffset);
  }

  /** Frames from an offset on; of an archived run they are read from its log. */
  framesFrom(offset: number): Frame[] {
    return (this.live ?? this.log.frames()).slice(Math.max(0, offset - this.firstOffset));
  }

  /** Keeps an ended run's frames only in its log, so that old runs cost no memory. */
  archive(): void {
    if (!this.ended) return;
    this.live = null;
    this.ids.length = 0;
  }

  /** Calls `listener` at every change until the returned function is called. */
  watch(listener: () => void): () => void {
    this.waiters.add(listener);
    return () => this.waiters.delete(listener);
  }

  private wake(): void {
    for (const listener of [...this.waiters]) listener();
  }

  /** How the run stands, for the gateway. */
  view(place: RunPlace, queuePosition: number | null): RunView {
    return {
      task_id: this.taskId,
      node_id: place.nodeId,
      pool_id: this.offer.pool_id,
      replica_id: this.replicaId,
      epoch: this.epoch,
      digest: this.offer.digest,
      confirmed: this.confirmed,
      state: this.state,
      ended: this.ended,
      engine: place.engine,
      engine_version: place.engineVersion,
      model_ref: place.modelRef,
      priority: this.offer.request.priority,
      queue_position: queuePosition,
      admission: this.admission,
      admitted_at_ms: this.admittedAtMs,
      started_at_ms: this.startedAtMs,
      first_token_at_ms: this.firstTokenAtMs,
      ended_at_ms: this.endedAtMs,
      tokens_in: this.tokensIn,
      tokens_out: this.tokensOut,
      stop_reason: this.end?.stopReason ?? null,
      error: this.end?.error ?? null,
      next_offset: this.nextOffset,
      correlation_id: this.offer.correlation_id,
      dialect: null,
    };
  }
}
