/** Timers of the runs: far deadlines, and the memory of withdrawn offers. */

/** setTimeout's own limit; a later deadline is reached in legs. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Calls `fire` once at `atMs`; the returned function calls it off. Does not keep the process alive. */
function armAt(atMs: number, now: () => number, fire: () => void): () => void {
  let timer: NodeJS.Timeout;
  const leg = () => {
    const left = atMs - now();
    if (left <= 0) fire();
    else timer = setTimeout(leg, Math.min(left, LONGEST_TIMER_MS)).unref();
  };
  timer = setTimeout(leg, Math.max(0, Math.min(atMs - now(), LONGEST_TIMER_MS))).unref();
  return () => {
    clearTimeout(timer);
  };
}

/** One timer a task. */
export class RunTimers {
  private readonly disarm = new Map<string, () => void>();

  constructor(private readonly now: () => number) {}

  /** Calls `fire` once at `atMs`, instead of whatever was set for this task. */
  set(taskId: string, atMs: number, fire: () => void): void {
    this.clear(taskId);
    this.disarm.set(taskId, armAt(atMs, this.now, fire));
  }

  clear(taskId: string): void {
    this.disarm.get(taskId)?.();
    this.disarm.delete(taskId);
  }

  clearAll(): void {
    for (const taskId of [...this.disarm.keys()]) this.clear(taskId);
  }
}

/** Ids of withdrawn offers, each for a while (design §2.2): a workflow that starts late meets one and ends. */
export class Tombstones {
  private readonly until = new Map<string, number>();

  constructor(
    private readonly keepMs: number,
    private readonly now: () => number,
  ) {}

  add(taskId: string): void {
    this.prune();
    this.until.set(taskId, this.now() + this.keepMs);
  }

  has(taskId: string): boolean {
    const until = this.until.get(taskId);
    return until !== undefined && until > this.now();
  }

  forget(taskId: string): void {
    this.until.delete(taskId);
  }

  /** Entries stand in the order they run out. */
  private prune(): void {
    for (const [taskId, until] of this.until) {
      if (until > this.now()) return;
      this.until.delete(taskId);
    }
  }
}
