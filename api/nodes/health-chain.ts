/** How all parts are, each by itself: this API, its nodes, and their engines (B-NODE-035). */
import { DroverError } from '../../contracts/errors.js';
import type { HealthChain } from '../../contracts/health.js';
import type { WorkerReport } from '../../contracts/worker-report.js';
import type { WorkerState } from '../../domain/worker.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';

/** What the chain is read from. */
export interface HealthChainDeps {
  nodes: Pick<NodeLink, 'nodeIds' | 'workers'>;
  records: Pick<TaskRecords, 'reachable'>;
  version: string;
}

/** Reads it. */
export type ReadHealthChain = (call: CallContext) => Promise<HealthChain>;

type NodeLine = HealthChain['nodes'][number];

/** An engine in one of these does what it should. */
const WELL: readonly WorkerState[] = ['loading', 'idle', 'busy', 'draining'];

/** Builds the reader. */
export function createHealthChain({ nodes, records, version }: HealthChainDeps): ReadHealthChain {
  return async (call) => {
    const [temporal, lines] = await Promise.all([
      records.reachable(),
      Promise.all([...nodes.nodeIds].sort().map((nodeId) => lineOf(nodeId, call))),
    ]);
    const api = {
      ...{ status: statusOf(temporal), version },
      problem: temporal ? null : 'Temporal cannot be reached',
    };
    const parts = [api, ...lines, ...lines.flatMap(({ workers }) => workers)];
    return { status: statusOf(parts.every(({ status }) => status === 'healthy')), api, nodes: lines };
  };

  async function lineOf(node_id: string, call: CallContext): Promise<NodeLine> {
    try {
      const workers = (await nodes.workers(node_id, call)).map(lineOfWorker);
      return { node_id, status: 'healthy', problem: null, workers };
    } catch (err) {
      if (!(err instanceof DroverError)) throw err;
      return { node_id, status: 'unhealthy', problem: err.message, workers: [] };
    }
  }
}

function lineOfWorker({ worker_id, state, last_error }: WorkerReport): NodeLine['workers'][number] {
  const isWell = WELL.includes(state);
  return { worker_id, status: statusOf(isWell), state, problem: isWell ? null : (last_error ?? state) };
}

function statusOf(isWell: boolean): 'healthy' | 'unhealthy' {
  return isWell ? 'healthy' : 'unhealthy';
}
