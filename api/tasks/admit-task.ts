/**
 * Admission, as design §2 has it: offer the task at a node, put it on record, confirm it at the node, say "accepted".
 * Whatever fails in between leaves neither a run nor a record, so a client may always repeat its request.
 */
import { createHash } from 'node:crypto';
import { DroverError } from '../../contracts/errors.js';
import type { Dialect, RunOffer, RunView, TaskInput } from '../../contracts/node.js';
import { engineKind, type Admission, type TaskRequest } from '../../contracts/task.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { PlacementCandidate } from '../../domain/placement.js';
import type { Audit } from '../../security/audit/audit-log.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { ModelGate } from '../catalog/model-gate.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecord, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { SessionBook } from '../sessions/session-book.js';
import type { TaskLocator } from './locate-task.js';
import { edgeDeadline } from './edge-deadline.js';
import { auditAdmission } from './audit-task.js';
import { admissionFields } from './narrate.js';
import type { PoolBoard } from './pool-board.js';
import {
  confirmOffer,
  isOpenAs,
  putOnRecord,
  recordsAway,
  withdrawOffer,
  type Offered,
} from './put-on-record.js';

/** What admission works with. */
export interface AdmissionDeps {
  nodes: NodeLink;
  records: TaskRecords;
  locator: TaskLocator;
  board: PoolBoard;
  place: (request: AskedTask['request'], context: RequestContext) => Promise<PlacementCandidate>;
  gate: Pick<ModelGate, 'check'>;
  sessionBook: Pick<SessionBook, 'takeTurn'>;
  metrics: Metrics;
  audit: Audit;
  now: () => number;
}

/** A task as a client asked for it, on whichever route. */
export interface AskedTask {
  /** Without an engine, whichever serves the model. */
  request: Omit<TaskRequest, 'engine'> & Partial<Pick<TaskRequest, 'engine'>>;
  input: TaskInput;
  /** `max_tokens` is a ceiling: the context may be full before it. */
  fitContext?: boolean;
  /** The protocol that the client speaks, where it is not ours. */
  dialect?: Dialect;
}

/**
 * Admits a task; the same one again gets the same answer. `onOffered` is told of the node that has taken the offer, before
 * the task is on record: whoever wants its frames may open their stream meanwhile, nothing comes before the confirmation.
 */
export type AdmitTask = (
  task: AskedTask,
  context: RequestContext,
  onOffered?: (nodeId: string) => void,
) => Promise<Admission>;

/** A task, and what its session has left. */
interface TaskWithTurn extends AskedTask {
  budgets: RunOffer['budgets'];
  deadlineAtMs: number;
}

/** Epoch of a task's first placement; its workflow raises it (design §2.7). */
const FIRST_EPOCH = 1;

/**
 * Builds admission.
 * @throws DroverError as the node or placement refuses; TASK_CONFLICT for another body under a known id;
 * TEMPORAL_UNAVAILABLE when the task could not be put on record in time
 */
export function createAdmission(deps: AdmissionDeps): AdmitTask {
  const { records, locator, metrics } = deps;
  return async function admitTask(task, context, onOffered) {
    const { task_id } = task.request;
    const digest = digestOf(task);
    const known = locator.recall(task_id);
    if (known !== undefined) return sameOrConflict(known, digest);
    if (records.away) throw recordsAway();
    const deadlineAtMs = edgeDeadline(task.request, context, deps.now());
    const turn = await deps.sessionBook.takeTurn(task);
    try {
      const { admission, isNew } = await admitNew(
        { ...task, budgets: turn.budgets, deadlineAtMs },
        digest,
        context,
        onOffered,
      );
      if (!isNew) await turn.giveBack();
      return admission;
    } catch (err) {
      await turn.giveBack();
      throw err;
    }
  };

  async function admitNew(
    task: TaskWithTurn,
    digest: string,
    context: RequestContext,
    onOffered?: (nodeId: string) => void,
  ): Promise<{ admission: Admission; isNew: boolean }> {
    const { task_id } = task.request;
    const offered = await offerTask(deps, task, digest, context);
    onOffered?.(offered.nodeId);
    const started = await putOnRecord(deps, offered, context);
    if (started.kind === 'unknown') {
      context.log.warn({ event: 'start_unknown', task_id, err: started.cause }, 'the task is not on record');
      await withdrawOffer(deps, offered, context);
      throw recordsAway();
    }
    if (started.kind === 'duplicate') {
      return { admission: await answerDuplicate(deps, offered, started.record, context), isNew: false };
    }
    const { nodeId, view, offer } = offered;
    await confirmOffer(deps, offered, context);
    locator.remember(task_id, { nodeId, digest, admission: view.admission });
    metrics.tasksEnqueued.inc(enqueuedLabels(view));
    context.log.info(admissionFields(offer.request, view, context.identity, started.eager), 'task admitted');
    auditAdmission(deps.audit, offer.request, view, context);
    return { admission: view.admission, isNew: true };
  }
}

async function offerTask(
  deps: AdmissionDeps,
  task: TaskWithTurn,
  digest: string,
  context: RequestContext,
): Promise<Offered> {
  const { board, gate, nodes, place } = deps;
  await gate.check([task.request.model_ref]);
  const candidate = await place(task.request, context);
  try {
    return await offerTo(candidate, deps, task, digest, context);
  } catch (err) {
    if (!(err instanceof DroverError) || err.code !== 'REPLICA_EXHAUSTED') throw err;
    // It may not wait, and what was kept may not show an engine that is free elsewhere (B-PL-019).
    for (const nodeId of nodes.nodeIds) board.distrust(nodeId);
    const other = await place(task.request, context);
    if (other.slotsFree < 1) throw err;
    return offerTo(other, deps, task, digest, context);
  }
}

async function offerTo(
  candidate: PlacementCandidate,
  { board, nodes, gate }: AdmissionDeps,
  task: TaskWithTurn,
  digest: string,
  context: RequestContext,
): Promise<Offered> {
  // A pool's model has more than one name.
  await gate.check([candidate.modelRef, candidate.modelName]);
  const { nodeId } = candidate;
  const offer = offerOf(task, digest, candidate, context);
  try {
    return { offer, nodeId, view: await nodes.offer(nodeId, offer, context) };
  } catch (err) {
    // A full queue is no news of the pool's state; anything else may be.
    if (err instanceof DroverError && err.code !== 'ADMISSION_REJECT') board.distrust(nodeId);
    throw err;
  }
}

/** Temporal has this id already: the recorded answer, and no run of ours beside the recorded one. */
async function answerDuplicate(
  deps: AdmissionDeps,
  offered: Offered,
  record: TaskRecord,
  context: RequestContext,
): Promise<Admission> {
  const { task_id, digest } = offered.offer;
  if (!isOpenAs(record, offered)) await withdrawOffer(deps, offered, context);
  const admission = sameOrConflict(record.memo, digest);
  deps.locator.remember(task_id, { nodeId: record.nodeId, digest, admission });
  return admission;
}

/** SHA-256 of what was asked in canonical JSON: equal requests have equal digests, however they are spelled. */
export function digestOf({ request, input, dialect }: AskedTask): string {
  return createHash('sha256').update(canonicalJson({ request, input, dialect })).digest('hex');
}

function sameOrConflict(known: { digest: string; admission: Admission }, digest: string): Admission {
  if (known.digest === digest) return known.admission;
  throw new DroverError('TASK_CONFLICT', 'a task with this id and another body is on record');
}

/** A task as `/v2` takes it. Its texts go once, as what the engine is given: a payload of Temporal's holds 2 MB. */
export function textTask({ prompt = '', inputs = [], ...request }: TaskRequest): AskedTask {
  switch (request.workload) {
    case 'completion':
      return { request, input: { kind: 'text', text: prompt } };
    case 'embedding':
      return { request, input: { kind: 'embedding', inputs }, fitContext: true };
    case 'rerank':
      return { request, input: { kind: 'rerank', query: prompt, documents: inputs }, fitContext: true };
  }
}

function offerOf(
  { request, input, fitContext, dialect, budgets, deadlineAtMs }: TaskWithTurn,
  digest: string,
  { poolId, engine }: PlacementCandidate,
  { correlationId, trace = {} }: RequestContext,
): RunOffer {
  return {
    task_id: request.task_id,
    pool_id: poolId,
    epoch: FIRST_EPOCH,
    digest,
    correlation_id: correlationId,
    ...(Object.keys(trace).length === 0 ? {} : { trace }),
    request: { ...request, engine: request.engine ?? engineKind.parse(engine) },
    deadline_at_ms: deadlineAtMs,
    input,
    ...(fitContext === undefined ? {} : { fit_context: fitContext }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(budgets === undefined ? {} : { budgets }),
  };
}

function enqueuedLabels(view: RunView) {
  return {
    engine: view.engine,
    engine_version: view.engine_version ?? '',
    pool_id: view.pool_id,
    replica_id: view.replica_id ?? '',
    priority: view.priority,
  };
}
