/** Installing Drover on a node over SSH: its steps, where it is told to report, and what a step that failed means (B-SSH-009). */
import type { SshFailureCode, SshProblem } from './ssh.js';

/** Steps that are carried out on the node, in their order. */
export const REMOTE_STEPS = ['tools', 'fetch', 'build', 'verify', 'configure', 'start', 'log'] as const;

/** One of them. */
export type RemoteStep = (typeof REMOTE_STEPS)[number];

/** A step of the operation. */
export type InstallStep = 'plan' | 'reach' | Exclude<RemoteStep, 'log'> | 'report';

/** What was asked for, over what is known to the control worker. */
export interface InstallWishes {
  api_url?: string | undefined;
  temporal_address?: string | undefined;
}

/** Whom the node worker will speak to. */
export interface InstallPlan {
  api_url: string;
  temporal_address: string;
}

/** The plan, or the field that lacks, or leads to another machine than is meant. */
export function planInstall(
  asked: InstallWishes,
  known: InstallWishes,
  sshHost: string,
): { ok: true; plan: InstallPlan } | { ok: false; field: keyof InstallWishes; problem: string } {
  const api_url = asked.api_url ?? known.api_url;
  const temporal_address = asked.temporal_address ?? known.temporal_address;
  const lacks = (field: keyof InstallWishes, what: string, setting: string) =>
    ({
      ok: false,
      field,
      problem: `is needed: ${what} (${setting} of the control worker says it, too)`,
    }) as const;
  if (api_url === undefined) return lacks('api_url', 'where the node reaches the API', 'DROVER_API_URL');
  if (temporal_address === undefined)
    return lacks('temporal_address', 'where the node reaches Temporal', 'TEMPORAL_ADDRESS');
  const local = isLoopback(sshHost);
  for (const [field, host] of [
    ['api_url', hostOfUrl(api_url)],
    ['temporal_address', hostOfAddress(temporal_address)],
  ] as const)
    if (isLoopback(host) && !local)
      return {
        ok: false,
        field,
        problem: 'is an address of this machine alone: say how the node reaches it',
      };
  return { ok: true, plan: { api_url, temporal_address } };
}

/** True for names of the machine that one is on. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function hostOfUrl(url: string): string {
  return hostOfAddress(url.replace(/^https?:\/\//, '').replace(/\/.*$/, ''));
}

function hostOfAddress(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** What scripts report as their problem, in words for people; they name nothing of the inside (C-181). */
const PROBLEMS: Readonly<Record<string, string>> = {
  no_git: 'the node has no git; install it there',
  no_node: 'the node has no Node.js on the PATH of SSH sessions; install it there',
  no_npm: 'the node has no npm; install it there',
  old_node: 'the Node.js of the node is too old: Drover needs 20.19 or later',
  occupied: 'install_path is a folder that holds something else; empty it, or name another',
  changed: 'the checkout at install_path has changes of its own; keep or drop them first',
  no_folder: 'the user on the node may not write to install_path',
  clone: 'the repository or its branch could not be fetched on the node',
  packages: 'the packages of Drover could not be installed',
  engine: 'the packages of the embedded engine could not be installed',
  build: 'Drover could not be built',
  no_program: 'after the build there is no node worker that can be started',
  settings: 'the settings of the node worker could not be written',
  start: 'the node worker could not be started',
};

/** How a script on a node ended. */
export interface ScriptEnd {
  /** It has begun. */
  begun: boolean;
  exitCode: number | null;
  timedOut: boolean;
  /** What it says was wrong. */
  problem: string | undefined;
}

/** Why a step failed. */
export interface StepProblem {
  code: SshFailureCode | 'NODE_INSTALL_FAILED';
  reason: string;
  message: string;
  retryable: boolean;
}

/**
 * Judges a script that has begun; undefined where it did what it should.
 * @param unreached - what the connection's own end means where the script had not begun, or broke off
 */
export function judgeScript(
  step: RemoteStep,
  { begun, exitCode, timedOut, problem }: ScriptEnd,
  unreached: () => SshProblem,
): StepProblem | undefined {
  if (begun && exitCode === 0) return undefined;
  const failed = (reason: string, message: string) =>
    ({ code: 'NODE_INSTALL_FAILED', reason, message, retryable: false }) as const;
  if (begun && problem !== undefined)
    return failed(problem, PROBLEMS[problem] ?? `the step "${step}" failed`);
  if (begun && timedOut) return failed('timeout', `the step "${step}" took too long on the node`);
  if (begun && exitCode !== null && exitCode !== SSH_ITSELF)
    return failed('command_failed', `the step "${step}" ended with code ${exitCode} on the node`);
  return unreached();
}

/** The exit code of `ssh` for what it could not do itself, such as to keep the connection. */
const SSH_ITSELF = 255;

/** Lines, and characters of a line, that a failure shows. */
const TAIL_LINES = 30;
const LONGEST_LINE = 300;

/** Words in a line of output after which a secret may stand. */
const SECRET =
  /\b((?:[\w-]*(?:token|secret|password|passwd|api_?key|authorization))\s*[=:]\s*)(?:(?:bearer|basic)\s+)?\S+/gi;
const CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
// eslint-disable-next-line no-control-regex -- these are what a line must not hold
const CONTROL = /\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/**
 * The last lines of an output, for people who may not know all that it holds.
 * @param hidden - what is not to be told, by the name that stands for it
 */
export function outputTail(lines: readonly string[], hidden: Readonly<Record<string, string>>): string {
  // The longer one may hold the shorter.
  const names = Object.entries(hidden).toSorted(([, a], [, b]) => b.length - a.length);
  const told = (line: string) =>
    names
      .filter(([, value]) => value.length > 1)
      .reduce((text, [name, value]) => text.replaceAll(value, `<${name}>`), line.replace(CONTROL, ''))
      .replace(CREDENTIALS, '$1<hidden>@')
      .replace(SECRET, '$1<hidden>')
      .slice(0, LONGEST_LINE);
  return lines.slice(-TAIL_LINES).map(told).join('\n');
}
