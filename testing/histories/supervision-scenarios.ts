/** Supervisors to record, and what operations tell them: crashes follow one another as fast as the policy lets them. */
import type { WorkflowHandle } from '@temporalio/client';
import type { SupervisionView } from '../../contracts/supervision.js';
import { DEFAULT_RESTART_POLICY, type RestartPolicy } from '../../domain/restart-policy.js';
import type { WatchedEngine } from '../../activities/pool/watch-engine.js';
import { CONTROL_QUEUE, nodeQueue, nodeRunsQueue, poolWorkflowId } from '../../domain/identity.js';
import {
  poolDrainedSignal,
  poolForgottenSignal,
  resetCircuitUpdate,
  supervisionQuery,
} from '../../workflows/messages.js';
import type { drainPool } from '../../workflows/drain-pool.js';
import type { preloadPool } from '../../workflows/preload-pool.js';
import type { supervisePool } from '../../workflows/supervise-pool.js';
import { eventually } from '../changes.js';
import { drainTwin } from '../drain-twin.js';
import { preloadInput } from '../preload-twin.js';
import { supervisedTwin, type EngineLife } from '../supervision-stage.js';
import { NODE, type History, type RecordingStage, type Scenario } from './stage.js';

const POOL = 'gpu-0';
const QUICK: RestartPolicy = { ...DEFAULT_RESTART_POLICY, initial_ms: 100, min_ms: 50, jitter: 0 };
const crash: EngineLife = { ms: 100 };

type Supervisor = WorkflowHandle<typeof supervisePool>;

/** By the name of their history. */
export const supervisionScenarios: Readonly<Record<string, Scenario>> = {
  'supervise-restarted': supervised([crash, crash], QUICK, async (supervisor) => {
    await until(supervisor, ({ step, restart_count }) => step === 'watch' && restart_count === 2);
    await supervisor.signal(poolDrainedSignal);
    await until(supervisor, ({ step }) => step === 'off');
  }),
  'supervise-forgotten': supervised([crash], QUICK, async (supervisor) => {
    await until(supervisor, ({ step, restart_count }) => step === 'watch' && restart_count === 1);
    await supervisor.signal(poolForgottenSignal);
    await supervisor.result();
  }),
  'supervise-held': supervised([crash, crash], { ...QUICK, circuit_threshold: 2 }, async (supervisor) => {
    await until(supervisor, ({ step }) => step === 'open');
    await supervisor.executeUpdate(resetCircuitUpdate, { args: [{ by: 'token:abc123' }] });
    await until(supervisor, ({ step, restart_count }) => step === 'watch' && restart_count === 2);
  }),
  'supervise-tested': supervised(
    [crash, crash],
    { ...QUICK, circuit_threshold: 2, circuit_open_ms: 500, circuit_close_ms: 500 },
    async (supervisor) => {
      await until(supervisor, ({ restart_count, attempts }) => restart_count === 2 && attempts === 0);
    },
  ),
  'supervise-slept': (stage) => {
    const prepared = { ...preloadInput(NODE).prepared, on_demand: true };
    const { watchEngine } = supervisedTwin(POOL, []).activities;
    const seen: WatchedEngine[] = [
      { crash: null, idle: true },
      { crash: null, wanted: prepared },
    ];
    const sleep = {
      watchEngine: (input: Parameters<typeof watchEngine>[0]) => seen.shift() ?? watchEngine(input),
      putToSleep: () => Promise.resolve({ asleep: true }),
      makeRoom: () => Promise.resolve({ room: 'free' }),
    };
    const play = async () => {
      const supervisor = await startSupervisor(stage, QUICK);
      await until(supervisor, ({ step }) => step === 'watch' && seen.length === 0);
      return supervisor.fetchHistory();
    };
    return onStage(stage, [], play, sleep);
  },
  'preload-asleep': (stage) => {
    const prepared = { ...preloadInput(NODE).prepared, on_demand: true };
    const play = async () => {
      const handle = await stage.workflows.start<typeof preloadPool>('preloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: poolWorkflowId(POOL, 'preload'),
        args: [preloadInput(NODE, { prepared, asleep: true })],
      });
      await handle.result();
      return handle.fetchHistory();
    };
    return onStage(stage, [], play, { markPoolAsleep: () => Promise.resolve() });
  },
  'preload-supervised': (stage) =>
    onStage(stage, [], async () => {
      const handle = await stage.workflows.start<typeof preloadPool>('preloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: poolWorkflowId(POOL, 'preload'),
        args: [preloadInput(NODE)],
      });
      await handle.result();
      return handle.fetchHistory();
    }),
  'drain-supervised': async (stage) => {
    const { activities } = drainTwin(0);
    return onStage(
      stage,
      [],
      async () => {
        await startSupervisor(stage, QUICK);
        const handle = await stage.workflows.start<typeof drainPool>('drainPool', {
          taskQueue: CONTROL_QUEUE,
          workflowId: poolWorkflowId(POOL, 'drain'),
          args: [{ node_id: NODE, pool_id: POOL, correlation_id: 'corr-1', deadline_ms: 1_000 }],
        });
        await handle.result();
        return handle.fetchHistory();
      },
      activities,
    );
  },
};

function supervised(
  lives: readonly EngineLife[],
  policy: RestartPolicy,
  play: (supervisor: Supervisor) => Promise<void>,
): Scenario {
  return (stage) =>
    onStage(stage, lives, async () => {
      const supervisor = await startSupervisor(stage, policy);
      await play(supervisor);
      return supervisor.fetchHistory();
    });
}

function startSupervisor(stage: RecordingStage, policy: RestartPolicy): Promise<Supervisor> {
  const ready = { node_id: NODE, health_timeout_ms: 5_000, policy, by: 'operator' } as const;
  return stage.workflows.start<typeof supervisePool>('supervisePool', {
    taskQueue: CONTROL_QUEUE,
    workflowId: poolWorkflowId(POOL, 'supervise'),
    args: [{ pool_id: POOL, ready }],
  });
}

async function until(supervisor: Supervisor, wanted: (view: SupervisionView) => boolean): Promise<void> {
  let last: SupervisionView | undefined;
  await eventually(
    () => `the supervisor, which is ${JSON.stringify(last)}`,
    async () => {
      last = await supervisor.query(supervisionQuery);
      return wanted(last) || undefined;
    },
  );
}

/** A supervisor ends by itself only when its pool is forgotten: the next scenario must not meet it. */
async function onStage(
  stage: RecordingStage,
  lives: readonly EngineLife[],
  work: () => Promise<History>,
  others: object = {},
): Promise<History> {
  const activities = { ...supervisedTwin(POOL, lives).activities, ...others };
  const control = await stage.workflowsAnd(CONTROL_QUEUE);
  const node = await stage.activities(nodeQueue(NODE), activities);
  const runs = await stage.activities(nodeRunsQueue(NODE), activities);
  const playAndEnd = async () => {
    try {
      return await work();
    } finally {
      const supervisor = stage.workflows.getHandle(poolWorkflowId(POOL, 'supervise'));
      if ((await supervisor.describe()).status.name === 'RUNNING') await supervisor.terminate('recorded');
    }
  };
  return control.runUntil(node.runUntil(runs.runUntil(playAndEnd)));
}
