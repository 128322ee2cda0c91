/**
 * How late a token is that Drover relays: from the moment at which the engine says it, which stands in its text, to the
 * moment at which the client has it. The same number of streams straight from the engine is the baseline.
 */
import { engineSubject, tasksSubject, type Subject, type Wish } from '../load/subjects.js';
import { readStreams } from '../load/streams.js';
import { summarize, type Summary } from '../measure/summary.js';
import { shown, type Goal, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';

/** One load. */
interface Load {
  streams: number;
  wish: Wish;
  /** Turns of baseline and subject. */
  turns: number;
}

/** 20 tokens a second a stream, as a large model gives; the lone stream is faster for the sake of samples. */
const LOADS: readonly Load[] = [
  { streams: 1, wish: { tokens: 500, pauseMs: 10 }, turns: 2 },
  { streams: 32, wish: { tokens: 140, pauseMs: 50 }, turns: 2 },
  { streams: 256, wish: { tokens: 300, pauseMs: 50 }, turns: 1 },
];
const QUICK_LOADS: readonly Load[] = [
  { streams: 1, wish: { tokens: 100, pauseMs: 10 }, turns: 1 },
  { streams: 32, wish: { tokens: 60, pauseMs: 50 }, turns: 1 },
];
/** After the last stream has begun, everything that began it is over. */
const SETTLE_MS = 500;

/** Lateness at 1, 32 and 256 streams. */
export async function lateness({ drover, pool, quick, say }: Bench): Promise<Report> {
  const book = await AdmissionBook.open(drover.apiLog);
  const [direct, relayed] = [engineSubject(pool.engine), tasksSubject(drover.api)];
  const [rows, goals]: [string[][], Goal[]] = [[], []];
  for (const { streams, wish, turns } of quick ? QUICK_LOADS : LOADS) {
    say(`lateness: ${streams} ${streams === 1 ? 'stream' : 'streams'}`);
    const late: Record<'engine' | 'drover', number[]> = { engine: [], drover: [] };
    for (let turn = 0; turn < turns; turn += 1) {
      late.engine.push(...(await read(direct, streams, wish)));
      late.drover.push(...(await read(relayed, streams, wish)));
    }
    await book.mustBeEager(streams * turns);
    const [engine, through] = [summarize(late.engine), summarize(late.drover)];
    rows.push(row(streams, 'engine', engine), row(streams, 'Drover', through));
    if (streams === 32) goals.push(...goalsOf(through));
  }
  const columns = ['streams', 'from', 'tokens', 'p50', 'p90', 'p99', 'max'];
  return { tables: [{ title: 'Lateness of a token, ms', columns, rows }], goals };
}

/** Reads the streams and gives the lateness of the tokens that were said while all of them ran. */
async function read(subject: Subject, streams: number, wish: Wish): Promise<number[]> {
  const { answers } = await readStreams(subject, streams, wish);
  const from = Math.max(...answers.map(({ arrivals }) => arrivals[0]?.hereMs ?? Number.NaN)) + SETTLE_MS;
  const to = Math.min(...answers.map(({ arrivals }) => arrivals.at(-1)?.saidMs ?? Number.NaN));
  const all = answers.flatMap(({ arrivals }) => arrivals);
  const together = all.filter(({ saidMs }) => saidMs >= from && saidMs <= to);
  // A machine too slow to have all of them open at once shows it in the figures; it fails nothing.
  return (together.length > 0 ? together : all).map(({ saidMs, hereMs }) => hereMs - saidMs);
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
