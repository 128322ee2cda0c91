/** What control workers do to install a node, and what a failure of it means. */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { RegistryActivities } from '../../activities/registry-activities.js';
import { CONTROL_QUEUE } from '../../domain/identity.js';
import { explained } from './registry-activities.js';

/** Longest of each step: what its script may take, and a margin. */
const LIMITS = {
  planInstall: '10s',
  lookAtTools: '30s',
  fetchSource: '11m',
  buildProgram: '21m',
  verifyProgram: '90s',
  writeNodeSettings: '30s',
  startNodeWorker: '90s',
  awaitNodeReport: '100s',
} as const;

type InstallActivity = keyof typeof LIMITS;

/**
 * One step. A connection that breaks is made again twice, after 1 and 2 s; every step may be carried out again. A cancel waits
 * until the step has ended on the node.
 * @param doing - what operators read
 * @throws ApplicationFailure with the code of the answer
 */
export function installStep<Name extends InstallActivity>(
  name: Name,
  doing: string,
  input: Parameters<RegistryActivities[Name]>[0],
): Promise<Awaited<ReturnType<RegistryActivities[Name]>>> {
  const steps = proxyActivities<Pick<RegistryActivities, InstallActivity>>({
    taskQueue: CONTROL_QUEUE,
    summary: doing,
    startToCloseTimeout: LIMITS[name],
    heartbeatTimeout: '10s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 3 },
  });
  const late = { type: 'NODE_INSTALL_FAILED', message: `it took too long: ${doing}` };
  // A union of functions takes no argument that is known by its name alone.
  const step = steps[name] as (input: unknown) => Promise<Awaited<ReturnType<RegistryActivities[Name]>>>;
  return explained(input.node.node_name, late, () => step(input));
}
