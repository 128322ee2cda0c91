/**
 * One upstream tail of a task's run log, shared by all its readers in this process. Frames are kept once, in order of
 * their offsets; a reader is only a cursor, so a slow one costs no memory (`design.md` beside this file).
 */
import type { Budgets } from '../../contracts/session.js';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../../contracts/errors.js';
import { closesStream, type Frame, type MetricsData } from '../../contracts/events.js';
import type { FrameTail } from '../clients/node-link.js';

/** What a tail is given. */
export interface TaskTailDeps {
  /** Opens the log from an offset on, at whichever node has the task now; undefined where that node knows no such run. */
  connect: (
    from: number,
    signal: AbortSignal,
    onPreparation: (figures: MetricsData) => void,
  ) => Promise<FrameTail | undefined>;
  /** Whether a run that its node does not know may still come back there. */
  mayComeBack: () => Promise<boolean>;
  /** Told of the first token, where it comes by. */
  onFirstToken?: () => void;
  now: () => number;
  /** Told why a connection broke; `isFirst` of a row of failures. */
  onBreak?: (err: unknown, isFirst: boolean) => void;
  /** Pauses between attempts double from the first to the last. */
  retry?: { firstMs: number; lastMs: number; giveUpMs: number };
}

/**
 * A node worker restarts within seconds. A node that is lost is given up after a missed heartbeat (10 s), some more
 * that go into polls which are lost with it, and 30 s in which nobody takes its runs up; then its tasks go to another, which
 * readers wait for.
 */
const RETRY = { firstMs: 50, lastMs: 1_000, giveUpMs: 120_000 };
/** A connection that held for this long was one, though no frame came: the task waits in its queue. */
const STEADY_MS = 1_000;
/** A client that still wants the task comes again. */
const RETRY_AFTER_MS = 1_000;

/** The tail of one task. */
export class TaskTail {
  /** Settles with the first answer about the task: it is there, or (rejected, TASK_NOT_FOUND) it is not. */
  readonly opened: Promise<void>;
  /** What the task's session had left at admission, once the log has been opened. */
  budgets: Budgets | undefined;
  /** How far the preparation of a task is that has nothing else to show. */
  preparation: MetricsData | undefined;
  private liveSince = Number.POSITIVE_INFINITY;
  private kept: Frame[] = [];
  private earlier: Frame[] = [];
  private extending = false;
  private ended = false;
  private stopped = false;
  private brokenSinceMs: number | undefined;
  private connection = new AbortController();
  private problem: DroverError | undefined;
  private readonly watchers = new Set<() => void>();
  private settleOpened: { resolve: () => void; reject: (err: Error) => void } = NOTHING;

  constructor(
    private readonly deps: TaskTailDeps,
    private from: number,
  ) {
    this.opened = new Promise((resolve, reject) => (this.settleOpened = { resolve, reject }));
    this.opened.catch(() => undefined); // Whoever waits for it hears of it.
    void this.run();
  }

  /** Frames in order; the array is replaced when earlier ones are fetched. */
  get frames(): readonly Frame[] {
    return this.kept;
  }

  /** Offsets below this were in the log when the tail was first opened: replay, which goes out whole to a slow reader too. */
  get liveFrom(): number {
    return this.liveSince;
  }

  /** True once the closing frame is there. */
  get closed(): boolean {
    return this.ended;
  }

  /** Everything that the task has shown, where the tail has it from the first frame on. */
  get shown(): readonly Frame[] | undefined {
    return this.kept[0]?.type === 'started' && !this.extending ? this.kept : undefined;
  }

  /** Why the tail gave up before the closing frame. */
  get failure(): DroverError | undefined {
    return this.problem;
  }

  /** Index in `frames` of the first frame at or after `offset`; undefined while it has yet to come. */
  indexOf(offset: number): number | undefined {
    const first = this.kept[0];
    if (first === undefined || (this.extending && offset < first.offset)) return undefined;
    let [low, high] = [0, this.kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.kept[middle]?.offset ?? offset) < offset) low = middle + 1;
      else high = middle;
    }
    return low < this.kept.length ? low : undefined;
  }

  /** Makes sure that frames from `offset` on are there or will come. False when the log is closed and lacks them. */
  covers(offset: number): boolean {
    if (offset >= this.from) return true;
    if (this.ended || this.problem !== undefined) return false;
    this.from = offset;
    this.extending = this.kept.length > 0;
    this.earlier = [];
    this.connection.abort();
    return true;
  }

  /** Calls `listener` whenever frames came or the tail ended; returns the way to stop that. */
  watch(listener: () => void): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  /** Nobody reads any more. */
  stop(): void {
    this.stopped = true;
    this.connection.abort();
  }

  private isOver(): boolean {
    return this.stopped || this.ended || this.problem !== undefined;
  }

  private async run(): Promise<void> {
    const { firstMs, lastMs, giveUpMs } = this.deps.retry ?? RETRY;
    let pauseMs = firstMs;
    while (!this.isOver()) {
      this.connection = new AbortController();
      const { signal } = this.connection;
      const progressed = await this.followOnce(signal);
      if (this.isOver()) return;
      if (signal.aborted) continue; // Earlier frames are wanted: connect again from there.
      this.brokenSinceMs ??= this.deps.now();
      if (this.deps.now() - this.brokenSinceMs >= giveUpMs) return this.fail(nodeAway());
      pauseMs = progressed ? firstMs : Math.min(pauseMs * 2, lastMs);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined); // Cut short by stop() and covers().
    }
  }

  /** One connection, to its end; true when it brought frames. */
  private async followOnce(signal: AbortSignal): Promise<boolean> {
    const before = this.nextOffset();
    let connectedAtMs = Number.POSITIVE_INFINITY;
    try {
      const opened = await this.deps.connect(before, signal, (figures) => this.prepares(figures));
      if (opened === undefined) return await this.unknownToNode();
      this.liveSince = Math.min(this.liveSince, opened.liveFrom);
      this.budgets ??= opened.budgets;
      connectedAtMs = this.deps.now();
      this.settleOpened.resolve();
      for await (const batch of opened.batches) {
        if (signal.aborted) break; // What is wanted has changed: this batch may lie behind a gap.
        this.accept(batch);
        if (this.ended) break;
      }
    } catch (err) {
      if (isLoss(err)) this.fail(lost());
      if (!signal.aborted) this.deps.onBreak?.(err, this.brokenSinceMs === undefined);
      this.settleOpened.resolve(); // The node is away for now, the task is not: its readers wait.
    }
    const progressed = this.nextOffset() > before;
    if (progressed || this.deps.now() - connectedAtMs >= STEADY_MS) this.brokenSinceMs = undefined;
    return progressed;
  }

  private async unknownToNode(): Promise<false> {
    if (await this.deps.mayComeBack()) this.settleOpened.resolve();
    else this.fail(this.kept.length > 0 ? lost() : notFound());
    return false;
  }

  /** Where the next connection begins: the earliest frame that is wanted and not there. */
  private nextOffset(): number {
    if (this.extending) return (this.earlier.at(-1)?.offset ?? this.from - 1) + 1;
    const last = this.kept.at(-1);
    return last === undefined ? this.from : last.offset + 1;
  }

  private prepares(figures: MetricsData): void {
    if (this.kept.length > 0) return;
    this.preparation = figures;
    this.tell();
  }

  private accept(batch: readonly Frame[]): void {
    for (const frame of batch) {
      if (this.extending && !this.joinEarlier(frame)) continue;
      const last = this.kept.at(-1);
      const isNext = last === undefined ? frame.offset >= this.from : frame.offset > last.offset;
      // A lower epoch comes from a node that lost the task and does not know it yet.
      if (!isNext || (last !== undefined && frame.epoch < last.epoch)) continue;
      this.kept.push(frame);
      // An input that was answered leaves nothing in the engine's memory that a session could go on from.
      if (frame.type === 'token' && frame.data.i === 0 && frame.data.t !== '') this.deps.onFirstToken?.();
      this.ended = closesStream(frame);
      if (this.ended) break;
    }
    this.tell();
  }

  /** Gathers what lies before the kept frames; true once both have met, so that `frame` may be appended. */
  private joinEarlier(frame: Frame): boolean {
    const first = this.kept[0];
    if (first !== undefined && frame.offset < first.offset) {
      if (frame.offset >= this.nextOffset()) this.earlier.push(frame);
      return false;
    }
    this.kept = [...this.earlier, ...this.kept];
    this.earlier = [];
    this.extending = false;
    return true;
  }

  private fail(problem: DroverError): void {
    this.problem = problem;
    this.settleOpened.reject(problem);
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

/** The task began anew behind frames that were shown here. */
function isLoss(err: unknown): boolean {
  return err instanceof DroverError && err.code === 'WORKER_RESET';
}

const NOTHING = { resolve: () => undefined, reject: () => undefined };

function notFound(): DroverError {
  return new DroverError('TASK_NOT_FOUND', 'the frames of this task are not kept any more');
}

function lost(): DroverError {
  return new DroverError('WORKER_RESET', 'the node of the task has lost its run');
}

function nodeAway(): DroverError {
  return new DroverError('POOL_UNAVAILABLE', 'the node of the task cannot be reached', {
    retry_after_ms: RETRY_AFTER_MS,
    policy_label: 'retry',
  });
}
