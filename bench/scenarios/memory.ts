/** Memory of each process: idle, with many open streams, and after them. */
import { setTimeout as delay } from 'node:timers/promises';
import { tasksSubject } from '../load/subjects.js';
import { holdStreams } from '../load/streams.js';
import { residentMib, type NamedProcess, type PerProcess } from '../measure/processes.js';
import { shown, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';
import { enginePid } from '../stack/bench-pools.js';

/** A token a second. */
const PAUSE_MS = 1_000;
/** Until a garbage collection has had time to come by. */
const SETTLE_MS = 3_000;
/** Looks at the open streams, a second apart. */
const LOOKS = 5;

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
  const plan = { subject: tasksSubject(drover.api), engine: pool.engine, count: streams, pauseMs: PAUSE_MS };
  let open: PerProcess = {};
  await holdStreams(plan, async () => {
    open = await mostOf(processes, quick ? 1 : LOOKS);
  });
  await book.mustBeEager(streams);
  await delay(quick ? 0 : SETTLE_MS);
  const after = await residentMib(processes);
  const rows = processes.map(({ name }) => {
    const [was, is] = [idle[name] ?? 0, open[name] ?? 0];
    return [name, shown(was), shown(is), shown(((is - was) * 1024) / streams), shown(after[name] ?? 0)];
  });
  const columns = ['process', 'idle, MiB', `${streams} streams, MiB`, 'more a stream, KiB', 'after, MiB'];
  return { tables: [{ title: `Resident memory, ${streams} open streams`, columns, rows }], goals: [] };
}

/** The most that each process holds in some looks. */
async function mostOf(processes: readonly NamedProcess[], looks: number): Promise<PerProcess> {
  const most: PerProcess = {};
  for (let look = 0; look < looks; look += 1) {
    await delay(PAUSE_MS);
    for (const [name, mib] of Object.entries(await residentMib(processes)))
      most[name] = Math.max(most[name] ?? 0, mib);
  }
  return most;
}
