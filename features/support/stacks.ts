/**
 * The stacks of one run. Most scenarios share one; others ask for settings of their own, and scenarios with the same
 * wish share again. A scenario that has killed something spoils its stack, which then ends with it.
 */
import { Stack, type RunParts, type StackWish } from './stack.js';

/** Idle stacks with settings of their own that stay up: each holds an engine's memory. */
const KEPT = 2;

/** Keeper of the stacks. */
export class Stacks {
  private readonly kept = new Map<string, Stack>();
  private readonly spoiled = new Set<Stack>();

  private constructor(
    private readonly parts: RunParts,
    /** The stack that scenarios without a wish share. */
    readonly shared: Stack,
  ) {}

  /** Starts the shared stack. */
  static async start(parts: RunParts): Promise<Stacks> {
    const stacks = new Stacks(parts, new Stack('shared', {}, 'default', parts));
    await stacks.startOrEnd(stacks.shared);
    return stacks;
  }

  /** A stack like this that no scenario has spoiled. */
  async borrow(wish: StackWish): Promise<Stack> {
    const key = JSON.stringify(wish);
    const known = this.kept.get(key) ?? (await this.startKept(key, wish));
    // The one that is borrowed last is the last to go.
    this.kept.delete(key);
    this.kept.set(key, known);
    return known;
  }

  /** A stack that nobody has used, and that nobody will use again. */
  async fresh(wish: StackWish): Promise<Stack> {
    const stack = this.make(wish);
    this.spoiled.add(stack);
    await this.startOrEnd(stack);
    return stack;
  }

  /** The scenario has done something to this stack that others must not meet. */
  spoil(stack: Stack): void {
    if (stack === this.shared) throw new Error('the shared stack is everybody’s: ask for a fresh one');
    for (const [key, known] of this.kept) if (known === stack) this.kept.delete(key);
    this.spoiled.add(stack);
  }

  /** True when the stack ends with the scenario. */
  isSpoiled(stack: Stack): boolean {
    return this.spoiled.has(stack);
  }

  /** Ends what the scenario has spoiled. */
  async endSpoiled(): Promise<void> {
    const ending = [...this.spoiled];
    this.spoiled.clear();
    await Promise.all(ending.map((stack) => stack.stop()));
  }

  /** Ends everything. */
  async endAll(): Promise<void> {
    for (const stack of [...this.kept.values(), this.shared]) this.spoiled.add(stack);
    this.kept.clear();
    await this.endSpoiled();
  }

  private async startKept(key: string, wish: StackWish): Promise<Stack> {
    const [oldest] = this.kept;
    if (oldest !== undefined && this.kept.size >= KEPT) {
      this.kept.delete(oldest[0]);
      await oldest[1].stop();
    }
    const stack = this.make(wish);
    await this.startOrEnd(stack);
    this.kept.set(key, stack);
    return stack;
  }

  private make(wish: StackWish): Stack {
    const namespace = this.parts.temporal.nextNamespace();
    return new Stack(namespace, wish, namespace, this.parts);
  }

  private async startOrEnd(stack: Stack): Promise<void> {
    try {
      await stack.start();
    } catch (err) {
      this.spoiled.delete(stack);
      await stack.stop();
      throw err;
    }
  }
}
