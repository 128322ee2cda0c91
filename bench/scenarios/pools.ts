/**
 * What the life of a pool costs: from the order of a preload to an engine that has generated a token, beside the same
 * program started by hand; and a reload under load, in which no token and no task may be lost.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { operation } from '../../contracts/operation.js';
import { freePort } from '../../testing/free-port.js';
import { nowMs } from '../engine/words.js';
import { HttpClient } from '../load/http-client.js';
import { holdStreams } from '../load/streams.js';
import { tasksSubject, type Subject } from '../load/subjects.js';
import { median, summarize } from '../measure/summary.js';
import { shown, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { engineLaunch, loadPool, PRELOAD_WAIT_MS } from '../stack/bench-pools.js';
import type { Drover } from '../stack/start-drover.js';

/** Streams that the reload must not disturb, and their pause between two tokens. */
const STREAMS = 32;
const PAUSE_MS = 50;
/** New tasks meanwhile: one after the other, each so long. */
const NEW_TASK_TOKENS = 4;
/** By hand the engine is asked so often; Drover asks every 500 ms after the first poll. */
const POLL_MS = 5;

/** Preloads and reloads. */
export async function pools({ drover, quick, say }: Bench): Promise<Report> {
  const starts = quick ? 2 : 9;
  const reloads = quick ? 1 : 5;
  say(`pools: ${starts} starts of an engine, by hand and by preload`);
  const [byHand, byPreload]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < starts; turn += 1) {
    byHand.push(await startByHand());
    byPreload.push(await startByPreload(drover, `start-${turn}`));
  }
  say(`pools: ${reloads} reloads under ${STREAMS} streams`);
  const swaps: Swap[] = [];
  for (let turn = 0; turn < reloads; turn += 1) swaps.push(await reloadUnderLoad(drover, `reload-${turn}`));
  return { tables: [startTable(byHand, byPreload), reloadTable(swaps)], goals: [] };
}

/** The bench's engine as a shell would start it: until it is healthy and has generated a token. */
async function startByHand(): Promise<number> {
  const port = await freePort();
  const { binary, flags } = engineLaunch(port);
  const beganMs = nowMs();
  const child = spawn(binary, flags, { stdio: 'ignore' });
  const engine = new HttpClient(`http://127.0.0.1:${port}`);
  try {
    while (!(await isHealthy(engine))) await delay(POLL_MS);
    await engine.send({ method: 'POST', path: '/completion', body: { prompt: [1], n_predict: 1 } });
    return nowMs() - beganMs;
  } finally {
    engine.close();
    await end(child);
  }
}

async function startByPreload(drover: Drover, id: string): Promise<number> {
  const beganMs = nowMs();
  const { engine } = await loadPool(drover, id, 1);
  const tookMs = nowMs() - beganMs;
  engine.close();
  await drain(drover, id);
  return tookMs;
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
    await order(drover, `/v2/pools/${id}/reload`, { prepared: next, wait_ms: 0 }, 202);
    swap = await untilSwitched(drover, id);
    over.abort();
    newTasks = await arriving;
  });
  engine.close();
  await untilEnded(drover, id);
  await drain(drover, id);
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

async function drain(drover: Drover, id: string): Promise<void> {
  await order(drover, `/v2/pools/${id}/drain`, { deadline_ms: 0, wait_ms: PRELOAD_WAIT_MS }, 200);
}

async function order({ api }: Drover, path: string, body: object, expected: number): Promise<void> {
  const { status, text } = await api.send({ method: 'POST', path, body });
  if (status !== expected) throw new Error(`POST ${path}: ${status} ${text}`);
}

async function isHealthy(engine: HttpClient): Promise<boolean> {
  try {
    return (await engine.send({ method: 'GET', path: '/health' })).status === 200;
  } catch {
    return false; // It does not listen yet.
  }
}

async function end(child: ChildProcess): Promise<void> {
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await over;
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
