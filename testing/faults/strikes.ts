/** Plays the strikes of a plan: each at its time, or when the request it is aimed at is on its way. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from './clock.js';
import type { PlannedStrike, VictimName } from './plan.js';
import type { Victims } from './victims.js';

/** Strikes of one run. */
export class Strikes {
  /** What happened, in words, and when. */
  readonly log: string[] = [];
  /** Damage that could not be mended. */
  readonly accidents: string[] = [];
  private readonly running: Promise<void>[] = [];
  private readonly struck: VictimName[] = [];

  constructor(
    private readonly victims: Victims,
    private readonly clock: Clock,
    private readonly planned: readonly PlannedStrike[],
  ) {}

  /** Sets the clock for those that have a time. */
  begin(): void {
    for (const strike of this.planned) {
      if ('atMs' in strike.when) this.running.push(this.strikeAt(strike, strike.when.atMs));
    }
  }

  /** A task's first request is on its way. */
  onPost(task: string, door: string): void {
    for (const strike of this.planned) {
      const { when } = strike;
      if ('task' in when && when.task === task)
        this.running.push(this.strikeAfter(strike, when.afterMs, door));
    }
  }

  /** How many of these kinds were struck; a kind that is named twice counts twice. */
  count(...victims: readonly VictimName[]): number {
    return victims.reduce((sum, victim) => sum + this.struck.filter((name) => name === victim).length, 0);
  }

  /** Waits until all damage is mended; call it when no client posts any more. */
  async allMended(): Promise<void> {
    await Promise.all(this.running);
  }

  private async strikeAt(strike: PlannedStrike, atMs: number): Promise<void> {
    await this.clock.reaches(atMs);
    await this.strike(strike, undefined);
  }

  private async strikeAfter(strike: PlannedStrike, afterMs: number, door: string): Promise<void> {
    await delay(afterMs);
    await this.strike(strike, door);
  }

  private async strike(
    { victim, draw, mendAfterMs }: PlannedStrike,
    door: string | undefined,
  ): Promise<void> {
    const at = this.clock.nowMs;
    try {
      const damage = await this.victims[victim].strike({ draw, door });
      if (damage !== undefined) this.struck.push(victim);
      this.log.push(
        `${at} ms: ${damage === undefined ? `no ${victim} was left to strike` : `struck ${damage.what}`}`,
      );
      await delay(mendAfterMs);
      await damage?.mend();
      if (damage !== undefined) this.log.push(`${this.clock.nowMs} ms: ${victim} is back`);
    } catch (err) {
      this.accidents.push(`${victim} at ${at} ms: ${err instanceof Error ? err.message : String(err)}`);
    }
  }
}
