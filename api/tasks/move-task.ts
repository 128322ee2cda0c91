/**
 * A task whose node is lost goes to another (design §2.7, §4): from all that it has shown where its node still answers or
 * readers here have it, else from its prompt. Its workflow asks for this, once no worker of the node has taken the run up for
 * longer than a fence takes.
 */
import type { FastifyBaseLogger } from 'fastify';
import type { MoveTask } from '../../activities/task-activities.js';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { FencedRun } from '../../contracts/node.js';
import type { PlacementCandidate } from '../../domain/placement.js';
import type { Audit } from '../../security/audit/audit-log.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskTails } from '../relay/task-tails.js';
import type { AskedTask } from './admit-task.js';
import { auditMove } from './audit-task.js';
import type { TaskLocator } from './locate-task.js';

/** What moving works with. */
export interface MoveDeps {
  nodes: Pick<NodeLink, 'fence' | 'takeOver'>;
  place: (
    request: AskedTask['request'],
    context: CallContext & { log: FastifyBaseLogger },
    without: string | undefined,
  ) => Promise<PlacementCandidate>;
  tails: Pick<TaskTails, 'shown'>;
  locator: Pick<TaskLocator, 'forget'>;
  audit: Audit;
  log: FastifyBaseLogger;
}

/** Builds the mover, whose calls fail as placement refuses, or the node that was chosen. */
export function createMoveTask({ nodes, place, tails, locator, audit, log }: MoveDeps): MoveTask {
  return async function moveTask({ node_id: lostNode, ...offer }) {
    const { task_id, correlation_id: correlationId, trace = {} } = offer;
    const call = { correlationId, trace, log };
    const epoch = offer.epoch + 1;
    const { fenced, isAway } = await atItsNode(() => nodes.fence(lostNode, task_id, epoch, call));
    if (fenced?.run.ended === true) return { kind: 'ended', run: fenced.run };
    const past = fenced?.frames ?? tails.shown(task_id) ?? [];
    const { nodeId, poolId } = await place(
      offer.request,
      call,
      // A node that has lost the run alone may begin it anew.
      fenced === undefined && !isAway ? undefined : lostNode,
    );
    await nodes.takeOver(nodeId, { ...offer, epoch, pool_id: poolId, ...carried(past) }, call);
    locator.forget(task_id);
    log.warn(
      {
        event: 'task_moved',
        task_id,
        correlation_id: correlationId,
        from: lostNode,
        node_id: nodeId,
        pool_id: poolId,
        epoch,
        frames: past.length,
        was_away: isAway,
      },
      'a task went to another node',
    );
    auditMove(audit, {
      task_id,
      node_id: nodeId,
      pool_id: poolId,
      from: lostNode,
      correlation_id: correlationId,
    });
    return { kind: 'moved', node_id: nodeId, pool_id: poolId, epoch };
  };
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
