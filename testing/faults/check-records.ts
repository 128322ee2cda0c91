/** What must be true of everything else: answers, runs, leases, records, pools, processes. */
import { taskWorkflowId } from '../../domain/identity.js';
import { isTerminal } from '../../domain/task.js';
import type { Facts, NodeEvent, PreloadFacts, TaskFacts } from './facts.js';
import { closingOf, eventsOf, taskIdOf, wasAccepted, type Exchange, type Story } from './story.js';

/** The same request gets the same answer, another body under its id 409, a cancel 204, a refusal for now its `Retry-After`. */
export function answerProblems({ stories }: Facts): string[] {
  return stories.flatMap((story) => {
    const accepted = story.posts.filter(({ status }) => status === 202 || status === 200);
    const bodies = new Set(accepted.map(({ text }) => text));
    const { conflicts, cancels, task } = story;
    return [
      ...(bodies.size <= 1 ? [] : [`${bodies.size} different acceptances: ${[...bodies].join(' and ')}`]),
      ...lastOf(conflicts).filter(
        (answer) => answer.status !== 409 || !answer.text.includes('TASK_CONFLICT'),
      ),
      ...lastOf(cancels).filter(({ status }) => status !== 204),
      ...[...story.posts, ...conflicts, ...cancels]
        .filter(({ status, retryAfter }) => (status === 429 || status === 503) && retryAfter === null)
        .map(({ text }) => `refused for now, and not told for how long: ${text}`),
    ].map((problem) => `${task.name}: ${typeof problem === 'string' ? problem : inWords(problem)}`);
  });
}

function lastOf(list: readonly Exchange[]): Exchange[] {
  return list.slice(-1);
}

function inWords({ status, text }: Exchange): string {
  return `answered ${status ?? 'nothing'}: ${text}`;
}

/** No task is run twice, whatever was repeated. */
export function onceProblems(facts: Facts): string[] {
  const { node, tasks } = facts;
  const logs = [...tasks].flatMap(([taskId, { log }]) => (log === undefined ? [] : [{ taskId, log }]));
  const dropped = node.events.filter(({ event, dispatched }) => event === 'offer_dropped' && dispatched);
  const again = droppedTwice(node.events).length;
  const begun = logs.filter(({ log }) => log.dispatches > 0).length + dropped.length - again;
  const completed = node.events.filter(({ event, state }) => event === 'run_ended' && state === 'completed');
  const tokens = completed.reduce((sum, { tokensOut }) => sum + tokensOut, 0);
  return [
    ...logs.flatMap(({ taskId, log }) => [
      ...(log.admissions === 1 ? [] : [`${taskId}: ${log.admissions} admissions in its log`]),
      ...(log.dispatches <= 1 + node.deaths ? [] : [`${taskId}: dispatched ${log.dispatches} times`]),
      ...(log.closings === 1 ? [] : [`${taskId}: ${log.closings} ends in its log`]),
    ]),
    ...repeatedIds(facts).map((id) => `${id}: its workflow was started more than once`),
    ...endsOf(node.events).map((taskId) => `${taskId}: its run ended more than once`),
    ...droppedTwice(node.events),
    ...facts.stories.flatMap((story) => droppedAfterAcceptance(story, node.events)),
    ...countProblems(node.counts, { begun, tokens, dropped: dropped.length }),
  ];
}

function countProblems(
  counts: Facts['node']['counts'],
  known: { begun: number; tokens: number; dropped: number },
): string[] {
  if (counts === undefined) return [];
  const { tasksStarted, tokensOut } = counts;
  return [
    ...(tasksStarted === known.begun ? [] : [`${tasksStarted} runs began, ${known.begun} are known`]),
    ...(agrees(tokensOut, known.tokens, known.dropped)
      ? []
      : [`${tokensOut} tokens were counted, ${known.tokens} were put out`]),
  ];
}

/** A run that came to its end as its offer was dropped has put out tokens for nobody. */
function agrees(counted: number, putOut: number, dropped: number): boolean {
  return dropped === 0 ? counted === putOut : counted >= putOut;
}

function repeatedIds({ workflowIds }: Facts): string[] {
  return [...new Set(workflowIds.filter((id, index) => workflowIds.indexOf(id) !== index))];
}

/** An offer that was dropped before it was accepted may be made again; its end, if it had come to one, was nobody's. */
function endsOf(events: readonly NodeEvent[]): string[] {
  const count = (taskId: string, event: NodeEvent['event']) =>
    events.filter((entry) => entry.taskId === taskId && entry.event === event).length;
  const taskIds = [...new Set(events.map(({ taskId }) => taskId))];
  return taskIds.filter((taskId) => count(taskId, 'run_ended') - count(taskId, 'offer_dropped') > 1);
}

/** An offer that is made again is not dropped for a while: sooner, the blow was meant for the one before it. */
const LEAST_LAPSE_MS = 1_000;

function droppedTwice(events: readonly NodeEvent[]): string[] {
  const drops = events.filter(({ event }) => event === 'offer_dropped');
  return drops.flatMap(({ taskId, at }, index) => {
    const before = drops.slice(0, index).findLast((drop) => drop.taskId === taskId);
    if (before === undefined || at - before.at >= LEAST_LAPSE_MS) return [];
    return [`${taskId}: its offer was dropped again after ${at - before.at} ms`];
  });
}

/** Whoever was told "accepted" has a run that is confirmed: it keeps its place, and is computed once. */
function droppedAfterAcceptance({ task, posts }: Story, events: readonly NodeEvent[]): string[] {
  const acceptedAt = Math.min(
    ...posts.filter(({ status }) => status === 202).map(({ answeredAt }) => answeredAt),
  );
  return events
    .filter(({ event, taskId, at }) => event === 'offer_dropped' && taskId === task.name && at > acceptedAt)
    .map(({ at, dispatched }) => {
      const how = dispatched ? 'while it ran, and was run again' : 'while it waited';
      return `${task.name}: its offer was dropped ${at - acceptedAt} ms after the client was told "accepted", ${how}`;
    });
}

/** Every slot is free, nothing waits, on whichever API is asked. */
export function balanceProblems({ pools, node }: Facts): string[] {
  return [
    ...(pools.length === 0 ? ['no API could be asked'] : []),
    ...pools
      .flat()
      .flatMap(({ pool_id, active_leases, slots_free, slots_total, metrics }) => [
        ...(active_leases === 0 ? [] : [`${pool_id}: ${active_leases} leases are held`]),
        ...(slots_free === slots_total ? [] : [`${pool_id}: ${slots_free} of ${slots_total} slots are free`]),
        ...(metrics.queue_depth === 0 ? [] : [`${pool_id}: ${metrics.queue_depth} tasks wait`]),
      ]),
    ...(node.queueDepth === 0 ? [] : [`the node's gauge says that ${node.queueDepth} tasks wait`]),
  ];
}

/** Temporal and the API tell the end that the client saw. */
export function recordProblems({ stories, tasks, workflowIds }: Facts): string[] {
  const known = new Set(stories.map((story) => taskIdOf(story)).filter((id) => id !== undefined));
  const strange = workflowIds.filter((id) => ![...known].some((taskId) => taskWorkflowId(taskId) === id));
  return [
    ...strange.map((id) => `${id}: nobody asked for it`),
    ...stories.flatMap((story) => {
      const problems = storyRecordProblems(story, tasks.get(taskIdOf(story) ?? ''));
      return problems.map((problem) => `${story.task.name}: ${problem}`);
    }),
  ];
}

function storyRecordProblems(story: Story, facts: TaskFacts | undefined): string[] {
  const { status, workflow } = facts ?? {};
  if (!wasAccepted(story)) return walkedAwayProblems(facts);
  if (workflow === undefined) return ['Temporal does not know it'];
  const ending = endingOf(story);
  if (ending === undefined) return [];
  const { state, statuses, failure } = ending;
  const told = `${workflow.status} ${workflow.failure ?? ''}`.trim();
  const isMatch =
    statuses.includes(workflow.status) && (workflow.status !== 'FAILED' || workflow.failure === failure);
  return [
    ...(isMatch ? [] : [`its client saw ${state}, the workflow is ${told}`]),
    ...(workflow.state === state ? [] : [`its client saw ${state}, TaskState is ${workflow.state}`]),
    ...(status?.state === state ? [] : [`its client saw ${state}, the API says ${status?.state}`]),
    ...(ending.tokensOut === undefined || ending.tokensOut === workflow.tokensOut
      ? []
      : [`its client saw ${ending.tokensOut} tokens, TokensOut is ${workflow.tokensOut}`]),
  ];
}

/** Nobody told this client anything: either the task never was, or it has come to an end like any other. */
function walkedAwayProblems(facts: TaskFacts | undefined): string[] {
  const { status, workflow } = facts ?? {};
  if (status !== undefined && !isTerminal(status.state)) return [`it is ${status.state} for ever`];
  if (workflow !== undefined && workflow.status === 'RUNNING') return ['its workflow runs for ever'];
  return [];
}

interface Ending {
  state: string;
  /** How its workflow may have ended. */
  statuses: readonly string[];
  failure: string | undefined;
  tokensOut: number | undefined;
}

function endingOf(story: Story): Ending | undefined {
  const completed = { state: 'completed', statuses: ['COMPLETED'], failure: undefined };
  if (story.whole !== undefined) return { ...completed, tokensOut: undefined };
  const last = closingOf(eventsOf(story));
  if (last === undefined) return undefined;
  if (last.data === '[DONE]') return { ...completed, tokensOut: undefined };
  const data = JSON.parse(last.data) as { tokens_out?: number; code?: string; error?: { code?: string } };
  if (last.event === 'end') return { ...completed, tokensOut: data.tokens_out };
  const failure = data.code ?? data.error?.code;
  if (failure !== 'CANCELLED')
    return { state: 'failed', statuses: ['FAILED'], failure, tokensOut: undefined };
  return { state: 'cancelled', statuses: ['CANCELLED', 'FAILED'], failure, tokensOut: undefined };
}

/** The operator's pools are up, each with one engine, though whoever was asked to load them may have died. */
export function preloadProblems({ preloads }: Facts): string[] {
  return preloads.flatMap((preload) => {
    const { planned, status, engines } = preload;
    const pid = pidOf(preload);
    return [
      ...(pid === undefined ? [inWords(preload.answers.at(-1) ?? NO_ANSWER)] : []),
      ...(status === 'COMPLETED' ? [] : [`its workflow is ${status}`]),
      ...(engines.length === 1 && engines[0] === pid
        ? []
        : [`engines ${engines.join(', ')}, told of ${pid}`]),
    ].map((problem) => `${planned.pool}: ${problem}`);
  });
}

const NO_ANSWER = { status: undefined, text: 'nobody was asked' } as Exchange;

function pidOf({ answers }: PreloadFacts): number | undefined {
  const last = answers.at(-1);
  return last?.status === 200 ? (JSON.parse(last.text) as { pid: number }).pid : undefined;
}

/** Nothing died but what was killed, and nothing outlives the end. */
export function processProblems({ accidents, leftBehind }: Facts): string[] {
  return [...accidents, ...leftBehind.map((line) => `left running: ${line}`)];
}
