/**
 * What it costs that a run's log stands on a disk: the same product with its run logs on a file system in memory, where a
 * write is a copy and a sync does nothing. Two installations run side by side and take turns.
 */
import { mkdtemp, rm, statfs, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '../load/answer.js';
import { clients } from '../load/clients.js';
import { BENCH_MODEL, tasksSubject, type Subject } from '../load/subjects.js';
import { nowMs } from '../engine/words.js';
import { summarize } from '../measure/summary.js';
import { shown, type Table } from '../report/report.js';
import { AdmissionBook } from '../stack/admissions.js';
import { loadPool } from '../stack/bench-pools.js';
import { startDrover, type Drover } from '../stack/start-drover.js';

/** Memory as a file system, on every Linux. */
const MEMORY = '/dev/shm';
/** `statfs`' type of it. */
const TMPFS = 0x01021994;
const WISH = { tokens: 16, pauseMs: 0 };
const AT_ONCE = 16;
/** Tasks of one client a side, and before them those that are not counted. */
const [ALONE, WARM_UP] = [300, 100];
/** Tasks of all clients before the other side has its turn, and how many turns. */
const [BLOCK, BLOCKS] = [64, 10];

/** One installation's figures. */
interface Side {
  drover: Drover;
  subject: Subject;
  alone: Answer[];
  crowdMs: number;
}

/** Run logs on disk, as `drover` has them, and in memory; undefined where one of the two cannot be had. */
export async function logCost(drover: Drover): Promise<Table | undefined> {
  if ((await isMemory(drover.stateDir)) || !(await isMemory(MEMORY))) return undefined;
  const runs = await mkdtemp(join(MEMORY, 'drover-bench-'));
  const folder = await mkdtemp(join(tmpdir(), 'drover-bench-'));
  try {
    await symlink(runs, join(folder, 'runs'));
    const other = await startDrover({ stateDir: folder });
    try {
      return await compare(drover, other);
    } finally {
      await other.stop();
    }
  } finally {
    for (const path of [runs, folder, `${folder}.log`]) await rm(path, { recursive: true, force: true });
  }
}

async function compare(onDisk: Drover, inMemory: Drover): Promise<Table> {
  const sides = [await sideOf(inMemory), await sideOf(onDisk)] as const;
  const books = await Promise.all(sides.map(({ drover }) => AdmissionBook.open(drover.apiLog)));
  for (const { subject } of sides) await clients(AT_ONCE, WARM_UP, () => subject(WISH));
  for (let count = 0; count < ALONE; count += 1) {
    for (const side of sides) side.alone.push(await side.subject(WISH));
  }
  for (let block = 0; block < BLOCKS; block += 1) {
    for (const side of sides) {
      const beganMs = nowMs();
      await clients(AT_ONCE, BLOCK, () => side.subject(WISH));
      side.crowdMs += nowMs() - beganMs;
    }
  }
  for (const book of books) await book.mustBeEager(WARM_UP + ALONE + BLOCK * BLOCKS);
  return logCostTable(...sides);
}

async function sideOf(drover: Drover): Promise<Side> {
  const { engine } = await loadPool(drover, BENCH_MODEL, 2 * AT_ONCE);
  engine.close();
  return { drover, subject: tasksSubject(drover.api), alone: [], crowdMs: 0 };
}

function logCostTable(inMemory: Side, onDisk: Side): Table {
  const row = (name: string, { alone, crowdMs }: Side) => {
    const first = summarize(alone.map(({ firstTokenMs }) => firstTokenMs));
    const whole = summarize(alone.map(({ wholeMs }) => wholeMs));
    const pace = (BLOCK * BLOCKS * 1000) / crowdMs;
    return [name, ...[first.p50, first.p99, whole.p50, pace].map(shown)];
  };
  return {
    title: 'Run logs on disk and in memory',
    columns: [
      ...['run logs', 'first token p50, ms, 1 client', 'p99', 'whole task p50, ms'],
      `tasks/s, ${AT_ONCE} at once`,
    ],
    rows: [row('in memory: no sync', inMemory), row('on disk, as always', onDisk)],
  };
}

async function isMemory(path: string): Promise<boolean> {
  const found = await statfs(path).catch(() => undefined); // Not on this system.
  return found?.type === TMPFS;
}
