/**
 * What overload does to those who were accepted: the pauses in their streams while others are refused, what the two classes
 * get of a slot that is never free, and as many streams on one API as a pool has slots.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../engine/words.js';
import type { Answer } from '../load/answer.js';
import { clients } from '../load/clients.js';
import { askInVain, fillQueue } from '../load/full-queue.js';
import { holdStreams } from '../load/streams.js';
import { nextTask, taskBody, tasksSubject } from '../load/subjects.js';
import { residentMib } from '../measure/processes.js';
import { summarize, type Summary } from '../measure/summary.js';
import { shown, type Goal, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { loadPool, unloadPool } from '../stack/bench-pools.js';

const POOL = 'crowded';
/** Accepted streams, 20 tokens a second each, and who is refused meanwhile and comes again at once. */
const STREAMS = { count: 16, pauseMs: 50 };
const IN_VAIN = 2;
/** After the last stream has begun, everything that began it is over. */
const SETTLE_MS = 500;

/** Streams under refusals, two classes at one slot, a thousand streams on one API. */
export async function overload(bench: Bench): Promise<Report> {
  await loadPool(bench.drover, POOL, 1);
  const streams = await streamsUnderRefusals(bench);
  const classes = await classesAtOneSlot(bench);
  await unloadPool(bench.drover, POOL);
  const many = await manyStreams(bench);
  return { tables: [streams.table, classes, many], goals: streams.goals };
}

async function streamsUnderRefusals(bench: Bench): Promise<{ table: Table; goals: Goal[] }> {
  const { drover, pool, quick, say } = bench;
  const holdMs = quick ? 1_000 : 8_000;
  say(`overload: ${STREAMS.count} streams, and ${IN_VAIN} clients who are refused`);
  const queue = await fillQueue(drover, POOL);
  const body = () => taskBody(nextTask(), { tokens: 16, pauseMs: 0 }, POOL);
  const ask = () => drover.api.send({ method: 'POST', path: '/v2/tasks', body: body() });
  let refused: number[] = [];
  const [quiet, crowded]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < (quick ? 1 : 2); turn += 1) {
    const plan = { subject: tasksSubject(drover.api), engine: pool.engine, ...STREAMS };
    const spans = { quietFrom: 0, quietTo: 0, crowdedFrom: 0, crowdedTo: 0 };
    const answers = await holdStreams(plan, async () => {
      await delay(SETTLE_MS);
      spans.quietFrom = nowMs();
      await delay(holdMs);
      spans.quietTo = spans.crowdedFrom = nowMs();
      refused = refused.concat(await askInVain({ title: 'queue full', ask, status: 429 }, IN_VAIN, holdMs));
      spans.crowdedTo = nowMs();
    });
    quiet.push(...gapsOf(answers, spans.quietFrom, spans.quietTo));
    crowded.push(...gapsOf(answers, spans.crowdedFrom, spans.crowdedTo));
  }
  await queue.empty();
  const seconds = (holdMs * (quick ? 1 : 2)) / 1000;
  const [before, during] = [summarize(quiet), summarize(crowded)];
  const row = (what: string, perSecond: number, { p50, p90, p99, max }: Summary) => [
    what,
    shown(perSecond),
    ...[p50, p90, p99, max].map(shown),
  ];
  const table = {
    title: `Time between two tokens of an accepted stream, ms; ${STREAMS.count} streams, ${STREAMS.pauseMs} ms at the engine`,
    columns: ['meanwhile', 'refusals/s', 'p50', 'p90', 'p99', 'max'],
    rows: [row('nothing else', 0, before), row('refusals', refused.length / seconds, during)],
  };
  const worse = (quantile: 'p50' | 'p90') => 100 * (during[quantile] / before[quantile] - 1);
  const goals: Goal[] = [
    {
      what: 'gap of accepted streams under refusals, p50: worse by',
      value: worse('p50'),
      reach: 10,
      unit: '%',
    },
    {
      what: 'gap of accepted streams under refusals, p90: worse by',
      value: worse('p90'),
      reach: 10,
      unit: '%',
    },
  ];
  return { table, goals };
}

/** Times between two tokens at the reader, of those that came within the span. */
function gapsOf(answers: readonly Answer[], from: number, to: number): number[] {
  return answers.flatMap(({ arrivals }) =>
    arrivals
      .map(({ hereMs }, at) => [arrivals[at - 1]?.hereMs ?? Infinity, hereMs] as const)
      .filter(([before, here]) => before >= from && here <= to)
      .map(([before, here]) => here - before),
  );
}

/** Interactive clients who pause between two tasks, and batch clients who never do. */
async function classesAtOneSlot({ drover, quick, say }: Bench): Promise<Table> {
  const forMs = quick ? 1_000 : 10_000;
  const kinds = [
    { priority: 'interactive', count: 2, thinkMs: 200 },
    { priority: 'batch', count: 6, thinkMs: 0 },
  ] as const;
  say('overload: two classes at one slot');
  const untilMs = nowMs() + forMs;
  const rows = await Promise.all(
    kinds.map(async ({ priority, count, thinkMs }) => {
      const subject = tasksSubject(drover.api, POOL, priority);
      const waits: number[] = [];
      await clients(count, count, async () => {
        while (nowMs() < untilMs) {
          waits.push((await subject({ tokens: 4, pauseMs: 10 })).firstTokenMs);
          await delay(thinkMs);
        }
      });
      const { p50, p99, max } = summarize(waits);
      return [priority, String(count), String(waits.length), ...[p50, p99, max].map(shown)];
    }),
  );
  return {
    title: 'Time to the first token at one slot, which is never free, ms',
    columns: ['class', 'clients', 'tasks', 'p50', 'p99', 'max'],
    rows,
  };
}

async function manyStreams({ drover, pool, quick, say }: Bench): Promise<Table> {
  const [count, pauseMs] = [quick ? 50 : 1_000, 1_000];
  say(`overload: ${count} streams on one API`);
  let [from, to, mib] = [0, 0, 0];
  const plan = { subject: tasksSubject(drover.api), engine: pool.engine, count, pauseMs };
  const answers = await holdStreams(plan, async () => {
    await delay(SETTLE_MS);
    from = nowMs();
    await delay(quick ? 1_500 : 10_000);
    to = nowMs();
    mib = (await residentMib(drover.processes))['api'] ?? Number.NaN;
  });
  const late = answers
    .flatMap(({ arrivals }) => arrivals)
    .filter(({ saidMs }) => saidMs >= from && saidMs <= to)
    .map(({ saidMs, hereMs }) => hereMs - saidMs);
  const { count: tokens, p50, p99, max } = summarize(late);
  return {
    title: `${count} streams on one API, a token a second each`,
    columns: ['streams', 'tokens', 'late p50, ms', 'late p99, ms', 'late max, ms', 'API, MiB'],
    rows: [[String(count), String(tokens), ...[p50, p99, max, mib].map(shown)]],
  };
}
