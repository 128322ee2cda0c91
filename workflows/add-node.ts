/**
 * `addNode`: enters a node into the registry once it was reached by SSH. The API starts it under the id `node:<name>:add`, and
 * a second one is refused meanwhile. It ends with what the visit found, or fails with the code of the answer, and then nothing
 * is stored (B-NODE-002).
 */
import { setCurrentDetails } from '@temporalio/workflow';
import type { NodeVisited, NodeVisitInput } from '../contracts/registered-node.js';
import { enter, visit } from './parts/registry-activities.js';

/** Adds one node; see the module. */
export async function addNode({ node }: NodeVisitInput): Promise<NodeVisited> {
  setCurrentDetails('visit: reaching the node by SSH');
  const visited = await visit(node);
  setCurrentDetails('enter: entering the node into the registry');
  await enter(node);
  setCurrentDetails(`added, reached in ${visited.round_trip_ms} ms`);
  return visited;
}
