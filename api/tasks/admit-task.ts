/**
 * Admission, as design §2 has it: offer the task at a node, put it on record, confirm it at the node, say "accepted".
 * Whatever fails in between leaves neither a run nor a record, so a client may always repeat its request.
 */
import { createHash } from 'node:crypto';
import { DroverError } from '../../contracts/errors.js';
import type { Dialect, RunInput, RunOffer, RunView } from '../../contracts/node.js';
import { engineKind, type Admission, type TaskRequest } from '../../contracts/task.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { PlacementCandidate } from '../../domain/placement.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { NodeLink } from '../clients/node-link.js';
import type { StartResult, TaskRecord, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';
import type { TaskLocator } from './locate-task.js';
import { admissionFields } from './narrate.js';
import type { PoolBoard } from './pool-board.js';

/** What admission works with. */
export interface AdmissionDeps {
  nodes: NodeLink;
  records: TaskRecords;
  locator: TaskLocator;
  board: PoolBoard;
  place: (request: AskedTask['request'], context: RequestContext) => Promise<PlacementCandidate>;
  metrics: Metrics;
}

/** A task as a client asked for it, on whichever route. */
export interface AskedTask {
  /** Without an engine, whichever serves the model. */
  request: Omit<TaskRequest, 'engine'> & Partial<Pick<TaskRequest, 'engine'>>;
  input: RunInput;
  /** `max_tokens` is a ceiling: the context may be full before it. */
  fitContext?: boolean;
  /** The protocol that the client speaks, where it is not ours. */
  dialect?: Dialect;
}

/** Admits a task; the same one again gets the same answer. */
export type AdmitTask = (task: AskedTask, context: RequestContext) => Promise<Admission>;

/** Epoch of a task's first placement; its workflow raises it (design §2.7). */
const FIRST_EPOCH = 1;
/** A client that met an absent Temporal comes again after this. */
const RETRY_AFTER_MS = 1_000;

interface Offered {
  offer: RunOffer;
  nodeId: string;
  view: RunView;
}

/**
 * Builds admission.
 * @throws DroverError as the node or placement refuses; TASK_CONFLICT for another body under a known id;
 * TEMPORAL_UNAVAILABLE when the task could not be put on record in time
 */
export function createAdmission({
  nodes,
  records,
  locator,
  board,
  place,
  metrics,
}: AdmissionDeps): AdmitTask {
  return async function admitTask(task, context) {
    const { request } = task;
    const digest = digestOf(task);
    const known = locator.recall(request.task_id);
    if (known !== undefined) return sameOrConflict(known, digest);
    if (records.away) throw recordsAway();
    const offered = await offerTask(task, digest, context);
    const started = await record(offered);
    if (started.kind === 'unknown') return giveUp(offered, started.cause, context);
    if (started.kind === 'duplicate') return answerDuplicate(offered, started.record, context);
    const { nodeId, view } = offered;
    locator.remember(request.task_id, { nodeId, digest, admission: view.admission });
    await confirm(offered, context);
    metrics.tasksEnqueued.inc(enqueuedLabels(view));
    context.log.info(
      admissionFields(offered.offer.request, view, context.identity, started.eager),
      'task admitted',
    );
    return view.admission;
  };

  /** A task that was rejected before it began never was: its id is as good as new, and its client was told to retry. */
  async function record({ offer, nodeId, view }: Offered): Promise<StartResult> {
    const task = { nodeId, offer, admission: view.admission, admittedAtMs: view.admitted_at_ms };
    const started = await records.start(task);
    const isRejected = started.kind === 'duplicate' && started.record.state === 'rejected';
    return isRejected ? records.start(task, true) : started;
  }

  async function offerTask(task: AskedTask, digest: string, context: RequestContext): Promise<Offered> {
    const candidate = await place(task.request, context);
    const { nodeId } = candidate;
    const offer = offerOf(task, digest, candidate, context.correlationId);
    try {
      return { offer, nodeId, view: await nodes.offer(nodeId, offer, context) };
    } catch (err) {
      if (err instanceof DroverError) board.distrust(nodeId);
      throw err;
    }
  }

  /** The workflow's first step confirms too, so a node that is silent now stops nothing; a withdrawn offer does. */
  async function confirm({ offer, nodeId }: Offered, context: RequestContext): Promise<void> {
    try {
      await nodes.confirm(nodeId, offer.task_id, context);
    } catch (err) {
      if (!(err instanceof DroverError) || err.code === 'OFFER_WITHDRAWN') throw err;
      context.log.warn(
        { event: 'confirm_failed', code: err.code, node_id: nodeId },
        'confirmation is left to the workflow',
      );
    }
  }

  /** Temporal has this id already: the recorded answer, and no run of ours beside the recorded one. */
  async function answerDuplicate(
    offered: Offered,
    record: TaskRecord,
    context: RequestContext,
  ): Promise<Admission> {
    const { offer, nodeId, view } = offered;
    const isTheRecordedRun = record.open && record.nodeId === nodeId && record.memo.digest === offer.digest;
    if (!view.confirmed && !isTheRecordedRun) await withdraw(offered, context);
    const admission = sameOrConflict(record.memo, offer.digest);
    locator.remember(offer.task_id, { nodeId: record.nodeId, digest: offer.digest, admission });
    return admission;
  }

  /**
   * Nobody knows whether the task is on record. The node remembers for 10 minutes that the offer is void: a workflow that
   * begins late ends as rejected at its first step. Nothing is terminated: the SDK repeats what got no answer, so a
   * terminate could arrive when the client's next try has been accepted under the same id.
   */
  async function giveUp(offered: Offered, cause: unknown, context: RequestContext): Promise<never> {
    const { task_id } = offered.offer;
    context.log.warn({ event: 'start_unknown', task_id, err: cause }, 'the task could not be put on record');
    await withdraw(offered, context);
    throw recordsAway();
  }

  /** Unconfirmed offers lapse by themselves; withdrawing says it now and to those who ask later. */
  async function withdraw({ offer, nodeId }: Offered, context: RequestContext): Promise<void> {
    try {
      await nodes.withdraw(nodeId, offer.task_id, context);
    } catch (err) {
      if (!(err instanceof DroverError)) throw err;
      context.log.warn(
        { event: 'withdraw_failed', task_id: offer.task_id, code: err.code },
        'the offer will lapse',
      );
    }
  }
}

/** SHA-256 of what was asked in canonical JSON: equal requests have equal digests, however they are spelled. */
export function digestOf({ request, input, dialect }: AskedTask): string {
  return createHash('sha256').update(canonicalJson({ request, input, dialect })).digest('hex');
}

function sameOrConflict(known: { digest: string; admission: Admission }, digest: string): Admission {
  if (known.digest === digest) return known.admission;
  throw new DroverError('TASK_CONFLICT', 'a task with this id and another body is on record');
}

function recordsAway(): DroverError {
  return new DroverError('TEMPORAL_UNAVAILABLE', 'the record of tasks cannot be reached now', {
    retry_after_ms: RETRY_AFTER_MS,
    policy_label: 'retry',
  });
}

/** The text goes once, as what the engine shall complete: a payload of Temporal's holds 2 MB. */
export function textTask({ prompt, ...request }: TaskRequest): AskedTask {
  return { request, input: { kind: 'text', text: prompt ?? '' } };
}

function offerOf(
  { request, input, fitContext, dialect }: AskedTask,
  digest: string,
  { poolId, engine }: PlacementCandidate,
  correlationId: string,
): RunOffer {
  return {
    task_id: request.task_id,
    pool_id: poolId,
    epoch: FIRST_EPOCH,
    digest,
    correlation_id: correlationId,
    request: { ...request, engine: request.engine ?? engineKind.parse(engine) },
    input,
    ...(fitContext === undefined ? {} : { fit_context: fitContext }),
    ...(dialect === undefined ? {} : { dialect }),
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
