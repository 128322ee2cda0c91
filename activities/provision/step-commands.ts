/** The programs that a step runs, one after the other, and what of our environment they see (B-PROV-010). */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { EngineProvisioning } from '../../contracts/provisioning.js';
import {
  archiveTools,
  buildFlags,
  nameOf,
  PACKAGE_MANAGER,
  type EngineTarget,
  type ProvisionStep,
} from '../../domain/engine-provision.js';
import type { EngineFolder } from './engine-folder.js';

/** One program. */
export interface StepCommand {
  command: string;
  args: readonly string[];
}

/** What a step works on. */
export interface StepPlace {
  step: ProvisionStep;
  provisioning: EngineProvisioning;
  target: EngineTarget;
  folder: EngineFolder;
  /** For `package-install`. */
  packages: readonly string[];
}

/** What downloads go through; a build has no use for it. */
const NETWORK = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
];
/** Another installation may be at it. */
const LOCK_WAIT_S = 120;

/** The programs of a step. */
export function commandsOf({ step, provisioning, target, folder, packages }: StepPlace): StepCommand[] {
  if (step === 'package-install') return installCommands(packages);
  if (provisioning.mode === 'binary')
    return step === 'unpack' ? unpackCommands(provisioning.url, folder) : [];
  if (provisioning.mode !== 'source') return [];
  const { source, build } = folder;
  if (step === 'git-clone') return cloneCommands(provisioning, source);
  if (step === 'cmake-configure') {
    const flags = buildFlags(provisioning, target);
    return [{ command: 'cmake', args: ['-S', source, '-B', build, ...flags] }];
  }
  const what = provisioning.target === undefined ? [] : ['--target', provisioning.target];
  const jobs = String(availableParallelism());
  const args = ['--build', build, '--config', 'Release', '--parallel', jobs, ...what];
  return [{ command: 'cmake', args }];
}

/** One commit, whether a branch, a tag or the commit itself names it. */
function cloneCommands(
  { repository, ref }: { repository: string; ref: string },
  source: string,
): StepCommand[] {
  const git = (...args: string[]): StepCommand => ({ command: 'git', args });
  return [
    git('init', '--quiet', source),
    git('-C', source, 'fetch', '--quiet', '--no-tags', '--depth', '1', repository, ref),
    git('-C', source, 'checkout', '--quiet', '--detach', 'FETCH_HEAD'),
    git('-C', source, 'submodule', 'update', '--quiet', '--init', '--recursive', '--depth', '1'),
  ];
}

/** Its folder is made by whoever fills it. */
function unpackCommands(url: string, { files, unpacked }: EngineFolder): StepCommand[] {
  const archive = join(files, nameOf(url));
  const unpack =
    archiveTools(url)?.includes('unzip') === true
      ? { command: 'unzip', args: ['-q', archive, '-d', unpacked] }
      : { command: 'tar', args: ['-xf', archive, '-C', unpacked, '--no-same-owner'] };
  return [{ command: 'mkdir', args: [unpacked] }, unpack];
}

function installCommands(packages: readonly string[]): StepCommand[] {
  const apt = (...args: string[]): StepCommand => ({ command: PACKAGE_MANAGER, args });
  const patiently = ['-o', `DPkg::Lock::Timeout=${LOCK_WAIT_S}`];
  return [
    apt(...patiently, '--quiet', 'update'),
    apt(...patiently, '--quiet', '--yes', '--no-install-recommends', 'install', ...packages),
  ];
}

/** All that a step's programs see of our environment, which holds what is nobody's business. */
export function stepEnvironment(
  step: ProvisionStep,
  { work }: EngineFolder,
  worker: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const taken = ['PATH', ...(step === 'git-clone' || step === 'package-install' ? NETWORK : [])];
  const known = taken.flatMap((name): [string, string][] => {
    const value = worker[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(known),
    ...{ HOME: work, TMPDIR: join(work, 'tmp'), LANG: 'C.UTF-8' },
    ...(step === 'git-clone' ? { GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'https:ssh:file' } : {}),
    ...(step === 'package-install' ? { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } : {}),
  };
}
