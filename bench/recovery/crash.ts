/** An engine that is killed while it has no work: what its pool's restart takes beyond the delay that the policy wants. */
import { placesIn } from '../../stack/places.js';
import { summarize } from '../measure/summary.js';
import { shown, type Table } from '../report/report.js';
import { loadPool, unloadPool } from '../stack/bench-pools.js';
import { kill } from '../stack/deaths.js';
import { LogBook } from '../stack/log-book.js';
import type { Drover } from '../stack/start-drover.js';

/** One crash, from the kill on. */
export interface Crash {
  /** Until the node's log tells it. */
  noticedMs: number;
  /** What the policy made of 1000 ms +-10 %. */
  delayMs: number;
  /** Until the pool is ready again. */
  readyMs: number;
}

/** Kills the engine of a new pool, whose policy knows no earlier crash. */
export async function crash(drover: Drover, poolId: string): Promise<Crash> {
  const { engine, pid } = await loadPool(drover, poolId, 1);
  engine.close();
  const log = await LogBook.open(placesIn(drover.stateDir).logFile('node'));
  const killedAtMs = Date.now();
  kill(pid);
  const crashed = await log.find({ event: 'engine_crashed', pool_id: poolId });
  const { backoff_ms: delayMs = 0 } = await log.find({ event: 'restart_scheduled', pool_id: poolId });
  const ready = await log.find({ event: 'pool_state', pool_id: poolId, state: 'ready' });
  await unloadPool(drover, poolId);
  return {
    noticedMs: Date.parse(crashed.ts) - killedAtMs,
    delayMs,
    readyMs: Date.parse(ready.ts) - killedAtMs,
  };
}

/** Crashes beside starts of the same program by hand. */
export function crashTable(crashes: readonly Crash[], byHandMs: readonly number[]): Table {
  const p50 = (of: (one: Crash) => number) => summarize(crashes.map(of)).p50;
  const base = summarize(byHandMs);
  const start = summarize(crashes.map(({ readyMs, delayMs }) => readyMs - delayMs));
  const facts = [p50(({ readyMs }) => readyMs), p50(({ delayMs }) => delayMs)].map(shown);
  const noticed = shown(p50(({ noticedMs }) => noticedMs));
  return {
    title: 'From a crash to ready, pool without work, ms',
    columns: [
      'start',
      'starts',
      'ready p50',
      'delay p50',
      'ready without the delay p50',
      'max',
      'noticed p50',
      '+',
    ],
    rows: [
      ['by hand', String(base.count), shown(base.p50), '', shown(base.p50), shown(base.max), '', ''],
      [
        'after `kill -9`',
        String(start.count),
        ...facts,
        shown(start.p50),
        shown(start.max),
        noticed,
        shown(start.p50 - base.p50),
      ],
    ],
  };
}
