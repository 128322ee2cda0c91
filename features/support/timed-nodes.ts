/** The nodes of timed scenarios, and what is run on them. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { InferTaskInput, RunView } from '../../contracts/node.js';
import { preloadInput, preloadTwin, stillLoading } from '../../testing/preload-twin.js';
import { offerOf } from '../../testing/test-node.js';
import { POOLS, runTimed, TASKS, type TimedEnd, type TimedNode, type TwinActivities } from './timed-run.js';
import type { DroverWorld } from './world.js';

/** Tokens of a run that took an hour. */
const HOUR_LONG_TOKENS = 4_000;

/** What a timed scenario has in hand. */
export interface TimedScenario {
  node: TimedNode;
  /** Calls of the node's activities, in their order. */
  calls: string[];
  end: TimedEnd | undefined;
}

const scenarios = new WeakMap<DroverWorld, TimedScenario>();

/** The scenario's own. */
export function timed(world: DroverWorld): TimedScenario {
  const known = scenarios.get(world) ?? {
    node: { id: `node-${randomUUID().slice(0, 8)}` },
    calls: [],
    end: undefined,
  };
  scenarios.set(world, known);
  return known;
}

/** How the scenario's workflow ended. @throws Error when none was run */
export function endOf(world: DroverWorld): TimedEnd {
  const { end } = timed(world);
  if (end === undefined) throw new Error('no workflow was run');
  return end;
}

/** Every health poll finds the engine still loading. */
export function neverHealthy(scenario: TimedScenario): void {
  const { activities } = preloadTwin({
    awaitEngineReady: () => Promise.reject(stillLoading(calledSoFar(scenario, 'awaitEngineReady'))),
  });
  scenario.node.activities = noting(scenario, activities);
}

/** Its worker ends three times while it follows the run; each time another one takes the run up 20 minutes later. */
export function restartsWhileFollowing(scenario: TimedScenario, everyMinutes: number): void {
  scenario.node.activities = noting(scenario, {
    followRun: (input: InferTaskInput) => {
      if (calledSoFar(scenario, 'followRun') > 3) return Promise.resolve(viewOf(input, 'completed'));
      const message = 'the node worker is shutting down';
      const nextRetryDelay = `${everyMinutes} minutes` as const;
      throw ApplicationFailure.create({ message, type: 'WORKER_SHUTDOWN', nextRetryDelay });
    },
  });
}

/** Preloads the node's pool. */
export async function runPreload(scenario: TimedScenario, limitMs: number): Promise<void> {
  const { node } = scenario;
  const input = preloadInput(node.id, { health_timeout_ms: limitMs });
  const workflow = { type: 'preloadPool', queue: POOLS, id: `pool:${node.id}:preload`, input };
  scenario.end = await runTimed(workflow, node);
}

/** Runs a task on the node; an API process reaches the node only when somebody is there. */
export async function runTask(scenario: TimedScenario): Promise<void> {
  const { node } = scenario;
  const offer = offerOf(`t-${node.id}`, { request: { deadline_ms: 7_200_000 } });
  const input: InferTaskInput = { ...offer, node_id: node.id };
  const attachRun = () =>
    node.activities === undefined
      ? Promise.reject(ApplicationFailure.retryable('the node cannot be reached', 'POOL_UNAVAILABLE'))
      : Promise.resolve(viewOf(input, 'executing'));
  const workflow = { type: 'inferTask', queue: TASKS, id: `task:${offer.task_id}`, input };
  scenario.end = await runTimed(workflow, node, { attachRun });
}

function calledSoFar({ calls }: TimedScenario, name: string): number {
  return calls.filter((call) => call === name).length;
}

function noting({ calls }: TimedScenario, activities: object): TwinActivities {
  const entries = Object.entries(activities) as [string, (input: never) => Promise<unknown>][];
  return Object.fromEntries(
    entries.map(([name, activity]) => [
      name,
      (input: never) => {
        calls.push(name);
        return activity(input);
      },
    ]),
  );
}

function viewOf(input: InferTaskInput, state: 'executing' | 'completed'): RunView {
  const ended = state === 'completed';
  return {
    task_id: input.task_id,
    node_id: input.node_id,
    pool_id: input.pool_id,
    replica_id: 'r0',
    epoch: input.epoch,
    digest: input.digest,
    confirmed: true,
    state,
    ended,
    engine: 'llamacpp',
    engine_version: 'twin',
    model_ref: 'demo',
    priority: 'interactive',
    queue_position: null,
    admission: { queue_position: 0, predicted_start_ms: 0, backoff_ms: 0, preparation: { steps: [] } },
    admitted_at_ms: 1,
    started_at_ms: 2,
    first_token_at_ms: 3,
    ended_at_ms: ended ? 4 : null,
    tokens_in: 3,
    tokens_out: ended ? HOUR_LONG_TOKENS : 1,
    stop_reason: ended ? 'MAX_TOKENS' : null,
    error: null,
    next_offset: 2,
    correlation_id: input.correlation_id,
    dialect: null,
  };
}
