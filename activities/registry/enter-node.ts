/** Activity: a node that was reached is entered into the registry. */
import { isDeepStrictEqual } from 'node:util';
import { Context } from '@temporalio/activity';
import { nodeRequest, type NodeRequest } from '../../contracts/registered-node.js';
import { asFailure } from '../as-failure.js';
import { nodeFailureOf } from './node-failure.js';
import type { RegistryDeps } from './registry-deps.js';

/** Builds `enterNode`. @throws ApplicationFailure DUPLICATE_NODE, or STORE_UNAVAILABLE, which is tried again */
export function enterNodeActivity({
  nodes,
  log,
}: Pick<RegistryDeps, 'nodes'> & { log: Pick<RegistryDeps['log'], 'info'> }) {
  return async function enterNode({ node }: { node: NodeRequest }): Promise<void> {
    const { node_name } = node;
    const entered = await asFailure(() => nodes.add(node));
    if (entered === undefined && !(await isOurs(node)))
      throw nodeFailureOf('DUPLICATE_NODE', 'a node of this name is registered', { node_name });
    log.info({ event: 'node_added', node_name }, 'a node was entered into the registry');
  };

  /** The answer to an earlier try may have been lost. */
  async function isOurs(node: NodeRequest): Promise<boolean> {
    if (Context.current().info.attempt === 1) return false;
    const kept = nodeRequest.safeParse(await asFailure(() => nodes.get(node.node_name)));
    return kept.success && isDeepStrictEqual(kept.data, node);
  }
}
