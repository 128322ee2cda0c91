/** The stage for tests of drains, reloads and purges. */
import type {
  WorkflowHandleWithFirstExecutionRunId,
  WorkflowHandleWithSignaledRunId,
} from '@temporalio/client';
import type { DrainPoolInput, ReloadPoolInput } from '../contracts/pool.js';
import type { PurgePoolInput } from '../contracts/purge.js';
import { CONTROL_QUEUE } from '../domain/identity.js';
import type { drainPool } from '../workflows/drain-pool.js';
import { drainAskedSignal } from '../workflows/messages.js';
import type { purgePool } from '../workflows/purge-pool.js';
import type { reloadPool } from '../workflows/reload-pool.js';
import type { supervisePool } from '../workflows/supervise-pool.js';
import { DEFAULT_RESTART_POLICY } from '../domain/restart-policy.js';
import { openTwinStage, TWIN_NODE, type PlayedActivities } from './twin-stage.js';

/** A drain that was started. */
export type DrainRun = WorkflowHandleWithSignaledRunId<typeof drainPool>;

/** A reload that was started. */
export type ReloadRun = WorkflowHandleWithFirstExecutionRunId<typeof reloadPool>;

/** A purge that was started. */
export type PurgeRun = WorkflowHandleWithFirstExecutionRunId<typeof purgePool>;

/** A supervisor that was started. */
export type Supervisor = WorkflowHandleWithFirstExecutionRunId<typeof supervisePool>;

/** A stage that is open. */
export interface PoolStage {
  /** Drains the pool of this id, or joins its drain, on a node that is played by the twin. */
  drain(poolId: string, twin: PlayedActivities, deadlineMs: number): Promise<DrainRun>;
  /** Reloads the pool of this id on a node that is played by the twin. */
  reload(poolId: string, twin: PlayedActivities, changes?: Partial<ReloadPoolInput>): Promise<ReloadRun>;
  /** Purges the pool of this id, its drain included, on a node and with a catalogue that are played by the twin. */
  purge(poolId: string, twin: PlayedActivities, changes?: Partial<PurgePoolInput>): Promise<PurgeRun>;
  /** Supervises the pool of this id, whose engine serves. */
  supervise(poolId: string): Promise<Supervisor>;
  close(): Promise<void>;
}

const ACTIVITIES = [
  ...(['markPoolDraining', 'awaitLeases', 'endLeases', 'stopEngine', 'markPoolOffline'] as const),
  ...(['liftDrain', 'planReload', 'preflight', 'spawnEngine', 'awaitEngineReady', 'probeEngine'] as const),
  ...(['writeHandoff', 'switchEngine', 'markPoolReloading', 'markPoolReady', 'endReload'] as const),
  ...(['deleteEngineDirs', 'deregisterPool', 'planEngine', 'recordEngine'] as const),
] as const;

/** Opens a stage; one a test file, since it takes seconds. */
export async function openPoolStage(): Promise<PoolStage> {
  const { workflow, twins, close } = await openTwinStage(ACTIVITIES);
  return {
    drain(pool_id, twin, deadline_ms) {
      const workflowId = `pool:${pool_id}:drain`;
      twins.set(workflowId, twin);
      const input: DrainPoolInput = { node_id: TWIN_NODE, pool_id, correlation_id: 'corr-1', deadline_ms };
      return workflow.signalWithStart<typeof drainPool, [{ deadline_ms: number }]>('drainPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [input],
        signal: drainAskedSignal,
        signalArgs: [{ deadline_ms }],
      });
    },
    reload(pool_id, twin, changes = {}) {
      const workflowId = `pool:${pool_id}:reload`;
      twins.set(workflowId, twin);
      const input: ReloadPoolInput = {
        ...{ node_id: TWIN_NODE, pool_id, correlation_id: 'corr-1', new_model_ref: 'file:/models/new.gguf' },
        ...{ drain_deadline_ms: 60_000, force: false, strategy: 'auto', health_timeout_ms: 5_000 },
        ...changes,
      };
      return workflow.start<typeof reloadPool>('reloadPool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [input],
      });
    },
    purge(pool_id, twin, changes = {}) {
      const workflowId = `pool:${pool_id}:purge`;
      for (const id of [workflowId, `pool:${pool_id}:drain`]) twins.set(id, twin);
      const input: PurgePoolInput = {
        ...{ node_id: TWIN_NODE, pool_id, correlation_id: 'corr-1', purge_engine: false, purge_models: [] },
        ...{ drain_first: true, drain_deadline_ms: 60_000, delete_cache_dirs: false, force: false },
        ...changes,
      };
      return workflow.start<typeof purgePool>('purgePool', {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [input],
      });
    },
    supervise(pool_id) {
      const ready = { node_id: TWIN_NODE, health_timeout_ms: 5_000, policy: DEFAULT_RESTART_POLICY };
      return workflow.start<typeof supervisePool>('supervisePool', {
        taskQueue: CONTROL_QUEUE,
        workflowId: `pool:${pool_id}:supervise`,
        args: [{ pool_id, ready: { ...ready, by: 'operator' } }],
      });
    },
    close,
  };
}
