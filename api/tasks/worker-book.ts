/**
 * The engines of all nodes, and what may be asked of them: which is idle, which is in a certain state, whether a walk
 * through states is one that they can take (nodes-and-workers 6). "There is none" is one condition; its code tells who asked
 * (B-RERR-006).
 */
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import type { WorkerAlive, WorkerFilter, WorkerHealth, WorkerReport } from '../../contracts/worker-report.js';
import { stepsFrom, WORKER_STATES, workerStateNamed, type WorkerState } from '../../domain/worker.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';

/** Reads and checks workers. */
export interface WorkerBook {
  /** Those that the filter lets through, sorted by id; a node that is away has none to show. */
  list(filter: WorkerFilter, call: CallContext): Promise<WorkerReport[]>;
  /** @throws DroverError WORKER_NOT_FOUND */
  read(workerId: string, call: CallContext): Promise<WorkerReport>;
  /** The same, where there are any. @throws DroverError NO_WORKERS */
  some(filter: WorkerFilter, call: CallContext): Promise<WorkerReport[]>;
  /** One whose loading can be followed: the one that is named, else the first that loads. @throws DroverError NO_WORKERS, WORKER_NOT_FOUND, NOT_LOADING */
  toFollow(workerId: string | undefined, call: CallContext): Promise<WorkerReport>;
  /** How its engine answers for its health. @throws DroverError NO_WORKERS, WORKER_NOT_FOUND, WORKER_UNHEALTHY, HEALTH_CHECK_ERROR */
  health(workerId: string, call: CallContext): Promise<WorkerAlive>;
  /** The idle one with the most free slots. @throws DroverError NO_WORKERS_IN_REGISTRY, NO_IDLE_WORKERS */
  idle(filter: WorkerFilter, call: CallContext): Promise<WorkerReport>;
  /** Those that can take tasks, now or after their present one. @throws DroverError NO_WORKERS_REGISTERED, NO_READY_WORKERS */
  ready(filter: WorkerFilter, call: CallContext): Promise<WorkerReport[]>;
  /** One that is in this state. @throws DroverError UNKNOWN_WORKER_STATE, NO_WORKERS_FOR_STATE_CHECK, WORKER_NOT_FOUND, WORKER_STATE_MISMATCH */
  inState(
    asked: { expected: string; worker_id?: string | undefined },
    call: CallContext,
  ): Promise<WorkerReport>;
  /** @throws DroverError INVALID_STATE_TRANSITION for an unknown name (400) and a step that is not in the table (409), NO_WORKERS_FOR_TRANSITION */
  mayWalk(names: readonly string[], call: CallContext): Promise<WorkerState[]>;
}

/** Builds the book over these nodes. */
export function createWorkerBook(nodes: NodeLink): WorkerBook {
  async function all(call: CallContext, node?: string): Promise<WorkerReport[]> {
    const asked = nodes.nodeIds.filter((nodeId) => node === undefined || nodeId === node);
    const reports = await Promise.all(asked.map((nodeId) => nodes.workers(nodeId, call).catch(ofNodeAway)));
    return reports.flat().sort((a, b) => (a.worker_id < b.worker_id ? -1 : 1));
  }

  const list: WorkerBook['list'] = async (filter, call) =>
    (await all(call, filter.node)).filter((worker) => isMeant(worker, filter));

  return {
    list,
    async read(workerId, call) {
      return named(await all(call), workerId);
    },
    async some(filter, call) {
      const workers = await list(filter, call);
      requireSome(workers, 'NO_WORKERS', { operation: 'health' });
      return workers;
    },
    async toFollow(workerId, call) {
      const workers = await all(call);
      requireSome(workers, 'NO_WORKERS', { operation: 'progress' });
      if (workerId !== undefined) return named(workers, workerId);
      const found = workers.find(({ state }) => state === 'loading');
      return found ?? refuse('NOT_LOADING', 'no engine loads a model now', tally(workers));
    },
    async health(workerId, call) {
      const workers = await all(call);
      requireSome(workers, 'NO_WORKERS', { operation: 'health' });
      const { worker_id, node_id, state, ...replica } = named(workers, workerId);
      const said = await nodes.workerHealth(node_id, replica, call);
      if (said?.status === 200) return { worker_id, status: 'alive', state };
      return refuseHealth(worker_id, state, said);
    },
    async idle(filter, call) {
      const workers = await list(filter, call);
      requireSome(workers, 'NO_WORKERS_IN_REGISTRY', { model_ref: filter.model_ref });
      const idle = workers.filter(({ state, slots_available }) => state === 'idle' && slots_available > 0);
      const [best] = idle.sort((a, b) => b.slots_available - a.slots_available);
      return best ?? refuse('NO_IDLE_WORKERS', 'no engine is idle', tally(workers));
    },
    async ready(filter, call) {
      const workers = await list(filter, call);
      requireSome(workers, 'NO_WORKERS_REGISTERED', {});
      const ready = workers.filter(({ state }) => state === 'idle' || state === 'busy');
      return ready.length > 0 ? ready : refuse('NO_READY_WORKERS', 'no engine is ready', tally(workers));
    },
    async inState({ expected, worker_id }, call) {
      const state = workerStateNamed(expected);
      if (state === undefined) {
        const facts = { valid_states: WORKER_STATES };
        return refuse('UNKNOWN_WORKER_STATE', 'there is no such state of a worker', facts);
      }
      const workers = await all(call);
      requireSome(workers, 'NO_WORKERS_FOR_STATE_CHECK', { expected: state });
      const asked = worker_id === undefined ? workers : [named(workers, worker_id)];
      const found = asked.find((worker) => worker.state === state);
      const facts = { expected: state, actual: asked[0]?.state, ...tally(asked) };
      return found ?? refuse('WORKER_STATE_MISMATCH', 'no worker is in the expected state', facts);
    },
    async mayWalk(names, call) {
      const states = names.map((name) => workerStateNamed(name) ?? refuseName(names));
      requireSome(await all(call), 'NO_WORKERS_FOR_TRANSITION', walkIn(names));
      for (const [index, state] of states.slice(1).entries()) requireStep(states[index], state, names);
      return states;
    },
  };
}

/** An engine that answers otherwise is told from one that does not answer, and from one that does not serve (yet). */
function refuseHealth(worker_id: string, state: WorkerState, said: WorkerHealth | undefined): never {
  if (said === undefined)
    return refuse('WORKER_UNHEALTHY', `the engine does not serve: it is ${state}`, {
      worker_id,
      status: null,
    });
  const { status, cause } = said;
  if (status !== null)
    return refuse('WORKER_UNHEALTHY', `the engine answers its health with ${status}`, { worker_id, status });
  const message = cause === 'timeout' ? 'the engine does not answer in time' : 'the engine cannot be reached';
  const options = cause === 'timeout' ? { status: 504 } : {};
  throw new DroverError('HEALTH_CHECK_ERROR', message, { details: { worker_id, cause } }, options);
}

function ofNodeAway(err: unknown): WorkerReport[] {
  if (err instanceof DroverError) return [];
  throw err;
}

function isMeant(worker: WorkerReport, { model_ref, backend, device }: WorkerFilter): boolean {
  return (
    (model_ref === undefined || model_ref === worker.model_ref || model_ref === worker.model_name) &&
    (backend === undefined || backend === worker.backend) &&
    (device === undefined || device === worker.device)
  );
}

function named(workers: readonly WorkerReport[], workerId: string): WorkerReport {
  const found = workers.find(({ worker_id }) => worker_id === workerId);
  return found ?? refuse('WORKER_NOT_FOUND', 'there is no such worker', {});
}

function requireSome(
  workers: readonly WorkerReport[],
  code: ErrorCode,
  facts: Record<string, unknown>,
): void {
  if (workers.length > 0) return;
  refuse(code, 'no engine is there: preload a pool, or register a worker', facts);
}

/** How many there are, and in which states. */
function tally(workers: readonly WorkerReport[]) {
  const states: Record<string, number> = {};
  for (const { state } of workers) states[state] = (states[state] ?? 0) + 1;
  return { count: workers.length, states };
}

function walkIn(names: readonly string[]) {
  return { from: names[0], ...(names.length > 2 ? { through: names.slice(1, -1) } : {}), to: names.at(-1) };
}

function refuseName(names: readonly string[]): never {
  const details = { ...walkIn(names), allowed: WORKER_STATES };
  const message = 'the transition names a state that workers do not have';
  throw new DroverError('INVALID_STATE_TRANSITION', message, { details }, { status: 400 });
}

function requireStep(from: WorkerState | undefined, to: WorkerState, names: readonly string[]): void {
  const allowed = from === undefined ? [] : stepsFrom(from);
  if (allowed.includes(to)) return;
  const details = { ...walkIn(names), from, to, allowed };
  refuse('INVALID_STATE_TRANSITION', 'a worker does not go from the one state to the other', details);
}

function refuse(code: ErrorCode, message: string, facts: Record<string, unknown>): never {
  throw new DroverError(code, message, Object.keys(facts).length === 0 ? {} : { details: facts });
}
