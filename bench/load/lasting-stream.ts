/**
 * A reader that outlives what it reads from: when its connection breaks, or the API is not there, it asks again for
 * what comes after the last event that it has, as an `EventSource` does. Every token is checked across the break.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../engine/words.js';
import { Answer } from './answer.js';
import { eventBlocks, type EventBlock } from './event-blocks.js';
import type { HttpClient } from './http-client.js';
import { eventsPath, nextTask, takeFrame, taskBody, taskIdOf, type Wish } from './subjects.js';

/** Between two tries, far below what is measured; an `EventSource` waits longer. */
const AGAIN_MS = 20;
/** Whoever is not back by then does not come back. */
const LIMIT_MS = 60_000;

/** A task whose events are being read. */
export interface LastingStream {
  answer: Answer;
  /** How often the connection broke or was refused. */
  breaks: () => number;
  /** Resolves with the last frame. @throws Error for a token missing, twice or wrong, for an error frame, or in the end */
  over: Promise<Answer>;
}

/** Orders a task; undefined when it was refused for now (503), as while its node is away. */
export async function beginStream(
  api: HttpClient,
  pool: string,
  wish: Wish,
): Promise<LastingStream | undefined> {
  const task = nextTask();
  const answer = new Answer(task, wish.tokens);
  answer.taskId = taskIdOf(task);
  const { status, text } = await api.send({
    method: 'POST',
    path: '/v2/tasks',
    body: taskBody(task, wish, pool),
  });
  if (status === 503) return undefined;
  if (status !== 202) throw new Error(`task ${task}: ${status} ${text.slice(0, 300)}`);
  let count = 0;
  const over = read(api, answer, () => (count += 1));
  over.catch(() => undefined); // Whoever awaits it is told; until then it is nobody's.
  return { answer, breaks: () => count, over };
}

async function read(api: HttpClient, answer: Answer, broke: () => void): Promise<Answer> {
  let lastId = '';
  let wrong: Error | undefined;
  function take(block: EventBlock): void {
    try {
      takeFrame(answer, block);
    } catch (err) {
      wrong = err instanceof Error ? err : new Error(String(err));
      throw wrong;
    }
    if (block.id !== '') lastId = block.id;
  }
  const giveUpAtMs = nowMs() + LIMIT_MS;
  for (;;) {
    const headers: Record<string, string> = lastId === '' ? {} : { 'last-event-id': lastId };
    const failure = await api
      .stream({ method: 'GET', path: eventsPath(answer), headers }, eventBlocks(take))
      .catch((err: unknown) => err);
    if (wrong !== undefined) throw wrong;
    if (answer.endedMs > 0) return answer;
    if (nowMs() > giveUpAtMs) throw new Error(`task ${answer.task} has no end`, { cause: failure });
    broke();
    await delay(AGAIN_MS);
  }
}
