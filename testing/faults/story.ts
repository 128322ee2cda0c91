/** What one client saw of one task: every request and every connection, in the order they were made. */
import type { SeenEvent, TimedEvent } from './event-blocks.js';
import type { PlannedTask } from './plan.js';

/** A request and its answer; without a status the connection died before there was one. */
export interface Exchange {
  door: string;
  status: number | undefined;
  /** The body as text, or why there was none. */
  text: string;
  /** When the client was asked to come again. */
  retryAfter: string | null;
  sentAtMs: number;
  tookMs: number;
  /** On the wall clock, which the logs go by. */
  answeredAt: number;
}

/** How a connection to a stream ended: the server closed it, the client left, it broke, or there was no stream. */
export type VisitEnd = 'closed' | 'left' | 'broke' | 'refused';

/** One connection to a stream. */
export interface Visit {
  door: string;
  /** `Last-Event-ID` that was sent. */
  after: string | undefined;
  status: number | undefined;
  events: TimedEvent[];
  end: VisitEnd;
  /** Body of a refusal, or why it broke. */
  why: string;
  openedAtMs: number;
}

/** The whole story. */
export interface Story {
  task: PlannedTask;
  /** Admissions; of a `/v1` stream its visits say it. */
  posts: Exchange[];
  /** Another body under the same id, until somebody answered. */
  conflicts: Exchange[];
  cancels: Exchange[];
  visits: Visit[];
  /** Answer to a `/v1` request for the whole completion. */
  whole: string | undefined;
  /** Why the client gave up. */
  problem: string | undefined;
}

/** An empty story. */
export function newStory(task: PlannedTask): Story {
  return { task, posts: [], conflicts: [], cancels: [], visits: [], whole: undefined, problem: undefined };
}

/** A connection that has yet to be made. */
export function newVisit(door: string, after: string | undefined, openedAtMs: number): Visit {
  return { door, after, status: undefined, events: [], end: 'broke', why: '', openedAtMs };
}

/** All events that the client has, its visits put together as a client does that resumes. */
export function eventsOf({ visits }: Story): TimedEvent[] {
  return visits.flatMap(({ events }) => events);
}

/** True for the event that ends a stream, in our words or in OpenAI's; an error without an id is no part of the log. */
export function isClosing(seen: SeenEvent): boolean {
  return seen.event === 'end' || seen.data === '[DONE]' || (isError(seen) && seen.id !== undefined);
}

/** True for an error, in our words or in OpenAI's. */
export function isError({ event, data }: SeenEvent): boolean {
  return event === 'error' || (event === 'message' && data.startsWith('{"error"'));
}

/** The event that ended the stream. */
export function closingOf(events: readonly SeenEvent[]): SeenEvent | undefined {
  return events.find(isClosing);
}

/** True when the task was accepted by what its client saw. */
export function wasAccepted({ task, posts, visits, whole }: Story): boolean {
  if (task.route === 'v2') return posts.some(({ status }) => status === 202);
  return whole !== undefined || visits.some(({ status }) => status === 200);
}

/** The task's id in Drover; of a `/v1` task the completion's id tells it, once the client has seen one. */
export function taskIdOf(story: Story): string | undefined {
  const { task, whole } = story;
  if (task.route === 'v2') return task.name;
  const text = whole ?? eventsOf(story).find(({ data }) => data.startsWith('{"id"'))?.data;
  return text === undefined ? undefined : taskIdOfCompletion((JSON.parse(text) as { id: string }).id);
}

/** The task's id stands in the completion's. */
export function taskIdOfCompletion(id: string): string | undefined {
  return /^(?:chatcmpl|cmpl)-(.+)$/.exec(id)?.[1];
}

/** The text that the client put together. */
export function textOf(events: readonly SeenEvent[]): string {
  return events.map(pieceOf).join('');
}

function pieceOf({ event, data }: SeenEvent): string {
  if (event === 'token') return (JSON.parse(data) as { t: string }).t;
  if (event !== 'message' || data === '[DONE]') return '';
  const { choices } = JSON.parse(data) as { choices?: { text?: string; delta?: { content?: string } }[] };
  const [choice] = choices ?? [];
  return choice?.text ?? choice?.delta?.content ?? '';
}
