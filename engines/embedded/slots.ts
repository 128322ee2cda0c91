/**
 * Who may use which part of the context.
 *
 *   idle --acquire--> busy --release--> idle
 *                       `-- somebody waits: handed over while busy, so that nobody can slip in between
 *
 * Requests wait in the order they came. Among idle slots, the one that remembers most of the prompt is taken, else the
 * one that has been idle for longest, whose memory is the least missed.
 */
import type { LlamaSequence, TokenId } from './llama-types.js';

/** A share of the context, and the request that has it. */
export class Slot {
  /** What is being worked on; undefined when idle. Shown by `/slots`. */
  work: SlotWork | undefined;
  /** When it was last released, on a counter: higher is later. */
  lastUse = 0;
  busy = false;

  constructor(
    readonly id: number,
    readonly sequence: LlamaSequence,
    /** Tokens of context, prompt and answer together. */
    readonly contextSize: number,
  ) {}
}

/** What `/slots` shows of a busy slot. */
export interface SlotWork {
  readonly taskId: number;
  readonly promptTokens: number;
  readonly settings: Record<string, unknown>;
  readonly maxTokens: number | undefined;
  generated: number;
}

interface Waiter {
  readonly slotId: number | undefined;
  take(slot: Slot): void;
}

/** All slots, and the queue before them. */
export class SlotPool {
  readonly slots: readonly Slot[];
  readonly #waiters: Waiter[] = [];
  #clock = 0;

  constructor(slots: readonly Slot[]) {
    this.slots = slots;
  }

  /** Requests without a slot. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /** Slots with a request. */
  get busy(): number {
    return this.slots.filter((slot) => slot.busy).length;
  }

  /** Takes a slot that is idle now; undefined where there is none. */
  take(tokens: readonly TokenId[], slotId?: number): Slot | undefined {
    const idle = this.slots.filter((slot) => !slot.busy && (slotId === undefined || slot.id === slotId));
    const best = chooseSlot(idle, tokens);
    if (best !== undefined) best.busy = true;
    return best;
  }

  /**
   * Waits for a slot.
   *
   * @param tokens the prompt, to find the slot that knows it
   * @param slotId the only slot that will do, if there is one
   * @throws the signal's reason, when it is aborted before a slot is free
   */
  async acquire(tokens: readonly TokenId[], slotId: number | undefined, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const free = this.take(tokens, slotId);
    if (free !== undefined) return free;
    return new Promise<Slot>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const waiter: Waiter = {
        slotId,
        take: (slot) => {
          signal.removeEventListener('abort', onAbort);
          resolve(slot);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Gives a slot back, or on to the first request that it will do for. */
  release(slot: Slot): void {
    slot.work = undefined;
    slot.lastUse = ++this.#clock;
    const index = this.#waiters.findIndex(({ slotId }) => slotId === undefined || slotId === slot.id);
    const [waiter] = index === -1 ? [] : this.#waiters.splice(index, 1);
    if (waiter === undefined) slot.busy = false;
    else waiter.take(slot);
  }
}

/** A common beginning shorter than this share of the prompt is chance (the begin token, a role), not memory. */
const LEAST_SIMILARITY = 0.1; // llama-server's --slot-prompt-similarity

function chooseSlot(idle: readonly Slot[], tokens: readonly TokenId[]): Slot | undefined {
  const known = idle
    .map((slot) => ({ slot, length: commonLength(slot, tokens) }))
    .filter(({ length }) => length > LEAST_SIMILARITY * tokens.length)
    .sort((a, b) => b.length - a.length)[0];
  return known?.slot ?? [...idle].sort((a, b) => a.lastUse - b.lastUse)[0];
}

/** How many tokens of the prompt the slot has in memory already. */
export function commonLength({ sequence }: Slot, tokens: readonly TokenId[]): number {
  if (sequence.nextTokenIndex === 0) return 0;
  return Math.min(sequence.compareContextTokens([...tokens]).firstDifferentIndex, tokens.length);
}
