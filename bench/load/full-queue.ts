/** A queue without room: one task runs, as many wait as may, and whoever comes now is refused. */
import { nowMs } from '../engine/words.js';
import type { Drover } from '../stack/start-drover.js';
import { untilIdle } from '../stack/bench-pools.js';
import type { Answered, HttpClient } from './http-client.js';
import { clients } from './clients.js';
import { nextTask, taskBody, taskIdOf } from './subjects.js';

/** Waiting tasks that a queue holds by default, and the one that runs. */
const FILLING = 17;
/** The running task says a token a second until it is cancelled. */
const LONG = { tokens: 700, pauseMs: 1_000 };

/** Fills the queue of a pool with one slot; `empty` cancels all again. */
export async function fillQueue(drover: Drover, pool: string): Promise<{ empty: () => Promise<void> }> {
  const tasks: number[] = [];
  for (let index = 0; index < FILLING; index += 1) {
    const task = nextTask();
    const body = taskBody(task, LONG, pool);
    const { status, text } = await drover.api.send({ method: 'POST', path: '/v2/tasks', body });
    if (status !== 202) throw new Error(`filling the queue, task ${index + 1}: ${status} ${text}`);
    tasks.push(task);
  }
  const empty = async () => {
    await clients(4, FILLING, (index) => cancel(drover.api, tasks[FILLING - 1 - index] ?? 0));
    await untilIdle(drover, pool);
  };
  return { empty };
}

/** What is asked for in vain. */
export interface Refusal {
  title: string;
  ask: () => Promise<Answered>;
  status: number;
}

/** `count` clients ask for a while, each again at once; how long each answer took. @throws Error for any other answer */
export async function askInVain(
  { title, ask, status }: Refusal,
  count: number,
  forMs: number,
): Promise<number[]> {
  const took: number[] = [];
  const untilMs = nowMs() + forMs;
  await clients(count, count, async () => {
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
  const path = `/v2/tasks/${taskIdOf(task)}/cancel`;
  const { status, text } = await api.send({ method: 'POST', path, body: {} });
  if (status !== 204) throw new Error(`cancel of task ${task}: ${status} ${text}`);
}
