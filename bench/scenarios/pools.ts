/**
 * What the life of a pool costs: from the order of a preload to an engine that has generated a token, beside the same
 * program started by hand; from a task for a pool that sleeps to its first token; and a reload under load, in which no token and no task may be lost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { operation } from '../../contracts/operation.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import { freePort } from '../../testing/free-port.js';
import { nowMs } from '../engine/words.js';
import { holdStreams } from '../load/streams.js';
import { tasksSubject, type Subject } from '../load/subjects.js';
import { median, summarize } from '../measure/summary.js';
import { shown, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { engineLaunch, layPool, loadPool, unloadPool } from '../stack/bench-pools.js';
import { startByHand } from '../stack/engine-by-hand.js';
import type { Drover } from '../stack/start-drover.js';

/** Streams that the reload must not disturb, and their pause between two tokens. */
const STREAMS = 32;
const PAUSE_MS = 50;
/** New tasks meanwhile: one after the other, each so long. */
const NEW_TASK_TOKENS = 4;

/** Preloads and reloads. */
export async function pools({ drover, quick, say }: Bench): Promise<Report> {
  const starts = quick ? 1 : 9;
  const reloads = quick ? 1 : 5;
  say(`pools: ${starts} starts of an engine, by hand, by preload and by a task`);
  const [byHand, byPreload, byTask]: [number[], number[], number[]] = [[], [], []];
  for (let turn = 0; turn < starts; turn += 1) {
    byHand.push(await startByHand());
    byPreload.push(await startByPreload(drover, `start-${turn}`));
    byTask.push(await startByTask(drover, `wake-${turn}`));
  }
  say(`pools: ${reloads} reloads under ${STREAMS} streams`);
  const swaps: Swap[] = [];
  for (let turn = 0; turn < reloads; turn += 1) swaps.push(await reloadUnderLoad(drover, `reload-${turn}`));
  return {
    tables: [startTable(byHand, byPreload), wakeTable(byHand, byTask), reloadTable(swaps)],
    goals: [],
  };
}

async function startByPreload(drover: Drover, id: string): Promise<number> {
  const beganMs = nowMs();
  const { engine } = await loadPool(drover, id, 1);
  const tookMs = nowMs() - beganMs;
  engine.close();
  await unloadPool(drover, id);
  return tookMs;
}

/** From the order of a task for a pool that sleeps to its first token. */
async function startByTask(drover: Drover, id: string): Promise<number> {
  await layPool(drover, id);
  const { firstTokenMs } = await tasksSubject(drover.api, id)({ tokens: 1, pauseMs: 0 });
  await unloadPool(drover, id);
  return firstTokenMs;
}

/** What a reload took, and what ran through it. */
interface Swap {
  /** From the order to the first step that gives the new engine work. */
  readyMs: number;
  /** Handoff and switch: how long the one step takes after which new tasks go to the new engine. */
  swapMs: number;
  tokens: number;
  newTasks: number;
}

/** @throws Error when a stream lost a token or a task was refused */
async function reloadUnderLoad(drover: Drover, id: string): Promise<Swap> {
  const { engine, prepared } = await loadPool(drover, id, 2 * STREAMS);
  const subject = tasksSubject(drover.api, id);
  let [swap, newTasks] = [{ readyMs: 0, swapMs: 0 }, 0];
  const answers = await holdStreams({ subject, engine, count: STREAMS, pauseMs: PAUSE_MS }, async () => {
    const over = new AbortController();
    const arriving = arrive(subject, over.signal);
    const port = await freePort();
    const next = { ...prepared, ...portOf(port), engine_version: 'second' };
    await orderReload(drover, id, next);
    swap = await untilSwitched(drover, id);
    over.abort();
    newTasks = await arriving;
  });
  engine.close();
  await untilEnded(drover, id);
  await unloadPool(drover, id);
  const tokens = answers.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
  return { ...swap, tokens, newTasks };
}

/** New tasks, one after the other, until the reload is over. */
async function arrive(subject: Subject, signal: AbortSignal): Promise<number> {
  let count = 0;
  for (; !signal.aborted; count += 1) await subject({ tokens: NEW_TASK_TOKENS, pauseMs: 0 });
  return count;
}

const portOf = (port: number) => ({ port, flags: engineLaunch(port).flags });

async function untilSwitched(drover: Drover, id: string): Promise<Pick<Swap, 'readyMs' | 'swapMs'>> {
  for (;;) {
    const { status, error, steps, started_at_ms } = await reloadOf(drover, id);
    if (error !== null || status === 'failed')
      throw new Error(`reload of ${id}: ${error?.message ?? status}`);
    const publish = steps.find(({ step }) => step === 'publish');
    if (publish !== undefined && publish.duration_ms !== null) {
      return { readyMs: publish.at_ms - started_at_ms, swapMs: publish.duration_ms };
    }
    await delay(PAUSE_MS);
  }
}

async function untilEnded(drover: Drover, id: string): Promise<void> {
  while ((await reloadOf(drover, id)).status === 'running') await delay(PAUSE_MS);
}

async function reloadOf({ api }: Drover, id: string) {
  const { text } = await api.send({ method: 'GET', path: `/v2/operations/pool:${id}:reload` });
  return operation.parse(JSON.parse(text));
}

async function orderReload({ api }: Drover, id: string, prepared: PreparedEngine): Promise<void> {
  const body = { prepared, wait_ms: 0 };
  const { status, text } = await api.send({ method: 'POST', path: `/v2/pools/${id}/reload`, body });
  if (status !== 202) throw new Error(`reload of ${id}: ${status} ${text}`);
}

function startTable(byHand: readonly number[], byPreload: readonly number[]): Table {
  const base = median(byHand);
  const row = (from: string, samples: readonly number[]) => {
    const { p50, max } = summarize(samples);
    return [from, String(samples.length), shown(p50), shown(max), shown(p50 - base), shown(p50 / base)];
  };
  return {
    title: 'From spawn to ready, ms',
    columns: ['start', 'starts', 'p50', 'max', '+', 'times by hand'],
    rows: [row('by hand', byHand), row('preload', byPreload)],
  };
}

/** The swap beyond the engine's own load. */
function wakeTable(byHand: readonly number[], byTask: readonly number[]): Table {
  const base = median(byHand);
  const { p50, max } = summarize(byTask);
  const own = summarize(byHand);
  return {
    title: 'A task for a pool that sleeps, to its first token, ms',
    columns: ['first token', 'starts', 'p50', 'max', "beyond the engine's own"],
    rows: [
      ['of the engine itself, from its start', String(own.count), shown(own.p50), shown(own.max), shown(0)],
      ['of the task, from its order', String(byTask.length), shown(p50), shown(max), shown(p50 - base)],
    ],
  };
}

function reloadTable(swaps: readonly Swap[]): Table {
  const of = (value: (swap: Swap) => number) => shown(median(swaps.map(value)));
  const sum = (value: (swap: Swap) => number) =>
    String(swaps.reduce((total, swap) => total + value(swap), 0));
  return {
    title: `A reload under ${STREAMS} streams`,
    columns: [
      ...['reloads', 'new engine ready, ms', 'swap, ms'],
      ...['tokens of the streams', 'tokens lost', 'new tasks meanwhile', 'refused'],
    ],
    // A token or a task that is lost has ended the bench before.
    rows: [
      [
        ...[String(swaps.length), of(({ readyMs }) => readyMs), of(({ swapMs }) => swapMs)],
        ...[sum(({ tokens }) => tokens), '0', sum(({ newTasks }) => newTasks), '0'],
      ],
    ],
  };
}
