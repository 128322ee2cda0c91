/** The command line of `npm run faults`. */
import { parseArgs } from 'node:util';
import { VICTIMS, type PlanWish, type VictimName } from './plan.js';

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** How it is called. */
export const USAGE = `usage: npm run faults -- [--seed N | --seeds N,N,...] [--seconds N] [--victims ${VICTIMS.join(',')}]`;

/** What CI plays: three seeds of this length take about two minutes. */
const DEFAULTS = { seeds: '1,2,3', seconds: '15', victims: VICTIMS.join(',') };
const LONGEST_SECONDS = 3_600;

/** Reads the command line: a wish for each seed. @throws UsageError */
export function readOptions(args: readonly string[]): PlanWish[] {
  const { seed, seeds, seconds, victims } = valuesOf(args);
  const wish = {
    seconds: wholeNumber('--seconds', seconds ?? DEFAULTS.seconds, { least: 1, most: LONGEST_SECONDS }),
    victims: (victims ?? DEFAULTS.victims).split(',').map(victimNamed),
  };
  const limits = { least: 0, most: 0xffff_ffff };
  return (seed ?? seeds ?? DEFAULTS.seeds)
    .split(',')
    .map((text) => ({ seed: wholeNumber('a seed', text, limits), ...wish }));
}

/** The command that plays one seed again. */
export function reproduction({ seed, seconds, victims }: PlanWish): string {
  return `npm run faults -- --seed ${seed} --seconds ${seconds} --victims ${victims.join(',')}`;
}

function valuesOf(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = { seed: text, seeds: text, seconds: text, victims: text };
    return parseArgs({ args: [...args], options }).values;
  } catch (err) {
    throw new UsageError(err instanceof Error ? err.message : String(err));
  }
}

function wholeNumber(what: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${what} must be a whole number from ${least} to ${most}, not "${text}"`);
}

function victimNamed(name: string): VictimName {
  const known = VICTIMS.find((victim) => victim === name);
  if (known === undefined) throw new UsageError(`there is no victim "${name}", but ${VICTIMS.join(', ')}`);
  return known;
}
