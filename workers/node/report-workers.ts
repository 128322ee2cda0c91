/** The engines of this node one by one, for those who ask which is idle, busy or on its way (`contracts/worker-report.ts`). */
import type { ServedEngine } from '../../activities/deps.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import { CLOSED } from '../../domain/circuit.js';
import { workerIdOf } from '../../domain/identity.js';
import { workerState } from '../../domain/worker.js';
import type { Pool, Replica } from './pool-registry.js';
import type { LoadingWorker } from './worker-roll.js';

/**
 * Every engine of these pools, sorted by its id: those that serve, and the one that a pool is starting or has lost.
 * @param loading - those that were spawned and do not serve yet; one beside another of its replica is in no pool
 */
export function workerReports(
  nodeId: string,
  pools: Iterable<Pool>,
  loading: readonly LoadingWorker[] = [],
): WorkerReport[] {
  const known = [...pools].flatMap((pool) => reportsOf(nodeId, pool));
  const told = known.map((report) => withLoading(report, loading));
  const ids = new Set(known.map(({ worker_id }) => worker_id));
  const beside = loading
    .filter(({ worker_id }) => !ids.has(worker_id))
    .map((one) => reportOfLoading(nodeId, one));
  const reports = [...told, ...beside];
  return reports.sort((a, b) => (a.worker_id < b.worker_id ? -1 : 1));
}

/** What a worker has told of itself since it was spawned. */
function withLoading(report: WorkerReport, loading: readonly LoadingWorker[]): WorkerReport {
  const found = loading.find(({ worker_id }) => worker_id === report.worker_id);
  if (found === undefined || report.state !== 'loading') return report;
  return {
    ...report,
    url: report.url ?? found.url,
    ...(found.loading === undefined ? {} : { loading: found.loading }),
  };
}

function reportOfLoading(node_id: string, worker: LoadingWorker): WorkerReport {
  const { worker_id, url, prepared, loading } = worker;
  const { pool_id, replica_id, engine, model_ref, model_name, backend, slots_total } = prepared;
  return {
    ...{ worker_id, node_id, pool_id, replica_id, url, engine, model_ref, model_name, backend },
    ...{
      device: prepared.device_mask ?? prepared.device_chosen ?? null,
      state: 'loading' as const,
      slots_total,
      slots_available: 0,
      pid: null,
    },
    ...{ last_activity_ms: null, last_health_ms: null, failed_health_checks: 0, last_error: null },
    ...(loading === undefined ? {} : { loading }),
  };
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
  const { circuit = CLOSED, engine, tokenAtMs = null, missedPolls = 0, healthyAtMs = null } = replica ?? {};
  const facts = {
    ...{ pool: pool.state, crashed: pool.crash !== null, outlived: pool.outlived },
    ...{ leases, circuit: circuit.state, missedPolls },
  };
  const state = workerState(facts);
  if (state === undefined) return [];
  const slots_total = engine?.slotsFree ?? prepared.slots_total ?? 1;
  // One that has missed a poll may be busy with a long prompt: it keeps its tasks, and gets more.
  const takesTasks = ['idle', 'busy', 'unhealthy'].includes(state) && circuit.state === 'closed';
  return [
    {
      worker_id: workerIdOf(nodeId, pool_id, replica_id),
      ...{ node_id: nodeId, pool_id, replica_id },
      url: engine?.url ?? null,
      engine: prepared.engine,
      model_ref: prepared.model_ref,
      model_name: prepared.model_name ?? null,
      backend: prepared.backend ?? null,
      device: prepared.device_mask ?? prepared.device_chosen ?? null,
      ...{ state, slots_total },
      slots_available: takesTasks ? Math.max(0, slots_total - leases) : 0,
      pid: engine?.pid ?? null,
      last_activity_ms: tokenAtMs,
      ...{ last_health_ms: healthyAtMs, failed_health_checks: missedPolls },
      last_error: pool.lastError,
    },
  ];
}
