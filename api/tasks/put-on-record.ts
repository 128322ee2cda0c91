/**
 * From an offer that a node has taken to a task on record: started, or found there already, or withdrawn because nobody
 * can say. What is answered "accepted" is confirmed at its node or was confirmed before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../../contracts/errors.js';
import type { RunOffer, RunView } from '../../contracts/node.js';
import type { NodeLink } from '../clients/node-link.js';
import type { StartResult, TaskRecord, TaskRecords } from '../clients/task-records.js';
import type { RequestContext } from '../request-context.js';

/** Where offers and records are. */
export interface RecordingDeps {
  nodes: NodeLink;
  records: TaskRecords;
}

/** An offer that a node has taken. */
export interface Offered {
  offer: RunOffer;
  nodeId: string;
  view: RunView;
}

/** A client that met an absent Temporal comes again after this. */
const RETRY_AFTER_MS = 1_000;
/** The other request, or the workflow's first step, confirms within milliseconds; slower means "come again". */
const SETTLE_LIMIT_MS = 1_500;
const SETTLE_PAUSE_MS = 20;

/** The task could not be put on record, and did not run. */
export function recordsAway(): DroverError {
  return new DroverError('TEMPORAL_UNAVAILABLE', 'the record of tasks cannot be reached now', {
    retry_after_ms: RETRY_AFTER_MS,
    policy_label: 'retry',
  });
}

/**
 * Starts the task's workflow. A task that was rejected before it began never was: its id is as good as new, since its
 * client was told to come again.
 */
export async function putOnRecord(
  deps: RecordingDeps,
  offered: Offered,
  context: RequestContext,
): Promise<StartResult> {
  const { offer, nodeId, view } = offered;
  const task = { nodeId, offer, admission: view.admission, admittedAtMs: view.admitted_at_ms };
  const started = await deps.records.start(task);
  if (started.kind !== 'duplicate') return started;
  const record = await settledRecord(deps, offered, started.record, context);
  return record.state === 'rejected' ? deps.records.start(task, true) : { kind: 'duplicate', record };
}

/**
 * A recorded workflow that has not confirmed its run yet may still end as rejected, if an earlier try of this request was
 * withdrawn. Saying "accepted" waits until the run is confirmed or the workflow has ended.
 */
async function settledRecord(
  { nodes, records }: RecordingDeps,
  offered: Offered,
  found: TaskRecord,
  context: RequestContext,
): Promise<TaskRecord> {
  const { nodeId, offer } = offered;
  const until = Date.now() + SETTLE_LIMIT_MS;
  let [record, { confirmed }] = [found, offered.view];
  while (isOpenAs(record, offered) && !confirmed) {
    if (Date.now() > until) throw recordsAway();
    await delay(SETTLE_PAUSE_MS);
    confirmed = (await nodes.view(nodeId, offer.task_id, context))?.confirmed ?? false;
    if (!confirmed) record = (await records.describe(offer.task_id)) ?? record;
  }
  return record;
}

/** True while the record speaks of the very run that was offered. */
export function isOpenAs(record: TaskRecord, { nodeId, offer }: Offered): boolean {
  return record.open && record.nodeId === nodeId && record.memo.digest === offer.digest;
}

/**
 * The workflow's first step confirms too, so a node that is silent now stops nothing. An offer that another try of the
 * same request has withdrawn meanwhile never runs: the next try begins anew.
 */
export async function confirmOffer(
  { nodes }: RecordingDeps,
  { offer, nodeId }: Offered,
  context: RequestContext,
): Promise<void> {
  try {
    await nodes.confirm(nodeId, offer.task_id, context);
  } catch (err) {
    if (!(err instanceof DroverError)) throw err;
    if (err.code === 'OFFER_WITHDRAWN') throw recordsAway();
    const said = { event: 'confirm_failed', task_id: offer.task_id, code: err.code, node_id: nodeId };
    context.log.warn(said, 'confirmation is left to the workflow');
  }
}

/**
 * Makes an offer void. The node remembers it for 10 minutes, so that a workflow which begins late ends as rejected at its
 * first step. Nothing is terminated: the SDK repeats what got no answer, so a terminate could arrive when the client's
 * next try has been accepted under the same id.
 */
export async function withdrawOffer(
  { nodes }: RecordingDeps,
  { offer, nodeId, view }: Offered,
  context: RequestContext,
): Promise<void> {
  if (view.confirmed) return; // Another request's, and accepted.
  try {
    await nodes.withdraw(nodeId, offer.task_id, context);
  } catch (err) {
    if (!(err instanceof DroverError)) throw err;
    const said = { event: 'withdraw_failed', task_id: offer.task_id, code: err.code };
    context.log.warn(said, 'the offer will lapse by itself');
  }
}
