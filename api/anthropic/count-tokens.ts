/** How many tokens a message's turns are to the engine that would answer them: its own template, its own vocabulary. */
import type { CountTokensRequest } from '../../contracts/anthropic.js';
import type { PlacementCandidate } from '../../domain/placement.js';
import type { ModelGate } from '../catalog/model-gate.js';
import type { NodeLink } from '../clients/node-link.js';
import { completionTaskOf, type CallerWishes } from '../completions/completion-task.js';
import type { RequestContext } from '../request-context.js';
import type { AskedTask } from '../tasks/admit-task.js';
import { inputOf } from './to-task.js';

/** What counting works with. */
export interface CountTokensDeps {
  nodes: Pick<NodeLink, 'countTokens'>;
  place: (request: AskedTask['request'], context: RequestContext) => Promise<PlacementCandidate>;
  gate: Pick<ModelGate, 'check'>;
}

/** Counts. @throws DroverError as placement refuses; INVALID_PARAMS where the engine tells nobody its tokens */
export type CountTokens = (
  body: CountTokensRequest,
  wishes: CallerWishes,
  context: RequestContext,
) => Promise<number>;

/** Builds the counter; where a task would be placed, there its tokens are counted. */
export function createCountTokens({ nodes, place, gate }: CountTokensDeps): CountTokens {
  return async function countTokens(body, wishes, context) {
    const input = inputOf(body);
    const dialect = { object: 'message', include_usage: true } as const;
    const { request } = completionTaskOf({ model: body.model }, null, input, dialect, wishes);
    await gate.check([body.model]);
    const { nodeId, poolId } = await place(request, context);
    return nodes.countTokens(nodeId, poolId, input, context);
  };
}
