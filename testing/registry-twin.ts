/** Typed in-memory activities of the registry of nodes, for tests of its stories: every call in words. */
import { ApplicationFailure } from '@temporalio/common';
import type { RegistryActivities } from '../activities/registry-activities.js';
import { nodeRequest, type NodeRequest } from '../contracts/registered-node.js';

/** A node that is to be registered. */
export function nodeToAdd(changes: Partial<NodeRequest> = {}): NodeRequest {
  return nodeRequest.parse({
    ...{ node_name: 'gpu-1', ssh_host: 'gpu-1.lab', ssh_user: 'ops', ssh_key_path: '/keys/gpu-1' },
    ...{ git_repo_url: 'https://git.example/drover.git', install_path: '/opt/drover' },
    ...changes,
  });
}

/** A node that is reached and a registry that takes it; every step succeeds but for those in `changes`. */
export function registryTwin(changes: Partial<RegistryActivities> = {}) {
  const calls: string[] = [];
  const steps: RegistryActivities = {
    visitNode: () => Promise.resolve({ round_trip_ms: 2.5, slow: false, installed: true }),
    enterNode: () => Promise.resolve(),
    noteContact: () => Promise.resolve(),
    planInstall: () => Promise.resolve({ api_url: 'http://api.lab', temporal_address: 'temporal.lab:7233' }),
    lookAtTools: () => Promise.resolve(),
    fetchSource: () => Promise.resolve({ commit: 'c0ffee' }),
    buildProgram: () => Promise.resolve(),
    verifyProgram: () => Promise.resolve({ version: '1.2.3' }),
    writeNodeSettings: () => Promise.resolve(),
    startNodeWorker: () => Promise.resolve({ worker: 'started', heard_ms: 7 }),
    awaitNodeReport: () => Promise.resolve(),
    ...changes,
  };
  const activities: RegistryActivities = {
    visitNode: (input) => {
      calls.push(`visitNode ${input.node.node_name}`);
      return steps.visitNode(input);
    },
    enterNode: (input) => {
      calls.push(`enterNode ${input.node.node_name}`);
      return steps.enterNode(input);
    },
    noteContact: (input) => {
      calls.push(`noteContact ${input.node_name} ${input.reached ? 'reached' : 'not reached'}`);
      return steps.noteContact(input);
    },
    planInstall: (input) => {
      calls.push('planInstall');
      return steps.planInstall(input);
    },
    lookAtTools: (input) => {
      calls.push('lookAtTools');
      return steps.lookAtTools(input);
    },
    fetchSource: (input) => {
      calls.push('fetchSource');
      return steps.fetchSource(input);
    },
    buildProgram: (input) => {
      calls.push('buildProgram');
      return steps.buildProgram(input);
    },
    verifyProgram: (input) => {
      calls.push('verifyProgram');
      return steps.verifyProgram(input);
    },
    writeNodeSettings: (input) => {
      calls.push('writeNodeSettings');
      return steps.writeNodeSettings(input);
    },
    startNodeWorker: (input) => {
      calls.push('startNodeWorker');
      return steps.startNodeWorker(input);
    },
    awaitNodeReport: (input) => {
      calls.push(`awaitNodeReport after ${input.heard_ms}`);
      return steps.awaitNodeReport(input);
    },
  };
  return { activities, calls };
}

/** A visit that fails, each time it is tried. */
export function unreached(type: string, retryable: boolean): () => Promise<never> {
  const details = [{ node_name: 'gpu-1', ssh_host: 'gpu-1.lab', reason: 'as the test says', attempts: 1 }];
  const message = 'the node was not reached';
  return () =>
    Promise.reject(ApplicationFailure.create({ type, message, nonRetryable: !retryable, details }));
}
