/** `npm start`, from the command to its last word, "ready": where everything is installed, and where nothing is. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PACKAGE_ROOT } from '../../stack/places.js';
import { median } from '../measure/summary.js';
import { shown, type Report } from '../report/report.js';
import { startDrover, type Drover, type SaidLine, type StartOptions } from '../stack/start-drover.js';

/** What `npm start` says at the end of each of its steps, and what we call the step. */
const STEPS: readonly (readonly [step: string, begins: string])[] = [
  ['set-up', 'state folder '],
  ['ports, guardian', 'starting Temporal on '],
  ['Temporal, model', 'starting API, '],
  ['processes', 'preloading pool '],
  ['preload', 'Ctrl-C ends it'],
];

const execute = promisify(execFile);

/** Seconds of one start. */
type Start = Pick<Drover, 'lines' | 'startMs'>;

/** Starts that were measured. */
export interface Starts {
  /** In an empty state folder. */
  first: Start;
  /** On what an earlier one left. */
  later: readonly Start[];
}

/** Starts Drover in an empty state folder, and `again` times more; the last one goes on running. */
export async function measureStarts(
  options: StartOptions,
  again: number,
): Promise<Starts & { drover: Drover }> {
  let drover = await startDrover(options);
  const first = drover;
  const later: Start[] = [];
  for (let count = 0; count < again; count += 1) {
    await drover.stop();
    drover = await startDrover(options);
    later.push(drover);
  }
  return { first, later, drover };
}

/** What warm starts took, step by step. */
export function startReport({ first, later }: Starts): Report {
  const seconds = median(later.map(({ startMs }) => startMs)) / 1000;
  const rows = [
    startRow('first, in an empty state folder', [first]),
    startRow(`later, median of ${later.length}`, later),
  ];
  return {
    tables: [
      { title: '`npm start`, warm, s', columns: ['start', 'ready', ...STEPS.map(([step]) => step)], rows },
    ],
    goals: [{ what: '`npm start`, warm, to ready', value: seconds, reach: 15, unit: 's' }],
  };
}

/**
 * One start in a fresh clone with every cache that we can name empty: packages, Go's modules and builds, our own. Its
 * processes end before this resolves.
 */
export async function coldStart(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-cold-'));
  try {
    const root = join(folder, 'clone');
    await execute('git', ['clone', '--quiet', PACKAGE_ROOT, root]);
    const env = {
      DROVER_CACHE_DIR: join(folder, 'cache'),
      npm_config_cache: join(folder, 'npm'),
      GOPATH: join(folder, 'go'),
      GOMODCACHE: join(folder, 'go-modules'),
      GOCACHE: join(folder, 'go-builds'),
    };
    const drover = await startDrover({ stateDir: join(folder, 'state'), root, env });
    await drover.stop();
    const rows = [startRow('fresh clone, empty caches', [drover])];
    return {
      tables: [
        { title: '`npm start`, cold, s', columns: ['start', 'ready', ...STEPS.map(([step]) => step)], rows },
      ],
      goals: [{ what: '`npm start`, cold, to ready', value: drover.startMs / 1000, reach: 360, unit: 's' }],
    };
  } finally {
    // Go keeps its modules read-only, and what is read-only cannot be removed.
    await execute('chmod', ['-R', 'u+w', folder]);
    await rm(folder, { recursive: true, force: true });
  }
}

function startRow(title: string, starts: readonly Start[]): string[] {
  const total = median(starts.map(({ startMs }) => startMs));
  const steps = STEPS.map((_, at) =>
    median(starts.map(({ lines }) => endOf(lines, at) - endOf(lines, at - 1))),
  );
  return [title, ...[total, ...steps].map((ms) => shown(ms / 1000))];
}

/** When a step ended; the start itself for the one before the first. */
function endOf(lines: readonly SaidLine[], at: number): number {
  const [, words] = STEPS[at] ?? [];
  if (words === undefined) return 0;
  const line = lines.find(({ text }) => text.includes(words));
  return line?.atMs ?? endOf(lines, at - 1);
}
