/** The groups of checks by name; each answers with what is wrong, in words. Pure: a test plants violations in the facts. */
import {
  answerProblems,
  balanceProblems,
  onceProblems,
  preloadProblems,
  processProblems,
  recordProblems,
} from './check-records.js';
import { endProblems, offsetProblems, textProblems } from './check-streams.js';
import type { Facts } from './facts.js';

/** Groups, in the order they are reported. */
export const CHECKS = {
  ends: endProblems,
  offsets: offsetProblems,
  text: textProblems,
  answers: answerProblems,
  once: onceProblems,
  balance: balanceProblems,
  record: recordProblems,
  pools: preloadProblems,
  processes: processProblems,
} as const satisfies Record<string, (facts: Facts) => string[]>;

/** A group's name. */
export type CheckName = keyof typeof CHECKS;

/** A group's outcome. */
export interface CheckResult {
  name: CheckName;
  problems: readonly string[];
}

/** Runs every group; one that breaks off has found something that no check expected. */
export function checkAll(facts: Facts): CheckResult[] {
  return Object.entries(CHECKS).map(([name, check]) => ({
    name: name as CheckName,
    problems: run(check, facts),
  }));
}

function run(check: (facts: Facts) => string[], facts: Facts): string[] {
  try {
    return check(facts);
  } catch (err) {
    return [`the check broke off: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`];
  }
}
