/** Additions and checks of nodes to record. */
import { CONTROL_QUEUE, nodeWorkflowId, type NodeVerb } from '../../domain/identity.js';
import type { addNode } from '../../workflows/add-node.js';
import type { checkNode } from '../../workflows/check-node.js';
import type { installNode } from '../../workflows/install-node.js';
import { nodeToAdd, registryTwin, unreached } from '../registry-twin.js';
import { historyOf, type Scenario } from './stage.js';

/** By the name of their history. */
export const registryScenarios: Readonly<Record<string, Scenario>> = {
  'node-added': story('add', () => registryTwin()),
  'node-unreached': story('add', () =>
    registryTwin({ visitNode: unreached('SSH_CONNECTION_FAILED', false) }),
  ),
  'node-checked': story('check', () => registryTwin()),
  'node-offline': story('check', () => registryTwin({ visitNode: unreached('SSH_TIMEOUT', true) })),
  'node-installed': story('install', () => registryTwin()),
  'node-not-built': story('install', () =>
    registryTwin({ buildProgram: unreached('NODE_INSTALL_FAILED', false) }),
  ),
};

function story(verb: NodeVerb, makeTwin: () => ReturnType<typeof registryTwin>): Scenario {
  return async (stage) => {
    const worker = await stage.workflowsAnd(CONTROL_QUEUE, makeTwin().activities);
    return worker.runUntil(async () => {
      const handle = await stage.workflows.start<typeof addNode | typeof checkNode | typeof installNode>(
        `${verb}Node`,
        {
          taskQueue: CONTROL_QUEUE,
          workflowId: nodeWorkflowId('gpu-1', verb),
          args: [{ node: nodeToAdd(), order: { port: 9_200 }, correlation_id: 'corr-1' }],
        },
      );
      return historyOf(handle);
    });
  };
}
