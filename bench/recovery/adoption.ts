/** A node worker that is started while its engines live: when it has them again, and when a new task has its first token. */
import { setTimeout as delay } from 'node:timers/promises';
import { placesIn } from '../../stack/places.js';
import { nowMs } from '../engine/words.js';
import { beginStream, type LastingStream } from '../load/lasting-stream.js';
import { tasksSubject } from '../load/subjects.js';
import { summarize } from '../measure/summary.js';
import { shown, type Goal, type Table } from '../report/report.js';
import { loadPool, unloadPool, untilServing } from '../stack/bench-pools.js';
import { kill, processOf, startOf, successorOf } from '../stack/deaths.js';
import { LogBook } from '../stack/log-book.js';
import type { Drover } from '../stack/start-drover.js';

const WISH = { tokens: 8, pauseMs: 0 };
/** Between two orders of a task while the node is away. */
const AGAIN_MS = 20;
/** Both are to be there this soon after the start of the worker's process. */
const REACH_MS = 2_000;

/** One restart, from the start of the new worker's process. */
export interface Adoption {
  /** Until its log says `engine_adopted`. */
  adoptedMs: number;
  /** Until the first token of a task that was ordered meanwhile. */
  firstTokenMs: number;
  /** The baseline: from the order to the first token while nothing is wrong. */
  undisturbedMs: number;
}

/** Kills the node worker, and orders a task until one is taken. */
export async function adopt(drover: Drover, poolId: string): Promise<Adoption> {
  const { engine } = await loadPool(drover, poolId, 2);
  engine.close();
  const undisturbed = await tasksSubject(drover.api, poolId)(WISH);
  const log = await LogBook.open(placesIn(drover.stateDir).logFile('node'));
  const dead = await processOf(drover, 'node');
  kill(dead.pid);
  const successor = successorOf(drover, dead);
  const { over } = await untilTaken(drover, poolId);
  const { arrivals } = await over;
  const clockMs = Date.now() - nowMs();
  const startedAtMs = await startOf(await successor);
  const adopted = await log.find({ event: 'engine_adopted', pool_id: poolId });
  await untilServing(drover, poolId);
  await unloadPool(drover, poolId);
  return {
    adoptedMs: Date.parse(adopted.ts) - startedAtMs,
    firstTokenMs: (arrivals[0]?.hereMs ?? Number.NaN) + clockMs - startedAtMs,
    undisturbedMs: undisturbed.firstTokenMs,
  };
}

async function untilTaken({ api }: Drover, poolId: string): Promise<LastingStream> {
  for (;;) {
    const stream = await beginStream(api, poolId, WISH);
    if (stream !== undefined) return stream;
    await delay(AGAIN_MS);
  }
}

/** Restarts beside a task while nothing is wrong. */
export function adoptionTable(adoptions: readonly Adoption[]): Table {
  const row = (what: string, of: (one: Adoption) => number) => {
    const { count, p50, max } = summarize(adoptions.map(of));
    return [what, String(count), shown(p50), shown(max)];
  };
  return {
    title: 'A node worker starts, its engine lives, ms',
    columns: ['from, to', 'samples', 'p50', 'max'],
    rows: [
      row('a task is ordered, its first token; nothing is wrong', ({ undisturbedMs }) => undisturbedMs),
      row('start of the worker, `engine_adopted`', ({ adoptedMs }) => adoptedMs),
      row('start of the worker, first token of a new task', ({ firstTokenMs }) => firstTokenMs),
    ],
  };
}

/** An engine that lives is to serve again at once. */
export function adoptionGoals(adoptions: readonly Adoption[]): Goal[] {
  const p50 = (of: (one: Adoption) => number) => summarize(adoptions.map(of)).p50;
  const [adopted, token] = [p50(({ adoptedMs }) => adoptedMs), p50(({ firstTokenMs }) => firstTokenMs)];
  return [
    { what: 'a node worker starts, to `engine_adopted`, p50', value: adopted, reach: REACH_MS, unit: 'ms' },
    {
      what: 'a node worker starts, to the first token of a new task, p50',
      value: token,
      reach: REACH_MS,
      unit: 'ms',
    },
  ];
}
