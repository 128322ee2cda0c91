/** What `npm run bench` is asked for. */
import { parseArgs } from 'node:util';

/** Options of a run. */
export interface Options {
  /** One scenario; undefined runs all and writes the document. */
  only: string | undefined;
  /** A smoke check: few samples, at most a minute. */
  quick: boolean;
  /** A start in a fresh clone instead, which takes minutes. */
  cold: boolean;
  /** Folder for CPU profiles of API, node worker and control worker; figures taken with it are worth nothing. */
  profile: string | undefined;
}

/** Names that `--only` takes. */
export const SCENARIOS = [
  ...(['start', 'memory', 'first-token', 'lateness', 'throughput', 'refusals', 'overload'] as const),
  ...(['command-line', 'download', 'pools', 'recovery'] as const),
] as const;

/** Name of a scenario. */
export type ScenarioName = (typeof SCENARIOS)[number];

/** Reads the command line. @throws Error that says what can be asked for */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      cold: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  });
  const { only, quick, cold, profile } = values;
  if (only !== undefined && !SCENARIOS.some((name) => name === only)) {
    throw new Error(`--only takes one of ${SCENARIOS.join(', ')}`);
  }
  return { only, quick, cold, profile };
}
