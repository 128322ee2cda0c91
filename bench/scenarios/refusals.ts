/**
 * Refusals a second: of a full queue and of nobody's key. What an overloaded service says must cost less than what it
 * refuses. The floor is a bare Node server that reads the same body and answers a refusal of the same kind.
 */
import { taskBody, nextTask, taskIdOf } from '../load/subjects.js';
import { clients } from '../load/clients.js';
import type { Answered, HttpClient } from '../load/http-client.js';
import { nowMs } from '../engine/words.js';
import { summarize } from '../measure/summary.js';
import { shown, type Report } from '../report/report.js';
import type { Bench } from '../scenario.js';
import { enginePid, loadPool, untilIdle, type BenchPool } from '../stack/bench-pools.js';

const CLIENTS = 16;
const POOL = 'full';
/** Waiting tasks that a queue holds by default, and the one that runs. */
const FILLING = 17;
/** The running task says a token a second until it is cancelled. */
const LONG = { tokens: 700, pauseMs: 1_000 };
const SHORT = { tokens: 16, pauseMs: 0 };

/** A kind of refusal. */
interface Kind {
  title: string;
  ask: () => Promise<Answered>;
  status: number;
}

/** Refusals a second. */
export async function refusals(bench: Bench): Promise<Report> {
  const { drover, quick, say } = bench;
  const full = await loadPool(drover, POOL, 1);
  const filling = await fill(bench);
  const kinds = kindsOf(bench, full);
  const [turns, turnMs] = quick ? [1, 700] : [3, 2_000];
  say(`refusals: ${CLIENTS} clients, ${(turns * turnMs) / 1000} s a kind`);
  const took: number[][] = kinds.map(() => []);
  for (const kind of kinds) await refuse(kind, turnMs / 4);
  for (let turn = 0; turn < turns; turn += 1)
    for (const [at, kind] of kinds.entries()) took[at]?.push(...(await refuse(kind, turnMs)));
  await clients(4, FILLING, (index) => cancel(drover.api, filling[FILLING - 1 - index] ?? 0));
  await untilIdle(drover, POOL);
  process.kill(await enginePid(drover.stateDir, POOL), 'SIGTERM');
  const rows = kinds.map(({ title }, at) => {
    const { count, p50, p99 } = summarize(took[at] ?? []);
    return [title, String(count), shown((count * 1000) / (turns * turnMs)), shown(p50), shown(p99)];
  });
  const columns = ['answer', 'answers', 'answers/s', 'p50, ms', 'p99, ms'];
  return { tables: [{ title: `Refusals a second, ${CLIENTS} clients`, columns, rows }], goals: [] };
}

function kindsOf({ drover }: Bench, { engine }: BenchPool): Kind[] {
  const refused = (client: HttpClient, path: string) => () =>
    client.send({ method: 'POST', path, body: taskBody(nextTask(), SHORT, POOL) });
  const tasks = '/v2/tasks';
  return [
    { title: 'floor: bare Node server, 429', ask: refused(engine, '/refuse'), status: 429 },
    { title: 'no key, 401', ask: refused(drover.stranger, tasks), status: 401 },
    { title: 'queue full, 429', ask: refused(drover.api, tasks), status: 429 },
  ];
}

/** One task runs, and as many wait as may. */
async function fill({ drover }: Bench): Promise<number[]> {
  const tasks: number[] = [];
  for (let index = 0; index < FILLING; index += 1) {
    const task = nextTask();
    const body = taskBody(task, LONG, POOL);
    const { status, text } = await drover.api.send({ method: 'POST', path: '/v2/tasks', body });
    if (status !== 202) throw new Error(`filling the queue, task ${index + 1}: ${status} ${text}`);
    tasks.push(task);
  }
  return tasks;
}

/** Asks for a while; how long each answer took. @throws Error for any other answer */
async function refuse({ title, ask, status }: Kind, forMs: number): Promise<number[]> {
  const took: number[] = [];
  const untilMs = nowMs() + forMs;
  await clients(CLIENTS, CLIENTS, async () => {
    while (nowMs() < untilMs) {
      const beganMs = nowMs();
      const answer = await ask();
      took.push(nowMs() - beganMs);
      if (answer.status !== status)
        throw new Error(`${title}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
  });
  return took;
}

async function cancel(api: HttpClient, task: number): Promise<void> {
  const { status, text } = await api.send({
    method: 'POST',
    path: `/v2/tasks/${taskIdOf(task)}/cancel`,
    body: {},
  });
  if (status !== 204) throw new Error(`cancel of task ${task}: ${status} ${text}`);
}
