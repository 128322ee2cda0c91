/**
 * A task whose node is lost goes to another (design §2.7, §4): from all that it has shown where its node still answers or
 * readers here have it, else from its prompt. Its workflow asks for this, once no worker of the node has taken the run up for
 * longer than a fence takes. One that waits in a drained pool goes to another pool, of its node or another (B-DRAIN-015).
 */
import type { FastifyBaseLogger } from 'fastify';
import type { TaskMoves } from '../../activities/task-activities.js';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type {
  Destination,
  FencedRun,
  InferTaskInput,
  MovedTask,
  MoveTaskInput,
} from '../../contracts/node.js';
import type { PlacementCandidate } from '../../domain/placement.js';
import type { Audit } from '../../security/audit/audit-log.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskTails } from '../relay/task-tails.js';
import type { AskedTask } from './admit-task.js';
import { auditMove } from './audit-task.js';
import type { TaskLocator } from './locate-task.js';
import type { PoolBoard } from './pool-board.js';

/** What moving works with. */
export interface MoveDeps {
  nodes: Pick<NodeLink, 'fence' | 'takeOver'>;
  place: (
    request: AskedTask['request'],
    context: CallContext & { log: FastifyBaseLogger },
    without: string | undefined,
  ) => Promise<PlacementCandidate>;
  board: Pick<PoolBoard, 'distrust'>;
  tails: Pick<TaskTails, 'shown'>;
  locator: Pick<TaskLocator, 'forget'>;
  audit: Audit;
  log: FastifyBaseLogger;
}

/** Builds the moves, which fail as placement refuses, or the node that was chosen. */
export function createTaskMoves(deps: MoveDeps): TaskMoves {
  const { nodes, place, board, tails, locator, log } = deps;

  /** What was kept of its node may say that the pool still serves. */
  async function findPlace(input: InferTaskInput): Promise<Destination | null> {
    const { node_id, pool_id, request } = input;
    board.distrust(node_id);
    const found = await place(request, callOf(input, log), undefined).catch(nowhere);
    if (found === null || (found.nodeId === node_id && found.poolId === pool_id)) return null;
    return { node_id: found.nodeId, pool_id: found.poolId };
  }

  async function moveTask({ node_id: from, to, ...offer }: MoveTaskInput): Promise<MovedTask> {
    const { task_id } = offer;
    const call = callOf(offer, log);
    const epoch = offer.epoch + 1;
    const fence = () => nodes.fence(from, task_id, epoch, call);
    // Whoever moves a task that its node has must know that it stopped there; one that is lost has stopped by itself.
    const { fenced, isAway } = to === undefined ? await atItsNode(fence) : await atANodeThatAnswers(fence);
    if (fenced?.run.ended === true) return { kind: 'ended', run: fenced.run };
    // An earlier try of this brought it there.
    if (fenced !== undefined && fenced.run.epoch >= epoch)
      return { kind: 'moved', node_id: from, pool_id: fenced.run.pool_id, epoch };
    const past = fenced?.frames ?? tails.shown(task_id) ?? [];
    // A node that has lost the run alone may begin it anew.
    const without = fenced === undefined && !isAway ? undefined : from;
    const { node_id, pool_id } = to ?? destinationOf(await place(offer.request, call, without));
    await nodes.takeOver(node_id, { ...offer, epoch, pool_id, ...carried(past) }, call);
    locator.forget(task_id);
    tellMove(deps, { ...offer, epoch, node_id, pool_id }, { from, frames: past.length, was_away: isAway });
    return { kind: 'moved', node_id, pool_id, epoch };
  }

  return { findPlace, moveTask };
}

function callOf({ correlation_id, trace = {} }: Omit<InferTaskInput, 'node_id'>, log: FastifyBaseLogger) {
  return { correlationId: correlation_id, trace, log };
}

function destinationOf({ nodeId, poolId }: PlacementCandidate): Destination {
  return { node_id: nodeId, pool_id: poolId };
}

/** No other pool can have it now. */
function nowhere(err: unknown): null {
  if (err instanceof DroverError) return null;
  throw err;
}

function tellMove(
  { audit, log }: Pick<MoveDeps, 'audit' | 'log'>,
  { task_id, correlation_id, node_id, pool_id, epoch }: InferTaskInput,
  past: { from: string; frames: number; was_away: boolean },
): void {
  const line = { event: 'task_moved', task_id, correlation_id, node_id, pool_id, epoch, ...past };
  log.warn(line, 'a task went elsewhere');
  auditMove(audit, { task_id, node_id, pool_id, from: past.from, correlation_id });
}

function carried(past: readonly Frame[]): { past?: Frame[] } {
  return past.length === 0 ? {} : { past: [...past] };
}

/**
 * What its node says of the run: nothing where it does not know it any more, or is away, whoever answers in its place. Away it
 * has stopped by itself before its workflow asks for the move.
 */
async function atItsNode(
  ask: () => Promise<FencedRun | undefined>,
): Promise<{ fenced: FencedRun | undefined; isAway: boolean }> {
  try {
    return { fenced: await ask(), isAway: false };
  } catch (err) {
    if (!(err instanceof DroverError)) throw err;
    return { fenced: undefined, isAway: true };
  }
}

/** What the node says of a run that it has, as long as it is there. @throws DroverError while it is away */
async function atANodeThatAnswers(
  ask: () => Promise<FencedRun | undefined>,
): Promise<{ fenced: FencedRun | undefined; isAway: boolean }> {
  return { fenced: await ask(), isAway: false };
}
