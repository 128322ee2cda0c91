/**
 * Tasks a second with an engine that costs nothing, 16 at once, against the floor (`bench/floor/main.ts`), in turns on
 * the same Temporal; and what a task costs each process.
 */
import { clients } from '../load/clients.js';
import { chatSubject, nextTask, taskIdOf, tasksSubject, type Subject } from '../load/subjects.js';
import { cpuMs, rise, sum, type NamedProcess, type PerProcess } from '../measure/processes.js';
import { summarize } from '../measure/summary.js';
import { nowMs } from '../engine/words.js';
import { startFloor, type Floor } from '../floor/start-floor.js';
import { shown, type Report, type Table } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { AdmissionBook } from '../stack/admissions.js';

const AT_ONCE = 16;
const WISH = { tokens: 16, pauseMs: 0 };
/** The bench's own process, which plays the clients. */
const CLIENTS = 'clients';

type Way = 'floor' | 'tasks' | 'chat';
const WAYS: readonly Way[] = ['floor', 'tasks', 'chat'];
const TITLES: Record<Way, string> = {
  floor: 'floor: eager start, local activity',
  tasks: '`POST /v2/tasks`, then its events',
  chat: '`POST /v1/chat/completions`, streamed',
};

/** What one way did in all its turns. */
interface Tally {
  tasks: number;
  seconds: number;
  wholeMs: number[];
  cpu: PerProcess;
}

/** Throughput and cost. */
export async function throughput(bench: Bench): Promise<Report> {
  const { drover, pool, quick, say } = bench;
  const floor = await startFloor(drover);
  try {
    const processes: NamedProcess[] = [
      ...drover.processes.filter(({ name }) => ['api', 'node', 'control', 'temporal'].includes(name)),
      ...[
        { name: 'engine', pid: pool.pid },
        { name: 'floor', pid: floor.pid },
      ],
      { name: CLIENTS, pid: process.pid },
    ];
    const book = await AdmissionBook.open(drover.apiLog);
    const [turns, size, warmUp] = quick ? [1, 64, 32] : [5, 200, 100];
    const work: Record<Way, (tasks: number) => Promise<number[]>> = {
      floor: (tasks) => runFloor(floor, tasks),
      tasks: (tasks) => runDrover(floor, book, tasksSubject(drover.api), tasks),
      chat: (tasks) => runDrover(floor, book, chatSubject(drover.api), tasks),
    };
    say('throughput: warming up');
    for (const way of WAYS) await work[way](warmUp);
    say(`throughput: ${turns * size} tasks a way, ${AT_ONCE} at once`);
    const tallies: Record<Way, Tally> = { floor: empty(), tasks: empty(), chat: empty() };
    for (let turn = 0; turn < turns; turn += 1)
      for (const way of WAYS) await measure(tallies[way], size, work[way], processes);
    return report(tallies);
  } finally {
    await floor.stop();
  }
}

function empty(): Tally {
  return { tasks: 0, seconds: 0, wholeMs: [], cpu: {} };
}

async function measure(
  tally: Tally,
  tasks: number,
  work: (tasks: number) => Promise<number[]>,
  processes: readonly NamedProcess[],
): Promise<void> {
  const before = await cpuMs(processes);
  const beganMs = nowMs();
  tally.wholeMs.push(...(await work(tasks)));
  tally.seconds += (nowMs() - beganMs) / 1000;
  tally.tasks += tasks;
  tally.cpu = sum(tally.cpu, rise(before, await cpuMs(processes)));
}

async function runFloor(floor: Floor, tasks: number): Promise<number[]> {
  const numbers = Array.from({ length: tasks }, nextTask);
  const [firstTask = 0] = numbers;
  const ran = await floor.order({ kind: 'run', clients: AT_ONCE, firstTask, tasks });
  if (ran.kind !== 'ran') throw new Error(`the floor answered ${ran.kind}`);
  if (ran.eager !== tasks) throw new Error(`${ran.eager} of ${tasks} starts of the floor were eager`);
  await drain(floor, floor.namespace, numbers.map(taskIdOf));
  return [...ran.wholeMs];
}

async function runDrover(
  floor: Floor,
  book: AdmissionBook,
  subject: Subject,
  tasks: number,
): Promise<number[]> {
  const answers = await clients(AT_ONCE, tasks, () => subject(WISH));
  await drain(
    floor,
    'default',
    answers.map(({ taskId }) => taskId),
  );
  await book.mustBeEager(tasks);
  return answers.map(({ wholeMs }) => wholeMs);
}

/** A turn is over when the workflows of its last tasks have completed, not when the last client is content. */
async function drain(floor: Floor, namespace: string, taskIds: readonly string[]): Promise<void> {
  await floor.order({ kind: 'drain', namespace, taskIds: taskIds.slice(-2 * AT_ONCE) });
}

function report(tallies: Record<Way, Tally>): Report {
  const pace = (way: Way) => tallies[way].tasks / tallies[way].seconds;
  const ofFloor = (way: Way) => (100 * pace(way)) / pace('floor');
  const rows = WAYS.map((way) => {
    const { p50, p99 } = summarize(tallies[way].wholeMs);
    const share = way === 'floor' ? '' : `${shown(ofFloor(way))} %`;
    return [TITLES[way], String(tallies[way].tasks), shown(pace(way)), share, shown(p50), shown(p99)];
  });
  const columns = ['way', 'tasks', 'tasks/s', 'of the floor', 'whole task p50, ms', 'p99, ms'];
  return {
    tables: [{ title: `Tasks a second, ${AT_ONCE} at once`, columns, rows }, costTable(tallies)],
    goals: [
      {
        what: `tasks a second of the floor's, ${TITLES.tasks}, ${AT_ONCE} at once`,
        value: ofFloor('tasks'),
        reach: 60,
        unit: '%',
        atLeast: true,
      },
    ],
  };
}

function costTable(tallies: Record<Way, Tally>): Table {
  const names = Object.keys(tallies.floor.cpu);
  const rows = WAYS.map((way) => {
    const { cpu, tasks } = tallies[way];
    const costs = names.map((name) => (cpu[name] ?? 0) / tasks);
    const total = names.reduce((all, name, at) => all + (name === CLIENTS ? 0 : (costs[at] ?? 0)), 0);
    return [TITLES[way], ...costs.map(shown), shown(total)];
  });
  const columns = ['way', ...names, `all but ${CLIENTS}`];
  return { title: `CPU time of a task by process, ${AT_ONCE} at once, ms`, columns, rows };
}
