/** Registration of an engine that others run: the node that shall speak to it is told, and binds it (B-CP-060). */
import { DroverError } from '../../contracts/errors.js';
import type { WorkerRegistration } from '../../contracts/worker.js';
import { workerIdOf } from '../../domain/identity.js';
import { isWorkerUrl } from '../../domain/worker-url.js';
import type { NodeLink } from '../clients/node-link.js';
import { invalidParams } from '../plugins/invalid-params.js';
import type { RequestContext } from '../request-context.js';
import type { PoolBoard } from './pool-board.js';

/** Registers a worker. @throws DroverError INVALID_PARAMS, INVALID_WORKER_URL, POOL_CONFLICT, or POOL_UNAVAILABLE while the node is away */
export type RegisterWorker = (
  registration: WorkerRegistration,
  context: RequestContext,
) => Promise<{ bound: boolean }>;

/** Builds registration. */
export function createRegisterWorker(nodes: NodeLink, board: Pick<PoolBoard, 'distrust'>): RegisterWorker {
  return async function registerWorker({ pool_id, replica_id, node_id, model_ref, url, ...told }, context) {
    const nodeId = nodeFor(nodes.nodeIds, node_id);
    if (url === undefined) return { bound: false };
    if (!isWorkerUrl(url)) {
      const message = 'the URL of a worker is http:// or https:// with a host and a port';
      const details = { worker_id: workerIdOf(nodeId, pool_id, replica_id) };
      throw new DroverError('INVALID_WORKER_URL', message, { details });
    }
    const model = model_ref === undefined ? {} : { model: { id: model_ref } };
    const answer = await nodes.announce(nodeId, { pool_id, replica_id }, { ...told, url, ...model }, context);
    // What was kept of the node's pools does not know it yet.
    board.distrust(nodeId);
    return answer;
  };
}

function nodeFor(nodeIds: readonly string[], named: string | undefined): string {
  const [only, ...others] = nodeIds;
  const nodeId = named ?? (others.length === 0 ? only : undefined);
  if (nodeId !== undefined && nodeIds.includes(nodeId)) return nodeId;
  if (nodeIds.length === 0) throw new DroverError('POOL_UNAVAILABLE', 'no node is configured');
  const message = named === undefined ? 'is needed, since there are several nodes' : 'there is no such node';
  throw invalidParams([{ path: ['node_id'], code: 'custom', message }]);
}
