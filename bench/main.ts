/**
 * `npm run bench`: what Drover costs, each figure beside a baseline of the same run. A full run writes
 * `docs/benchmarks.md`; `--only <scenario>` and `--quick` only print. It fails when something is wrong (a text, a lost
 * task, a start that was not eager), never for being slow.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../stack/places.js';
import { machineInWords } from './measure/machine.js';
import { profilingEnvironment, toggleProfiles } from './measure/profiles.js';
import { readOptions, SCENARIOS, type Options, type ScenarioName } from './options.js';
import { writeFigures } from './report/document.js';
import { goalTable, inMarkdown, inText, type Report } from './report/report.js';
import type { Bench, Scenario } from './scenario.js';
import { commandLine } from './scenarios/command-line.js';
import { downloads } from './scenarios/download.js';
import { firstToken } from './scenarios/first-token.js';
import { lateness } from './scenarios/lateness.js';
import { memory } from './scenarios/memory.js';
import { overload } from './scenarios/overload.js';
import { pools } from './scenarios/pools.js';
import { recovery } from './scenarios/recovery.js';
import { refusals } from './scenarios/refusals.js';
import { coldStart, measureStarts, startReport } from './scenarios/start.js';
import { throughput } from './scenarios/throughput.js';
import { loadPool } from './stack/bench-pools.js';
import { startModelOrigin } from './stack/model-origin.js';
import { startDrover, type Drover } from './stack/start-drover.js';
import { BENCH_MODEL } from './load/subjects.js';

const DOCUMENT = join(PACKAGE_ROOT, 'docs', 'benchmarks.md');
/** More than any scenario has open at once. */
const SLOTS = 1_024;
/** Starts on an earlier one's state folder. */
const LATER_STARTS = 3;

const RUNS: Record<Exclude<ScenarioName, 'start'>, Scenario['run']> = {
  memory,
  'first-token': firstToken,
  lateness,
  throughput,
  refusals,
  overload,
  'command-line': commandLine,
  download: downloads,
  pools,
  recovery,
};

const say = (line: string): void => console.log(line);

/** Runs what was asked for; the reports by name, in their order. */
async function runBench({ only, quick, profile }: Options): Promise<Map<ScenarioName, Report>> {
  const reports = new Map<ScenarioName, Report>();
  const folder = await mkdtemp(join(tmpdir(), 'drover-bench-'));
  // A process that is killed writes no profile.
  const possible = SCENARIOS.filter((name) => profile === undefined || name !== 'recovery');
  const wanted = possible.filter((name) => only === undefined || name === only);
  const again = wanted.includes('start') ? (quick ? 1 : LATER_STARTS) : 0;
  say(`starting Drover${again === 0 ? '' : `, ${again + 1} times`}`);
  const origin = await startModelOrigin(join(folder, 'model'));
  const modelDir = join(folder, 'models');
  const env = {
    ...profilingEnvironment(profile),
    HF_ENDPOINT: origin.url,
    DROVER_MODEL_CACHE_DIR: modelDir,
  };
  const { drover, ...starts } = await measureStarts({ stateDir: join(folder, 'state'), env }, again);
  let [running, count] = [drover, 0];
  async function fresh(): Promise<Drover> {
    await running.stop();
    running = await startDrover({ stateDir: join(folder, `state-${(count += 1)}`), env });
    return running;
  }
  try {
    if (again > 0) add('start', startReport(starts));
    const pool = await loadPool(drover, BENCH_MODEL, SLOTS);
    const bench: Bench = { drover, pool, fresh, origin, modelDir, quick, say };
    if (profile !== undefined) toggleProfiles(drover.processes);
    for (const name of wanted) if (name !== 'start') add(name, await RUNS[name](bench));
    if (profile !== undefined) toggleProfiles(drover.processes);
  } finally {
    await running.stop();
    await origin.close();
  }
  // After a failure it stays: the logs of every process are in it.
  await rm(folder, { recursive: true, force: true });
  return reports;

  function add(name: ScenarioName, report: Report): void {
    reports.set(name, report);
    for (const table of report.tables) say(inText(table));
    say('');
  }
}

async function main(options: Options): Promise<void> {
  const beganAt = Date.now();
  const machine = machineInWords();
  say(machine);
  if (options.cold) {
    const { tables, goals } = await coldStart();
    for (const table of [...tables, goalTable(goals)]) say(inText(table));
    await writeFigures(
      DOCUMENT,
      new Map([['cold', [...tables.map(inMarkdown), `On ${machine}.`].join('\n\n')]]),
    );
    return;
  }
  const reports = await runBench(options);
  const goals = goalTable([...reports.values()].flatMap((report) => report.goals));
  if (goals.rows.length > 0) say(inText(goals));
  say(`\n${Math.round((Date.now() - beganAt) / 1000)} s in all`);
  if (options.only !== undefined || options.quick || options.profile !== undefined) return;
  const figures = new Map([
    ['machine', machine],
    ['goals', inMarkdown(goals)],
  ]);
  for (const [name, { tables }] of reports) figures.set(name, tables.map(inMarkdown).join('\n\n'));
  await writeFigures(DOCUMENT, figures);
  say(`written to ${DOCUMENT}`);
}

// `exit` ends what the bench has started; a signal alone would not come by there.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  await main(readOptions(process.argv.slice(2)));
  process.exit(0);
} catch (err) {
  console.error(err instanceof Error ? (err.stack ?? err.message) : String(err));
  process.exit(1);
}
