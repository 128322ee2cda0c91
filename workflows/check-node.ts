/**
 * `checkNode`: visits a node of the registry by SSH and notes there whether it was reached (B-NODE-015). The API starts it
 * under the id `node:<name>:check`, and who asks meanwhile waits for the same. It ends with what the visit found, or fails with
 * the code of the answer; both are noted first.
 */
import { isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { NodeVisited, NodeVisitInput } from '../contracts/registered-node.js';
import { noteContact, visit } from './parts/registry-activities.js';

/** Checks one node; see the module. */
export async function checkNode({ node }: NodeVisitInput): Promise<NodeVisited> {
  const { node_name } = node;
  setCurrentDetails('visit: reaching the node by SSH');
  const [outcome] = await Promise.allSettled([visit(node)]);
  if (outcome.status === 'fulfilled') {
    await noteContact(node_name, true);
    setCurrentDetails(`reached in ${outcome.value.round_trip_ms} ms`);
    return outcome.value;
  }
  if (!isCancellation(outcome.reason)) {
    await noteContact(node_name, false);
    setCurrentDetails('not reached');
  }
  throw outcome.reason;
}
