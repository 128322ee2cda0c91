/** The stage for tests of supervisors: a pool whose engine lives for as long as a test says, and starts as it says. */
import type { WorkflowHandle } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { NodeActivities } from '../activities/index.js';
import type { CrashReport, SupervisionView } from '../contracts/supervision.js';
import { DEFAULT_RESTART_POLICY, type RestartPolicy } from '../domain/restart-policy.js';
import { CONTROL_QUEUE } from '../domain/identity.js';
import { supervisionQuery } from '../workflows/messages.js';
import type { supervisePool } from '../workflows/supervise-pool.js';
import { eventually } from './changes.js';
import { preloadInput, preloadTwin, type PreloadTwin } from './preload-twin.js';
import {
  openTwinStage,
  stillServes,
  TWIN_NODE,
  type PlayedActivities,
  type StagePlace,
  type TwinStage,
} from './twin-stage.js';

/** The activities that supervision has for itself. */
type SupervisionTwin = Pick<NodeActivities, 'watchEngine' | 'planRestart' | 'beginRestart' | 'markCircuits'>;

/** How one engine ends: after how long, and by what. */
export type EngineLife = { ms: number } & Partial<Pick<CrashReport, 'kind' | 'reason'>>;

/** What a node was told of restarts. */
type Told = {
  [K in 'planRestart' | 'beginRestart' | 'markCircuits']: Parameters<NodeActivities[K]>[0][];
};

/** A pool whose engines live as long as `lives` says, one after the other; the one after them serves for ever. */
export function supervisedTwin(
  poolId: string,
  lives: readonly EngineLife[],
  changes: Partial<PreloadTwin & Pick<SupervisionTwin, 'planRestart' | 'beginRestart'>> = {},
) {
  const told: Told = { planRestart: [], beginRestart: [], markCircuits: [] };
  const preload = preloadTwin(changes);
  const restartsAtMs: number[] = [];
  const state = { engine: 0, stopped: false };
  const supervision: SupervisionTwin = {
    watchEngine: () => watched(poolId, lives, state),
    planRestart: (input) => taking('planRestart', input),
    beginRestart: (input) => {
      restartsAtMs.push(Context.current().info.currentAttemptScheduledTimestampMs);
      return taking('beginRestart', input);
    },
    markCircuits: (input) => taking('markCircuits', input),
    ...(changes.planRestart === undefined ? {} : { planRestart: changes.planRestart }),
    ...(changes.beginRestart === undefined ? {} : { beginRestart: changes.beginRestart }),
  };
  function taking<K extends keyof Told>(name: K, input: Told[K][number]): Promise<{ taken: boolean }> {
    (told[name] as unknown[]).push(input);
    return Promise.resolve({ taken: true });
  }
  const activities = { ...preload.activities, ...supervision };
  return { activities, told, restartsAtMs, state, calls: preload.calls };
}

/** The engine lives until its time is over by the server's clock. */
function watched(poolId: string, lives: readonly EngineLife[], state: { engine: number; stopped: boolean }) {
  if (state.stopped) return Promise.resolve({ crash: null });
  const life = lives[state.engine];
  if (life === undefined) return stillServes();
  // Not by the times of the attempts: the test server tells that of the one before.
  if (Context.current().info.attempt === 1) return stillServes(life.ms);
  state.engine += 1;
  return Promise.resolve({ crash: crashOf(poolId, state.engine, life) });
}

/** A report on the n-th engine of a pool. */
export function crashOf(
  pool_id: string,
  number: number,
  { kind = 'signal', reason = 'signal(SIGKILL)' }: Partial<EngineLife> = {},
): CrashReport {
  const { prepared } = preloadInput(TWIN_NODE);
  return {
    ...{ crash_id: `${number}:1`, pool_id, replica_id: 'r0', kind, reason, last_error: `gone: ${reason}` },
    ...{ exit_code: null, signal: null, uptime_seconds: 1, prepared: { ...prepared, pool_id } },
  };
}

/** A supervisor that was started. */
export type SupervisorRun = WorkflowHandle<typeof supervisePool>;

/** A stage that is open. */
export interface SupervisionStage extends Pick<TwinStage, 'sleep' | 'close' | 'workflow'> {
  /** Begins to supervise a pool whose engine serves, on a node that is played by the twin. */
  supervise(
    poolId: string,
    twin: { activities: PlayedActivities },
    changes?: Partial<RestartPolicy>,
  ): Promise<SupervisorRun>;
  /** Waits until the supervisor stands as wanted; its clock is not moved. */
  until(run: SupervisorRun, wanted: (view: SupervisionView) => boolean): Promise<SupervisionView>;
}

const ACTIVITIES = [
  ...(['preflight', 'markPoolStarting', 'spawnEngine', 'awaitEngineReady', 'probeEngine'] as const),
  ...(['writeHandoff', 'markPoolReady', 'removeHandoff', 'stopEngine', 'markPoolFailed'] as const),
  ...(['planRestart', 'beginRestart', 'markCircuits'] as const),
  ...(['markPoolAsleep', 'putToSleep', 'makeRoom', 'failWaiting'] as const),
] as const;

/** Opens a stage, on a server of its own unless it is given a place. */
export async function openSupervisionStage(place?: StagePlace): Promise<SupervisionStage> {
  const { workflow, twins, sleep, close } = await openTwinStage(ACTIVITIES, place);
  return {
    ...{ workflow, sleep, close },
    async supervise(pool_id, { activities }, changes = {}) {
      for (const verb of ['supervise', 'preload']) twins.set(`pool:${pool_id}:${verb}`, activities);
      // Even chances: a delay is what the policy says.
      const policy = { ...DEFAULT_RESTART_POLICY, jitter: 0, ...changes };
      const ready = { node_id: TWIN_NODE, health_timeout_ms: 1_000, policy, by: 'operator' } as const;
      return workflow.start<typeof supervisePool>('supervisePool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: `pool:${pool_id}:supervise`,
        args: [{ pool_id, ready }],
      });
    },
    until(run, wanted) {
      let last: SupervisionView | undefined;
      return eventually(
        () => `the supervisor, which is ${JSON.stringify(last)}`,
        async () => {
          last = await run.query(supervisionQuery);
          return wanted(last) ? last : undefined;
        },
      );
    },
  };
}
