/** The engines of this node one by one, for those who ask which is idle, busy or on its way (`contracts/worker-report.ts`). */
import type { ServedEngine } from '../../activities/deps.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import { CLOSED } from '../../domain/circuit.js';
import { workerIdOf } from '../../domain/identity.js';
import { workerState } from '../../domain/worker.js';
import type { Pool, Replica } from './pool-registry.js';

/** Every engine of these pools, sorted by its id: those that serve, and the one that a pool is starting or has lost. */
export function workerReports(nodeId: string, pools: Iterable<Pool>): WorkerReport[] {
  const reports = [...pools].flatMap((pool) => reportsOf(nodeId, pool));
  return reports.sort((a, b) => (a.worker_id < b.worker_id ? -1 : 1));
}

function reportsOf(nodeId: string, pool: Pool): WorkerReport[] {
  const { prepared, replicas } = pool;
  const serving = [...replicas.values()].map((replica) => [replica.engine.prepared, replica] as const);
  const none = serving.length === 0 && prepared !== null ? [[prepared, undefined] as const] : [];
  return [...serving, ...none].flatMap(([engine, replica]) => reportOf(nodeId, pool, engine, replica));
}

function reportOf(nodeId: string, pool: Pool, prepared: ServedEngine, replica?: Replica): WorkerReport[] {
  const { pool_id, replica_id } = prepared;
  const leases = pool.scheduler.leasesOf(replica_id).length;
  const { circuit = CLOSED, engine, tokenAtMs = null } = replica ?? {};
  const facts = { pool: pool.state, crashed: pool.crash !== null, leases, circuit: circuit.state };
  const state = workerState(facts);
  if (state === undefined) return [];
  const slots_total = engine?.slotsFree ?? prepared.slots_total ?? 1;
  const takesTasks = state === 'idle' || state === 'busy';
  return [
    {
      worker_id: workerIdOf(nodeId, pool_id, replica_id),
      ...{ node_id: nodeId, pool_id, replica_id },
      url: engine?.url ?? null,
      engine: prepared.engine,
      model_ref: prepared.model_ref,
      model_name: prepared.model_name ?? null,
      backend: prepared.backend ?? null,
      device: prepared.device_mask ?? null,
      ...{ state, slots_total },
      slots_available: takesTasks ? Math.max(0, slots_total - leases) : 0,
      pid: engine?.pid ?? null,
      last_activity_ms: tokenAtMs,
      last_error: pool.lastError,
    },
  ];
}
