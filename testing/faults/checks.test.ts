import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAll, type CheckName } from './checks.js';
import type { Facts } from './facts.js';
import { NAMES, soundFacts, type Writable } from './sample-facts.js';

type Broken = Writable<Facts>;

function storyOf({ stories }: Broken, name: string): Broken['stories'][number] {
  return stories.find(({ task }) => task.name === name)!;
}

function knownOf(
  { tasks }: Broken,
  taskId: string,
): Broken['tasks'] extends Map<string, infer V> ? V : never {
  return tasks.get(taskId)!;
}

/** Events of a story's visit. */
const seen = (facts: Broken, name: string, visit: number) => storyOf(facts, name).visits[visit]!.events;

test('a run in which everything held passes every group', () => {
  for (const { name, problems } of checkAll(soundFacts())) assert.deepEqual(problems, [], name);
});

const VIOLATIONS: [title: string, group: CheckName, says: RegExp, plant: (facts: Broken) => void][] = [
  ['a stream without an end', 'ends', /read: its client saw 0 ends/, (f) => seen(f, NAMES.read, 1).pop()],
  [
    'a stream with two ends',
    'ends',
    /read: its client saw 2 ends/,
    (f) => seen(f, NAMES.read, 1).push({ id: '6', event: 'error', data: '{"code":"CANCELLED"}', atMs: 0 }),
  ],
  [
    'frames after the end',
    'ends',
    /frames after the end/,
    (f) => knownOf(f, NAMES.read).replay!.push({ id: '9', event: 'token', data: '{"t":"","i":4}' }),
  ],
  ['a client that gave up', 'ends', /away: nobody/, (f) => (storyOf(f, NAMES.away).problem = 'nobody')],
  [
    'an error that is no part of the log',
    'ends',
    /the stream broke off/,
    (f) => seen(f, NAMES.read, 0).push({ id: undefined, event: 'error', data: '{}', atMs: 0 }),
  ],
  [
    'an offset that comes twice after a reconnect',
    'offsets',
    /read: offset 2 came twice/,
    (f) => seen(f, NAMES.read, 1).unshift(seen(f, NAMES.read, 0)[2]!),
  ],
  [
    'an offset out of order',
    'offsets',
    /offset 3 came after 4/,
    (f) => seen(f, NAMES.read, 1).splice(0, 2, ...seen(f, NAMES.read, 1).slice(0, 2).reverse()),
  ],
  ['a missing token', 'offsets', /token 2 has i 3/, (f) => seen(f, NAMES.read, 1).shift()],
  [
    'a chat that is resumed under another id',
    'offsets',
    /chunks of/,
    (f) => {
      const chunk = seen(f, NAMES.chat, 0)[1]!;
      chunk.data = chunk.data.replace('idem-1', 'idem-9');
    },
  ],
  [
    'a chat with two heads',
    'offsets',
    /2 roles/,
    (f) => seen(f, NAMES.chat, 0).push({ ...seen(f, NAMES.chat, 0)[0]!, id: '4.1' }),
  ],
  ['a chat without a finish', 'offsets', /0 finishes/, (f) => seen(f, NAMES.chat, 0).pop()],
  [
    "another task's token",
    'text',
    /undisturbed it says "Waves arrive in lines."/,
    (f) => (seen(f, NAMES.read, 1)[0]!.data = '{"t":" over","i":2}'),
  ],
  [
    'a completion that is cut short',
    'text',
    /it said "Waves arrive in"/,
    (f) => seen(f, NAMES.read, 1).splice(1, 1),
  ],
  [
    'a fresh reader who gets something else',
    'text',
    /frame 1 was 1 token .* a fresh reader gets 2 token/,
    (f) => knownOf(f, NAMES.read).replay!.splice(1, 1),
  ],
  [
    'a run log that says something else',
    'text',
    /the log has "Waves arrive in"/,
    (f) => knownOf(f, NAMES.read).log!.frames.pop(),
  ],
  ['a run without a log', 'text', /there is no run log/, (f) => (knownOf(f, NAMES.read).log = undefined)],
  [
    'a task that nobody can read again',
    'text',
    /no fresh reader/,
    (f) => (knownOf(f, NAMES.read).replay = undefined),
  ],
  [
    'a whole completion with other text',
    'text',
    /whole: it said/,
    (f) => (storyOf(f, NAMES.whole).whole = storyOf(f, NAMES.whole).whole!.replace('Waves', 'Caves')),
  ],
  [
    'two different acceptances of one request',
    'answers',
    /2 different acceptances/,
    (f) => storyOf(f, NAMES.read).posts.push({ ...storyOf(f, NAMES.read).posts[1]!, text: '{"other":1}' }),
  ],
  [
    'another body that is accepted',
    'answers',
    /read: answered 202/,
    (f) => (storyOf(f, NAMES.read).conflicts[1]!.status = 202),
  ],
  [
    'a cancel that is refused',
    'answers',
    /cancelled: answered 404/,
    (f) => (storyOf(f, NAMES.cancelled).cancels[0]!.status = 404),
  ],
  [
    'a refusal that does not say when to come again',
    'answers',
    /read: refused for now, and not told for how long/,
    (f) => (storyOf(f, NAMES.read).conflicts[0]!.retryAfter = null),
  ],
  [
    'a task that is dispatched twice',
    'once',
    /read: dispatched 2 times/,
    (f) => (knownOf(f, NAMES.read).log!.dispatches = 2),
  ],
  [
    'a task that began without a trace',
    'once',
    /5 runs began, 4 are known/,
    (f) => (f.node.counts!.tasksStarted = 5),
  ],
  ['tokens that nobody got', 'once', /16 tokens were counted, 12/, (f) => (f.node.counts!.tokensOut = 16)],
  [
    'a run that ends twice',
    'once',
    /read: its run ended more than once/,
    (f) => f.node.events.push({ ...f.node.events[0]!, state: 'failed' }),
  ],
  [
    'a workflow that is started twice',
    'once',
    /task:read: its workflow was started more than once/,
    (f) => f.workflowIds.push('task:read'),
  ],
  [
    'an offer that is dropped after its client was told "accepted"',
    'once',
    /dropped 500 ms after the client was told "accepted", while it ran/,
    (f) => f.node.events.push({ ...f.node.events[0]!, event: 'offer_dropped', at: 1_500 }),
  ],
  [
    'an offer that is dropped twice',
    'once',
    /idem-1: its offer was dropped again after 160 ms/,
    (f) => {
      const drop = { ...f.node.events[2]!, event: 'offer_dropped' as const };
      f.node.events.push({ ...drop, at: 3_000 }, { ...drop, at: 3_160 });
    },
  ],
  ['a lease that is never given back', 'balance', /1 leases/, (f) => (f.pools[1]![0]!.active_leases = 1)],
  ['a slot that is lost', 'balance', /3 of 4 slots/, (f) => (f.pools[0]![0]!.slots_free = 3)],
  ['a task that waits for ever', 'balance', /2 tasks wait/, (f) => (f.pools[0]![0]!.metrics.queue_depth = 2)],
  ['a gauge that was not set back', 'balance', /gauge says that 1/, (f) => (f.node.queueDepth = 1)],
  [
    'a workflow that says something else than the client saw',
    'record',
    /saw completed, the workflow is CANCELLED/,
    (f) => (knownOf(f, NAMES.read).workflow!.status = 'CANCELLED'),
  ],
  [
    'a workflow that failed for another reason',
    'record',
    /saw cancelled, the workflow is FAILED WORKER_RESET/,
    (f) => (knownOf(f, NAMES.cancelled).workflow!.failure = 'WORKER_RESET'),
  ],
  [
    'a workflow that never closes',
    'record',
    /the workflow is RUNNING/,
    (f) => (knownOf(f, NAMES.read).workflow!.status = 'RUNNING'),
  ],
  [
    'a search attribute that lags for ever',
    'record',
    /TaskState is queued/,
    (f) => (knownOf(f, NAMES.read).workflow!.state = 'queued'),
  ],
  [
    'other token counts on record',
    'record',
    /saw 4 tokens, TokensOut is 3/,
    (f) => (knownOf(f, NAMES.read).workflow!.tokensOut = 3),
  ],
  [
    'a task that Temporal forgot',
    'record',
    /does not know it/,
    (f) => (knownOf(f, NAMES.read).workflow = undefined),
  ],
  ['a task that nobody asked for', 'record', /task:ghost: nobody/, (f) => f.workflowIds.push('task:ghost')],
  [
    'a task whose client walked away, and that never ends',
    'record',
    /away: its workflow runs for ever/,
    (f) =>
      f.tasks.set(NAMES.away, {
        ...knownOf(f, NAMES.cancelled),
        status: undefined,
        workflow: { ...knownOf(f, NAMES.read).workflow!, status: 'RUNNING' },
      }),
  ],
  ['a pool with two engines', 'pools', /engines 77, 78/, (f) => f.preloads[0]!.engines.push(78)],
  ['a preload that nobody answers', 'pools', /answered nothing/, (f) => f.preloads[0]!.answers.pop()],
  ['a preload that is still running', 'pools', /RUNNING/, (f) => (f.preloads[0]!.status = 'RUNNING')],
  [
    'a process that died by itself',
    'processes',
    /node ended/,
    (f) => f.accidents.push('node ended by itself'),
  ],
  [
    'a process that outlives the end',
    'processes',
    /left running: 9 engine/,
    (f) => f.leftBehind.push('9 engine'),
  ],
];
for (const [title, group, says, plant] of VIOLATIONS) {
  test(`${title} turns "${group}" red`, () => {
    const facts = soundFacts();
    plant(facts);
    const { problems } = checkAll(facts).find(({ name }) => name === group)!;
    assert.match(problems.join('\n'), says);
  });
}

test('a check that breaks off has found something', () => {
  const facts = soundFacts();
  seen(facts, NAMES.read, 0)[1]!.data = 'no JSON';
  const offsets = checkAll(facts).find(({ name }) => name === 'offsets')!;
  assert.match(offsets.problems.join('\n'), /the check broke off/);
});
