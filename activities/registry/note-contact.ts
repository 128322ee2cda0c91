/** Activity: the registry is told whether a node was reached (B-NODE-015). */
import { asFailure } from '../as-failure.js';
import type { RegistryDeps } from './registry-deps.js';

/** Builds `noteContact`; a node that was removed meanwhile is none. */
export function noteContactActivity({ nodes }: Pick<RegistryDeps, 'nodes'>) {
  return async function noteContact(contact: { node_name: string; reached: boolean }): Promise<void> {
    await asFailure(() => nodes.contacted(contact.node_name, contact.reached));
  };
}
