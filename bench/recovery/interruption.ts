/** A stream whose engine, API or node worker is killed under it: how long its client sees nothing, and that it loses nothing. */
import { FIRST_PAUSE_MS } from '../../stack/restart-decision.js';
import { placesIn } from '../../stack/places.js';
import { eventually } from '../../testing/changes.js';
import { beginStream, type LastingStream } from '../load/lasting-stream.js';
import { summarize } from '../measure/summary.js';
import { shown, type Table } from '../report/report.js';
import { enginePid, loadPool, unloadPool, untilServing, type BenchPool } from '../stack/bench-pools.js';
import { kill, processOf, successorOf } from '../stack/deaths.js';
import { LogBook } from '../stack/log-book.js';
import type { Drover } from '../stack/start-drover.js';

/** 50 tokens a second. */
const PAUSE_MS = 20;
/** Tokens that are there when it happens. */
const KILL_AFTER = 25;
/** The task, and room for a probe. */
const SLOTS = 2;

/** What dies; the first is the baseline. */
const DEATHS = {
  nothing: { engine: false, process: undefined },
  'the engine': { engine: true, process: undefined },
  'the API': { engine: false, process: 'api' },
  'the node worker': { engine: false, process: 'node' },
  'engine and node worker': { engine: true, process: 'node' },
} as const;

/** A kind of death. */
export type Death = keyof typeof DEATHS;

/** One stream. */
export interface Interruption {
  /** Longest time between two tokens at the client. */
  gapMs: number;
  /** Of it on purpose: the supervisor's delay before it starts an engine again, the starter's before a process. */
  pauseMs: number;
  /** All that there had to be, each once and in order. */
  tokens: number;
}

/** Streams a task of so many tokens and kills. @throws Error when a token was lost or twice, or when nothing died */
export async function interrupt(
  drover: Drover,
  poolId: string,
  { death, tokens }: { death: Death; tokens: number },
): Promise<Interruption> {
  const pool = await loadPool(drover, poolId, SLOTS);
  const stream = await beginStream(drover.api, poolId, { tokens, pauseMs: PAUSE_MS });
  if (stream === undefined) throw new Error(`pool ${poolId} takes no task`);
  await eventually(
    () => `${KILL_AFTER} tokens of ${stream.answer.taskId}`,
    () => (stream.answer.arrivals.length >= KILL_AFTER ? true : undefined),
  );
  const pauseMs = await strike(drover, pool, death);
  const answer = await stream.over;
  await untilServing(drover, poolId);
  await mustHaveDied(drover, pool, { death, stream });
  pool.engine.close();
  await unloadPool(drover, poolId);
  return { gapMs: answer.longestGapMs, pauseMs, tokens: answer.arrivals.length };
}

/** Kills, and waits for what comes in the place of the dead; the pauses that were made on purpose meanwhile. */
async function strike(drover: Drover, { id, pid }: BenchPool, death: Death): Promise<number> {
  const { engine, process: name } = DEATHS[death];
  const log = await LogBook.open(placesIn(drover.stateDir).logFile('node'));
  const mortal = name === undefined ? undefined : await processOf(drover, name);
  if (engine) kill(pid);
  if (mortal !== undefined) {
    kill(mortal.pid);
    await successorOf(drover, mortal);
  }
  const processPauseMs = mortal === undefined ? 0 : FIRST_PAUSE_MS;
  if (!engine) return processPauseMs;
  const { backoff_ms = 0 } = await log.find({ event: 'restart_scheduled', pool_id: id });
  return processPauseMs + backoff_ms;
}

/** A figure of a death that did not happen would be worth nothing. */
async function mustHaveDied(
  drover: Drover,
  { id, pid }: BenchPool,
  { death, stream }: { death: Death; stream: LastingStream },
): Promise<void> {
  const { engine, process: name } = DEATHS[death];
  const isSame = (await enginePid(drover.stateDir, id)) === pid;
  if (isSame === engine)
    throw new Error(`${death} died, and the engine is ${isSame ? 'the same' : 'another'}`);
  if (name === 'api' && stream.breaks() === 0) throw new Error('the API died, and no connection broke');
}

/** Medians by what died. */
export function interruptionTable(all: ReadonlyMap<Death, readonly Interruption[]>): Table {
  const gaps = (death: Death) => (all.get(death) ?? []).map(({ gapMs }) => gapMs);
  const base = summarize(gaps('nothing')).p50;
  const rows = [...all].map(([death, some]) => {
    const { count, p50, max } = summarize(gaps(death));
    const pause = summarize(some.map(({ pauseMs }) => pauseMs)).p50;
    const without = summarize(some.map(({ gapMs, pauseMs }) => gapMs - pauseMs)).p50;
    const tokens = some.reduce((sum, one) => sum + one.tokens, 0);
    const more = death === 'nothing' ? ['', ''] : [shown(pause), shown(without - base)];
    // A token that is lost or twice has ended the bench before.
    return [death, String(count), shown(p50), shown(max), ...more, String(tokens), '0', '0'];
  });
  const columns = ['dies', 'streams', 'longest gap p50', 'max', 'of it pause', '+ without it'];
  return {
    title: 'A stream whose engine, API or node worker is killed, ms',
    columns: [...columns, 'tokens', 'lost', 'twice'],
    rows,
  };
}
