/**
 * `installNode`: brings Drover to a registered node over SSH and starts its node worker there (B-SSH-009): plan → reach → tools →
 * fetch → build → verify → configure → start → report. The API starts it under the id `node:<name>:install`, and who asks
 * meanwhile follows the same. It ends when the API has heard of the node, or fails with the step and the last words of what was
 * carried out; every step may be repeated, so the whole may be started again.
 */
import type { InstallNodeInput, NodeInstalled } from '../contracts/node-install.js';
import type { InstallStep } from '../domain/install.js';
import { installStep } from './parts/install-activities.js';
import { Progress } from './parts/progress.js';
import { noteContact, visit } from './parts/registry-activities.js';

/** Installs one node; see the module. */
export async function installNode({ node, order }: InstallNodeInput): Promise<NodeInstalled> {
  const { node_name } = node;
  const progress = new Progress<InstallStep>('install', 'plan', { node_name });
  /** Tells of a step and does it. */
  const next = <T>(step: InstallStep, doing: string, work: (doing: string) => Promise<T>): Promise<T> => {
    progress.enter(step, doing);
    return work(doing);
  };
  const plan = await next('plan', 'settling where the node will report', (doing) =>
    installStep('planInstall', doing, { node, order }),
  );
  await next('reach', 'reaching the node by SSH', () => visit(node));
  await noteContact(node_name, true);
  await next('tools', 'looking for git, Node.js and npm', (doing) =>
    installStep('lookAtTools', doing, { node }),
  );
  const { commit } = await next('fetch', 'fetching the source', (doing) =>
    installStep('fetchSource', doing, { node }),
  );
  await next('build', 'installing packages and building', (doing) =>
    installStep('buildProgram', doing, { node }),
  );
  const { version } = await next('verify', 'verifying the program', (doing) =>
    installStep('verifyProgram', doing, { node }),
  );
  await next('configure', 'writing its settings', (doing) =>
    installStep('writeNodeSettings', doing, { node, order, plan }),
  );
  const { worker, heard_ms } = await next('start', 'starting the node worker', (doing) =>
    installStep('startNodeWorker', doing, { node }),
  );
  await next('report', 'waiting for its report', (doing) =>
    installStep('awaitNodeReport', doing, { node, heard_ms }),
  );
  progress.finish(`installed: ${version} at ${commit.slice(0, 12)}, node worker ${worker}`);
  return { node_name, commit, version, worker };
}
