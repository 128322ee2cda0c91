/** Installations in memory, for the API's own tests: what was ordered, and how the last of each node stands. */
import type { InstallNodeInput, NodeOperation } from '../../contracts/node-install.js';
import { nodeWorkflowId } from '../../domain/identity.js';
import type { NodeInstalls } from '../clients/node-installs.js';

/** Installations in memory. */
export class MemoryInstalls implements NodeInstalls {
  readonly inputs: InstallNodeInput[] = [];
  readonly operations = new Map<string, NodeOperation>();

  start(input: InstallNodeInput): Promise<string> {
    this.inputs.push(input);
    return Promise.resolve(nodeWorkflowId(input.node.node_name, 'install'));
  }

  read(nodeName: string): Promise<NodeOperation | undefined> {
    return Promise.resolve(this.operations.get(nodeName));
  }
}

/** An installation that runs, with these steps begun. */
export function runningInstall(node_name: string, ...steps: string[]): NodeOperation {
  return {
    ...{ operation_id: nodeWorkflowId(node_name, 'install'), run_id: 'run-1', kind: 'install', node_name },
    ...{ status: 'running', started_at_ms: 1, ended_at_ms: null, step: steps.at(-1) ?? null },
    steps: steps.map((step, at) => ({ step, doing: `doing ${step}`, at_ms: at + 1, duration_ms: null })),
    ...{ waiting_for: [], outcome: null, error: null },
  };
}
