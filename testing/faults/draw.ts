/** Numbers that a seed decides: the same seed draws the same numbers on every machine, so a failing run can be repeated. */

/** A stream of drawn numbers (mulberry32: 32 bits of state, a full period, and as many lines as it needs). */
export class Draw {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A number from 0 up to, but not, 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list. @throws RangeError when the list is empty */
  pick<T>(list: readonly T[]): T {
    const picked = list[this.between(0, list.length - 1)];
    if (picked === undefined) throw new RangeError('there is nothing to draw from');
    return picked;
  }

  /** A stream of its own for one actor: how much another one draws does not change it. */
  fork(): Draw {
    return new Draw(Math.floor(this.next() * 4_294_967_296));
  }
}
