/** Memory of each process: idle, with many open streams, and after them. */
import { setTimeout as delay } from 'node:timers/promises';
import { tasksSubject } from '../load/subjects.js';
import { readStreams, type Streams } from '../load/streams.js';
import { residentMib, type NamedProcess, type PerProcess } from '../measure/processes.js';
import { shown, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';
import { enginePid } from '../stack/bench-pools.js';

/** A token a second. */
const PAUSE_MS = 1_000;
/** Until a garbage collection has had time to come by. */
const SETTLE_MS = 3_000;
/** Tokens of every stream: enough to look at them while all are open. */
const TOKENS = { full: 25, quick: 8 };

/** Memory; run it first: what other scenarios leave would be counted. */
export async function memory({ drover, pool, quick, say }: Bench): Promise<Report> {
  const streams = quick ? 50 : 500;
  const processes: NamedProcess[] = [
    ...drover.processes,
    { name: 'embedded engine', pid: await enginePid(drover.stateDir, 'default') },
    { name: 'bench engine', pid: pool.pid },
  ];
  say(`memory: idle`);
  await delay(quick ? 0 : SETTLE_MS);
  const idle = await residentMib(processes);
  say(`memory: ${streams} streams`);
  const book = await AdmissionBook.open(drover.apiLog);
  const subject = tasksSubject(drover.api);
  const wish = { tokens: quick ? TOKENS.quick : TOKENS.full, pauseMs: PAUSE_MS };
  const { most, peak } = await whileReading(processes, () => readStreams(subject, streams, wish));
  await book.mustBeEager(streams);
  await delay(quick ? 0 : SETTLE_MS);
  const after = await residentMib(processes);
  const rows = processes.map(({ name }) => {
    const [was, is] = [idle[name] ?? 0, peak[name] ?? 0];
    return [name, shown(was), shown(is), shown(((is - was) * 1024) / most), shown(after[name] ?? 0)];
  });
  const columns = ['process', 'idle, MiB', `${most} streams, MiB`, 'more a stream, KiB', 'after, MiB'];
  return { tables: [{ title: `Resident memory, ${most} open streams`, columns, rows }], goals: [] };
}

/** Looks at every process each second while `read` goes on, and keeps the most. */
async function whileReading(
  processes: readonly NamedProcess[],
  read: () => Promise<Streams>,
): Promise<{ most: number; peak: PerProcess }> {
  const peak: PerProcess = {};
  const look = async () => {
    for (const [name, mib] of Object.entries(await residentMib(processes)))
      peak[name] = Math.max(peak[name] ?? 0, mib);
  };
  const looks: Promise<void>[] = [];
  const timer = setInterval(() => looks.push(look()), PAUSE_MS);
  try {
    const { most } = await read();
    return { most, peak };
  } finally {
    clearInterval(timer);
    await Promise.all(looks);
  }
}
