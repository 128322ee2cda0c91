/**
 * How late a token is that Drover relays: from the moment at which the engine says it, which stands in its text, to the
 * moment at which the client has it. The same number of streams straight from the engine is the baseline.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../engine/words.js';
import type { HttpClient } from '../load/http-client.js';
import { holdStreams } from '../load/streams.js';
import { engineSubject, tasksSubject, type Subject } from '../load/subjects.js';
import { summarize, type Summary } from '../measure/summary.js';
import { shown, type Goal, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';

/** One load. */
interface Load {
  streams: number;
  /** Pause between two tokens of a stream. */
  pauseMs: number;
  /** How long is measured in each turn. */
  holdMs: number;
  /** Turns of baseline and subject. */
  turns: number;
}

/** 20 tokens a second a stream, as a large model gives; the lone stream is faster for the sake of samples. */
const LOADS: readonly Load[] = [
  { streams: 1, pauseMs: 10, holdMs: 5_500, turns: 2 },
  { streams: 32, pauseMs: 50, holdMs: 5_000, turns: 2 },
  { streams: 256, pauseMs: 50, holdMs: 8_000, turns: 1 },
];
const QUICK_LOADS: readonly Load[] = [
  { streams: 1, pauseMs: 10, holdMs: 1_000, turns: 1 },
  { streams: 32, pauseMs: 50, holdMs: 1_000, turns: 1 },
];
/** After the last stream has begun, everything that began it is over. */
const SETTLE_MS = 500;

/** Lateness at 1, 32 and 256 streams. */
export async function lateness({ drover, pool, quick, say }: Bench): Promise<Report> {
  const book = await AdmissionBook.open(drover.apiLog);
  const [direct, relayed] = [engineSubject(pool.engine), tasksSubject(drover.api)];
  const [rows, goals]: [string[][], Goal[]] = [[], []];
  for (const load of quick ? QUICK_LOADS : LOADS) {
    const { streams, turns } = load;
    say(`lateness: ${streams} ${streams === 1 ? 'stream' : 'streams'}`);
    const late: Record<'engine' | 'drover', number[]> = { engine: [], drover: [] };
    for (let turn = 0; turn < turns; turn += 1) {
      late.engine.push(...(await read(direct, pool.engine, load)));
      late.drover.push(...(await read(relayed, pool.engine, load)));
    }
    await book.mustBeEager(streams * turns);
    const [engine, through] = [summarize(late.engine), summarize(late.drover)];
    rows.push(row(streams, 'engine', engine), row(streams, 'Drover', through));
    if (streams === 32) goals.push(...goalsOf(through));
  }
  const columns = ['streams', 'from', 'tokens', 'p50', 'p90', 'p99', 'max'];
  return { tables: [{ title: 'Lateness of a token, ms', columns, rows }], goals };
}

/** Lateness of the tokens that were said while all streams ran and nothing else happened. */
async function read(subject: Subject, engine: HttpClient, load: Load): Promise<number[]> {
  const { streams: count, pauseMs, holdMs } = load;
  let [from, to] = [0, 0];
  const answers = await holdStreams({ subject, engine, count, pauseMs }, async () => {
    await delay(SETTLE_MS);
    from = nowMs();
    await delay(holdMs);
    to = nowMs();
  });
  const all = answers.flatMap(({ arrivals }) => arrivals);
  return all
    .filter(({ saidMs }) => saidMs >= from && saidMs <= to)
    .map(({ saidMs, hereMs }) => hereMs - saidMs);
}

function row(streams: number, from: string, { count, p50, p90, p99, max }: Summary): string[] {
  return [String(streams), from, String(count), ...[p50, p90, p99, max].map(shown)];
}

function goalsOf({ p50, p99 }: Summary): Goal[] {
  return [
    { what: 'a relayed token is late, 32 streams, p50', value: p50, reach: 1, unit: 'ms' },
    { what: 'a relayed token is late, 32 streams, p99', value: p99, reach: 5, unit: 'ms' },
  ];
}
