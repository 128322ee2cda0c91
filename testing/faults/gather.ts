/** Asks everybody who knows something of the tasks, once the clients are done: APIs, Temporal, the node, its run logs. */
import { join } from 'node:path';
import { poolList, type PoolHealth } from '../../contracts/pool.js';
import { readSettings } from '../../contracts/settings.js';
import { taskStatus } from '../../contracts/task.js';
import { poolWorkflowId, runLogFileName, taskWorkflowId } from '../../domain/identity.js';
import { parseMetrics, sumOf } from '../../features/support/metrics-text.js';
import { TemporalView } from '../../features/support/temporal-view.js';
import { readRunLog } from '../../workers/node/run-log.js';
import { requirePayloadKeys } from '../../workers/temporal.js';
import { TaskState, TokensOut } from '../../workflows/search-attributes.js';
import { eventually } from '../changes.js';
import { processesNaming } from '../processes.js';
import type { Clock } from './clock.js';
import type { Counts, LogFacts, NodeEvent, NodeFacts, TaskFacts, WorkflowFacts } from './facts.js';
import { markOf } from './pools.js';
import { resumePath } from './requests.js';
import type { Rig } from './rig.js';
import { newVisit, taskIdOf, wasAccepted, type Story } from './story.js';
import type { Wire } from './wire.js';

/**
 * A workflow whose API died is taken over when its workflow task times out, 10 s, and again when the next one dies; a
 * long run is followed on by an activity.
 */
const CLOSING_LIMIT_MS = 90_000;
/** The last lease is given back when the last run has ended; reports are a second old at most. */
const BALANCE_LIMIT_MS = 10_000;
/** What has ended is read in milliseconds. */
const REPLAY_LIMIT_MS = 10_000;
/** A living process answers what it knows. */
const ANSWER_LIMIT_MS = 10_000;

/** Who asks. */
export interface Gatherer {
  rig: Rig;
  wire: Wire;
  clock: Clock;
}

/** An operator's view of the rig's Temporal. */
export function temporalViewOf({ stack, temporal }: Rig): TemporalView {
  return new TemporalView(temporal.connection, stack.namespace, stack.environment());
}

/** Supervisors run as long as their pools. */
const RUNNING = 'ExecutionStatus = "Running" AND WorkflowType != "supervisePool"';

/** Waits until no other workflow runs any more, and lists those of tasks; one that runs for ever is listed by the record check. */
export async function closedWorkflows(view: TemporalView): Promise<string[]> {
  const isIdle = async () => ((await view.search(RUNNING)).length === 0 ? true : undefined);
  await eventually(() => 'all workflows to close', isIdle, CLOSING_LIMIT_MS).catch(() => undefined);
  return view.search('WorkflowType = "inferTask"');
}

/** What is known of one task beside its client's story; its log is read when the node has ended. */
export async function gatherTask(
  story: Story,
  taskId: string,
  { gatherer, view }: { gatherer: Gatherer; view: TemporalView },
): Promise<Omit<TaskFacts, 'log'>> {
  const { rig, wire } = gatherer;
  const door = rig.apis.mustLiving().client.url;
  const path = `/v2/tasks/${encodeURIComponent(taskId)}`;
  const answer = await wire.send(door, 'GET', { path, headers: {} });
  const status = answer.status === 200 ? taskStatus.parse(JSON.parse(answer.text)) : undefined;
  const replay = wasAccepted(story) ? await readAgain(story, taskId, gatherer) : undefined;
  return { replay, status, workflow: await workflowOf(taskId, view) };
}

/** A reader that begins at offset 0. */
async function readAgain(story: Story, taskId: string, { rig, wire, clock }: Gatherer) {
  const { route } = story.task;
  const visit = newVisit(rig.apis.mustLiving().client.url, undefined, clock.nowMs);
  const events = `/v2/tasks/${encodeURIComponent(taskId)}/events`;
  const path = route === 'v2' ? events : resumePath(story.task, taskId);
  await wire.read(visit, { method: 'GET', path }, REPLAY_LIMIT_MS);
  return visit.status === 200 && visit.end === 'closed' ? visit.events : undefined;
}

async function workflowOf(taskId: string, view: TemporalView): Promise<WorkflowFacts | undefined> {
  const description = await view.describe(taskWorkflowId(taskId)).catch(() => undefined);
  if (description === undefined) return undefined;
  const { status, typedSearchAttributes: attributes } = description;
  const isOpen = status.name === 'RUNNING';
  return {
    status: status.name,
    failure: isOpen ? undefined : ((await view.endOfTask(taskId)).type ?? undefined),
    state: attributes.get(TaskState),
    tokensOut: attributes.get(TokensOut),
  };
}

/** The pools as each living API tells them, once they are idle or have had their time. */
export async function gatherPools({ apis, stack }: Rig): Promise<PoolHealth[][]> {
  const ask = async (): Promise<PoolHealth[][]> =>
    Promise.all(
      apis.doors().map(async (door) => {
        const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
        const response = await fetch(`${door}/v2/pools`, { headers: { 'x-api-key': stack.key }, signal });
        return poolList.parse(await response.json()).pools;
      }),
    );
  const idle = async () => {
    const pools = await ask();
    const isIdle = pools.flat().every((pool) => pool.active_leases + pool.metrics.queue_depth === 0);
    return isIdle ? pools : undefined;
  };
  return eventually(() => 'idle pools', idle, BALANCE_LIMIT_MS).catch(ask);
}

/** Counters and gauges of the node worker. */
export type Counters = Counts & Pick<NodeFacts, 'queueDepth'>;

/** They as they stand. */
export async function readCounters(rig: Rig): Promise<Counters> {
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
  const metrics = parseMetrics(await (await fetch(`${rig.stack.nodeUrl}/metrics`, { signal })).text());
  return {
    tasksStarted: sumOf(metrics, 'tasks_started_total'),
    tokensOut: sumOf(metrics, 'tokens_out_total'),
    queueDepth: sumOf(metrics, 'queue_depth'),
  };
}

/** What the node's log says of tasks, but of these. */
export function nodeEvents({ firstNode }: Rig, without: ReadonlySet<string>): NodeEvent[] {
  return firstNode.logLines.flatMap((line) => {
    const { event, task_id, ts, replica_id, state, tokens_out } = line;
    if (event !== 'run_ended' && event !== 'offer_dropped') return [];
    const taskId = String(task_id);
    if (without.has(taskId)) return [];
    return [
      {
        ...{ event, taskId, at: Date.parse(String(ts)), dispatched: replica_id !== null },
        state: typeof state === 'string' ? state : undefined,
        tokensOut: Number(tokens_out ?? 0),
      },
    ];
  });
}

/** A task's run log, read from its file; nobody may be writing it any more. */
export function readLog({ stack }: Rig, taskId: string): LogFacts | undefined {
  const path = join(stack.stateDir, 'runs', runLogFileName(taskId));
  const ring = requirePayloadKeys(readSettings(stack.environment()));
  let records: ReturnType<typeof readRunLog>;
  try {
    records = readRunLog(path, ring);
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ENOENT') return undefined;
    throw err;
  }
  const count = (kind: string) => records.filter((record) => record.kind === kind).length;
  const closed = records.find((record) => record.kind === 'closed');
  return {
    admissions: count('admission'),
    dispatches: count('dispatched'),
    closings: count('closed'),
    state: closed?.state,
    frames: records.flatMap((record) => (record.kind === 'frame' ? [record.frame] : [])),
  };
}

/** How an operator's preload stands in Temporal, and the engines that run for it. */
export async function gatherPreload(rig: Rig, pool: string, view: TemporalView) {
  const description = await view.describe(poolWorkflowId(pool, 'preload')).catch(() => undefined);
  const found = await processesNaming(rig.folders.work);
  const engines = found.filter(({ commandLine }) => commandLine.includes(`${markOf(pool)} `));
  return { status: description?.status.name ?? 'unknown', engines: engines.map(({ pid }) => pid) };
}

/** Ids under which the stories' tasks are known in Drover. */
export function taskIdsOf(stories: readonly Story[]): Map<string, Story> {
  const known = stories.map((story) => [taskIdOf(story), story] as const);
  return new Map(known.filter((entry): entry is [string, Story] => entry[0] !== undefined));
}
