/**
 * `npm run faults`: plays seeds, each on a stack of its own, and says of each what held. The last line is
 * `N passed, N failed`, where each group of checks of each seed counts; exit code 1 when anything failed.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Models } from '../../features/support/models.js';
import { findTestParts, PROGRAMS } from '../../features/support/places.js';
import { tryHosts } from './cables.js';
import { CHECKS, checkAll, type CheckResult } from './checks.js';
import { readOptions, reproduction, USAGE, UsageError } from './options.js';
import { planOf, VICTIMS, type PlanWish, type VictimName } from './plan.js';
import { playSeed } from './play.js';
import { planInWords } from './print-plan.js';
import { endRig, type House, type StartedRig } from './rig.js';
import { SmallDisk } from './small-disk.js';
import { Undisturbed } from './undisturbed.js';

const LOG_ROOT = resolve(import.meta.dirname, '..', '..', '.test-logs', 'faults');
/** Problems of one group that are printed; all of them stand in `problems.log`. */
const PRINTED_PROBLEMS = 5;

/** What a shell calls "ended by SIGINT". */
const INTERRUPTED = 130;

const print = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const wishes = readOptions(process.argv.slice(2));
  const missing = Object.values(PROGRAMS).filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`npm run build first: ${missing.join(', ')} is missing`);
  const parts = await findTestParts();
  const needs = (victim: VictimName): boolean => wishes.some(({ victims }) => victims.includes(victim));
  if (needs('disk')) await demand('disk', 'the right to mount', tryMount);
  if (needs('cut')) await demand('cut', 'the right to make network hosts, and iproute2', tryHosts);
  const work = await mkdtemp(join(tmpdir(), 'drover-faults-'));
  const models = new Models(work, parts.DROVER_TEST_MODEL);
  const house = {
    temporalPath: parts.DROVER_TEST_TEMPORAL,
    models,
    logRoot: LOG_ROOT,
    work,
    rigs: new Set<StartedRig>(),
  };
  endOnSignals(house);
  const undisturbed = new Undisturbed();
  const sums: string[] = [];
  let [passed, failed] = [0, 0];
  try {
    for (const wish of wishes) {
      const { results, line } = await judge(wish, house, undisturbed);
      failed += results.filter(({ problems }) => problems.length > 0).length;
      passed += results.filter(({ problems }) => problems.length === 0).length;
      sums.push(line);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  for (const line of ['', ...sums, `${passed} passed, ${failed} failed`]) print(line);
  return failed === 0 ? 0 : 1;
}

/** @throws UsageError where this machine lacks what striking such a victim takes */
async function demand(victim: VictimName, what: string, attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt();
  } catch (err) {
    const others = VICTIMS.filter((name) => name !== victim).join(',');
    const why = err instanceof Error ? err.message : String(err);
    throw new UsageError(`the victim "${victim}" takes ${what}; without it: --victims ${others}\n${why}`);
  }
}

/** @throws Error where no disk can be made that may be filled */
async function tryMount(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-faults-disk-'));
  try {
    await (await SmallDisk.mount(folder, 0)).unmount();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Engines are nobody's children: Ctrl-C must not leave them behind. */
function endOnSignals({ rigs, work }: House): void {
  const end = async (): Promise<void> => {
    await Promise.allSettled([...rigs].map(endRig));
    await rm(work, { recursive: true, force: true });
    process.exit(INTERRUPTED);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end());
}

/** Plays a seed and checks it; a stack that does not come up has failed every group. */
async function judge(wish: PlanWish, house: House, undisturbed: Undisturbed) {
  const plan = planOf(wish);
  const words = planInWords(plan);
  for (const line of ['', ...words]) print(line);
  const startedAt = performance.now();
  let results: CheckResult[];
  let seen = '';
  try {
    const facts = await playSeed(plan, house, undisturbed);
    results = checkAll(facts);
    const visits = facts.stories.reduce((sum, story) => sum + story.visits.length, 0);
    const struck = facts.strikes.filter((line) => line.includes(': struck ')).length;
    seen = `${facts.stories.length} tasks, ${visits} visits, ${struck} strikes, `;
  } catch (err) {
    const problems = [err instanceof Error ? (err.stack ?? err.message) : String(err)];
    results = Object.keys(CHECKS).map((name) => ({ name: name as CheckResult['name'], problems }));
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const bad = results.filter(({ problems }) => problems.length > 0);
  const logs = join(house.logRoot, String(wish.seed));
  if (bad.length === 0) await rm(logs, { recursive: true, force: true });
  else await report(bad, { wish, logs, words });
  const verdict = bad.length === 0 ? 'ok' : `FAILED: ${bad.map(({ name }) => name).join(', ')}`;
  return { results, line: `seed ${wish.seed}: ${seen}${seconds} s, ${verdict}` };
}

async function report(
  bad: readonly CheckResult[],
  { wish, logs, words }: { wish: PlanWish; logs: string; words: readonly string[] },
): Promise<void> {
  const all = bad.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`));
  await writeFile(join(logs, 'problems.log'), `${[...words, '', ...all].join('\n')}\n`);
  for (const line of printable(bad)) print(`  ${line}`);
  print(`  logs: .test-logs/faults/${wish.seed}`);
  print(`  again: ${reproduction(wish)}`);
}

/** The first problems of each group; when the stack did not come up, all groups have the same one. */
function printable(bad: readonly CheckResult[]): string[] {
  const [first] = bad;
  const isOne = bad.length > 1 && bad.every(({ problems }) => problems === first?.problems);
  if (first !== undefined && isOne) return [`all: ${first.problems.join('\n')}`];
  return bad.flatMap(({ name, problems }) => {
    const left = problems.length - PRINTED_PROBLEMS;
    return [
      ...problems.slice(0, PRINTED_PROBLEMS).map((problem) => `${name}: ${problem}`),
      ...(left > 0 ? [`${name}: and ${left} more`] : []),
    ];
  });
}

try {
  process.exitCode = await main();
} catch (err) {
  if (err instanceof UsageError) process.stderr.write(`${err.message}\n${USAGE}\n`);
  else process.stderr.write(`${err instanceof Error ? (err.stack ?? err.message) : String(err)}\n`);
  process.exitCode = err instanceof UsageError ? 2 : 1;
}
