/**
 * The ways to a token that are compared, each with the same prompt: the engine itself by ids, Drover's own tasks, and
 * OpenAI's chat through Drover. All give the same record, so that a figure is one subtraction.
 */
import type { TaskRequest } from '../../contracts/task.js';
import { idsOf, promptOf } from '../engine/words.js';
import { Answer } from './answer.js';
import { eventBlocks, type EventBlock } from './event-blocks.js';
import type { HttpClient } from './http-client.js';

/** What is asked of the engine. */
export interface Wish {
  tokens: number;
  /** Pause between two tokens, which the engine may be told to cut short; 0: all at once. */
  pauseMs: number;
}

/** A way to a token; resolves at the last one. */
export type Subject = (wish: Wish, onFirst?: () => void) => Promise<Answer>;

/** Names of the ways. */
export type SubjectName = 'engine' | 'tasks' | 'chat';

/** Pool and catalogue name of the bench's engine. */
export const BENCH_MODEL = 'bench';
/** Nothing here may end by its deadline. */
const DEADLINE_MS = 3_600_000;

/** Tasks are numbered through a whole run, so that no two have the same id or words. */
let lastTask = 0;

/** Number of a new task. */
export function nextTask(): number {
  lastTask += 1;
  return lastTask;
}

/** Id of a task by its number. */
export function taskIdOf(task: number): string {
  return `bench-${task}`;
}

/** Body of `POST /v2/tasks`. */
export function taskBody(
  task: number,
  { tokens, pauseMs }: Wish,
  pool = BENCH_MODEL,
  priority: TaskRequest['priority'] = 'interactive',
): TaskRequest {
  return {
    task_id: taskIdOf(task),
    session_id: taskIdOf(task),
    workload: 'completion',
    model_ref: BENCH_MODEL,
    engine: 'llamacpp',
    ctx: 0,
    priority,
    max_tokens: tokens,
    deadline_ms: DEADLINE_MS,
    seed: pauseMs,
    prompt: promptOf(task),
    placement: { mode: 'pin', pin_pool_id: pool, allow_fallback: false },
  };
}

interface EngineChunk {
  content: string;
  stop: boolean;
  tokens_predicted?: number;
}

/** The engine itself, in llama-server's words, with the ids that Drover sends it. */
export function engineSubject(engine: HttpClient): Subject {
  return async ({ tokens, pauseMs }, onFirst) => {
    const task = nextTask();
    const prompt = idsOf(promptOf(task));
    const answer = new Answer(task, tokens, onFirst);
    const body = { prompt, n_predict: tokens, seed: pauseMs, stream: true, return_tokens: true };
    const take = eventBlocks(({ data }) => {
      const { content, stop, tokens_predicted } = JSON.parse(data) as EngineChunk;
      if (content !== '') answer.take(content);
      if (stop) answer.end(tokens_predicted);
    });
    await engine.stream({ method: 'POST', path: '/completion', body }, take);
    return finished(answer);
  };
}

/** `POST /v2/tasks`, then its events. */
export function tasksSubject(
  api: HttpClient,
  pool = BENCH_MODEL,
  priority: TaskRequest['priority'] = 'interactive',
): Subject {
  return async (wish, onFirst) => {
    const task = nextTask();
    const answer = new Answer(task, wish.tokens, onFirst);
    answer.taskId = taskIdOf(task);
    const body = taskBody(task, wish, pool, priority);
    const accepted = await api.send({ method: 'POST', path: '/v2/tasks', body });
    if (accepted.status !== 202)
      throw new Error(`task ${task}: ${accepted.status} ${accepted.text.slice(0, 300)}`);
    const take = eventBlocks((block) => takeFrame(answer, block));
    await api.stream({ method: 'GET', path: eventsPath(answer) }, take);
    return finished(answer);
  };
}

/** Where the events of a task are. */
export function eventsPath({ taskId }: Answer): string {
  return `/v2/tasks/${taskId}/events`;
}

/** Takes one frame of a task. @throws Error when it is an error, or not the one that was due */
export function takeFrame(answer: Answer, { event, data }: EventBlock): void {
  if (event === 'token') answer.take((JSON.parse(data) as { t: string }).t);
  else if (event === 'end') answer.end((JSON.parse(data) as { tokens_out: number }).tokens_out);
  else if (event === 'error') throw new Error(`task ${answer.task}: ${data}`);
}

interface ChatChunk {
  id: string;
  error?: unknown;
  choices?: { delta: { content?: string } }[];
}

/** `POST /v1/chat/completions`, streamed. */
export function chatSubject(api: HttpClient): Subject {
  return async ({ tokens, pauseMs }, onFirst) => {
    const task = nextTask();
    const answer = new Answer(task, tokens, onFirst);
    const messages = [{ role: 'user', content: promptOf(task) }];
    const body = { model: BENCH_MODEL, messages, max_tokens: tokens, seed: pauseMs, stream: true };
    const take = eventBlocks(({ data }) => {
      if (data === '[DONE]') return answer.end();
      const chunk = JSON.parse(data) as ChatChunk;
      if (chunk.error !== undefined) throw new Error(`task ${task}: ${data}`);
      answer.taskId = chunk.id.replace(/^chatcmpl-/, '');
      const text = chunk.choices?.[0]?.delta.content ?? '';
      if (text !== '') answer.take(text);
    });
    await api.stream({ method: 'POST', path: '/v1/chat/completions', body }, take);
    return finished(answer);
  };
}

/** @throws Error when the answer has no end */
function finished(answer: Answer): Answer {
  if (answer.endedMs === 0) throw new Error(`task ${answer.task} has no end`);
  return answer;
}
