/** The facts of a run in which everything held, small enough to be broken by hand: what the tests of the checks plant in. */
import type { Facts, LogFacts, Saying, TaskFacts } from './facts.js';
import type { PlannedTask, Route } from './plan.js';
import { planOf } from './plan.js';
import { wishKey } from './requests.js';
import { eventsOf, newStory, newVisit, type Exchange, type Story } from './story.js';

const PIECES = ['Waves', ' arrive', ' in', ' lines.'];
const DOORS = ['http://127.0.0.1:1', 'http://127.0.0.1:2'] as const;

/** Deeply writable, so that a test can plant a violation. */
export type Writable<T> =
  T extends ReadonlyMap<infer K, infer V>
    ? Map<K, Writable<V>>
    : T extends readonly (infer V)[]
      ? Writable<V>[]
      : T extends object
        ? { -readonly [Key in keyof T]: Writable<T[Key]> }
        : T;

/** Names of the tasks: of each kind one. */
export const NAMES = { read: 'read', cancelled: 'cancelled', chat: 'chat', whole: 'whole', away: 'away' };

/** Everything in order. */
export function soundFacts(): Writable<Facts> {
  const stories = [readStory(), cancelledStory(), chatStory(), wholeStory(), awayStory()];
  const saying: Saying = { text: PIECES.join(''), tokensOut: PIECES.length, finishReason: 'stop' };
  const tasks = new Map<string, TaskFacts>([
    [NAMES.read, completed(stories[0])],
    [NAMES.cancelled, cancelled(stories[1])],
    ['idem-1', completed(stories[2])],
    ['idem-2', { ...completed(undefined), replay: undefined }],
  ]);
  const ended = (taskId: string, state: string, tokensOut: number) => {
    return { event: 'run_ended' as const, taskId, at: 2_000, dispatched: true, state, tokensOut };
  };
  const events = [
    ended(NAMES.read, 'completed', 4),
    ended(NAMES.cancelled, 'cancelled', 1),
    ended('idem-1', 'completed', 4),
    ended('idem-2', 'completed', 4),
  ];
  const facts: Facts = {
    plan: planOf({ seed: 1, seconds: 1, victims: ['api'] }),
    stories,
    undisturbed: new Map(stories.map(({ task }) => [wishKey(task), saying])),
    tasks,
    pools: [[idlePool()], [idlePool()]],
    workflowIds: [...tasks.keys()].map((taskId) => `task:${taskId}`),
    node: { counts: { tasksStarted: 4, tokensOut: 12 }, deaths: 0, queueDepth: 0, events },
    preloads: [
      {
        planned: { pool: 'extra', notBeforeMs: 0 },
        answers: [exchange(undefined, ''), exchange(200, '{"pid":77}')],
        status: 'COMPLETED',
        engines: [77],
      },
    ],
    strikes: [],
    accidents: [],
    leftBehind: [],
  };
  return facts as Writable<Facts>;
}

/** Read by way of a death: the second visit goes on after the last offset of the first. */
function readStory(): Story {
  const story = {
    ...newStory(task(NAMES.read, 'v2')),
    posts: [exchange(undefined, ''), exchange(202, '{}')],
  };
  const frames = [started(), ...PIECES.map(token), end()];
  story.visits.push(visit(frames.slice(0, 3), undefined), visit(frames.slice(3), '2'));
  story.conflicts.push(
    { ...exchange(503, '{}'), retryAfter: '1' },
    exchange(409, '{"code":"TASK_CONFLICT"}'),
  );
  return story;
}

function cancelledStory(): Story {
  const story = { ...newStory(task(NAMES.cancelled, 'v2')), posts: [exchange(202, '{}')] };
  const error = event('2', 'error', { code: 'CANCELLED', message: 'the task was cancelled' });
  story.visits.push(visit([started(), token(PIECES[0] ?? '', 0), error], undefined));
  story.cancels.push(exchange(204, ''));
  return story;
}

function chatStory(): Story {
  const chunk = (id: string, choice: object) =>
    event(id, 'message', { id: 'chatcmpl-idem-1', created: 1, choices: [{ index: 0, ...choice }] });
  const chunks = [
    chunk('0', { delta: { role: 'assistant', content: '' }, finish_reason: null }),
    ...PIECES.map((content, i) => chunk(String(i + 1), { delta: { content }, finish_reason: null })),
    chunk('5', { delta: {}, finish_reason: 'stop' }),
    { ...event('5.1', 'message', {}), data: '[DONE]' },
  ];
  const story = newStory(task(NAMES.chat, 'chat'));
  story.visits.push(visit(chunks.slice(0, 6), undefined), visit(chunks.slice(6), '5'));
  return story;
}

function wholeStory(): Story {
  const choices = [{ message: { content: PIECES.join('') }, finish_reason: 'stop' }];
  const whole = JSON.stringify({ id: 'chatcmpl-idem-2', choices, usage: { completion_tokens: 4 } });
  const story = newStory({ ...task(NAMES.whole, 'chat'), stream: false });
  return { ...story, whole, posts: [exchange(200, whole)] };
}

function awayStory(): Story {
  return { ...newStory({ ...task(NAMES.away, 'v2'), walksAway: true }), posts: [exchange(undefined, '')] };
}

function completed(story: Story | undefined): TaskFacts {
  return {
    replay: story === undefined ? undefined : eventsOf(story),
    status: { state: 'completed' } as TaskFacts['status'],
    workflow: { status: 'COMPLETED', failure: undefined, state: 'completed', tokensOut: 4 },
    log: log('completed', PIECES),
  };
}

function cancelled(story: Story | undefined): TaskFacts {
  return {
    replay: story === undefined ? undefined : eventsOf(story),
    status: { state: 'cancelled' } as TaskFacts['status'],
    workflow: { status: 'FAILED', failure: 'CANCELLED', state: 'cancelled', tokensOut: 1 },
    log: log('cancelled', PIECES.slice(0, 1)),
  };
}

function log(state: string, pieces: readonly string[]): LogFacts {
  const frames = pieces.map((t, i) => ({
    ...{ type: 'token' as const, offset: i + 1, epoch: 1 },
    data: { t, i },
  }));
  return { admissions: 1, dispatches: 1, closings: 1, state, frames };
}

function task(name: string, route: Route): PlannedTask {
  return {
    ...{ name, route, pool: 'slow', topic: 'sea', maxTokens: 8, priority: 'interactive', notBeforeMs: 0 },
    ...{ stream: true, cancelAfterTokens: null, leaveAfterFrames: [], twice: false, conflict: false },
    ...{ walksAway: false, resumeBy: 'get' },
  };
}

function visit(events: ReturnType<typeof event>[], after: string | undefined) {
  return { ...newVisit(DOORS[0], after, 0), status: 200, events, end: 'closed' as const };
}

function event(id: string, name: string, data: object) {
  return { id, event: name, data: JSON.stringify(data), atMs: 0 };
}

function started() {
  return event('0', 'started', {});
}

function token(t: string, i: number) {
  return event(String(i + 1), 'token', { t, i });
}

function end() {
  return event(String(PIECES.length + 1), 'end', { tokens_out: 4, stop_reason: 'EOS' });
}

function exchange(status: number | undefined, text: string): Exchange {
  return { door: DOORS[1], status, text, retryAfter: null, sentAtMs: 0, tookMs: 1, answeredAt: 1_000 };
}

function idlePool(): Facts['pools'][number][number] {
  const pool = {
    pool_id: 'slow',
    active_leases: 0,
    slots_free: 4,
    slots_total: 4,
    metrics: { queue_depth: 0 },
  };
  return pool as Facts['pools'][number][number];
}
