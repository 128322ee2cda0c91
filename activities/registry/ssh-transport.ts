/**
 * One visit of a node by the machine's own `ssh`: it says that it is there, sends back a word, and tells whether Drover is
 * installed. The node is given fixed words to carry out; what comes from the registry is told to them, line by line.
 */
import { randomUUID } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import type { SshPlace } from '../../domain/registered-node.js';
import type { RemoteStep } from '../../domain/install.js';
import type { SshEnd, SshVisit } from '../../domain/ssh.js';
import { converse, type Conversation } from '../process/converse.js';
import { READ_SCRIPT, scriptOf } from './install-scripts.js';
import { fileOfKey, sshArguments, UnsafeArgumentError } from './ssh-arguments.js';

/** Which node is visited. */
export type SshTarget = SshPlace & { install_path: string };

/** Reaches nodes. */
export interface SshTransport {
  /** Visits a node; what went wrong there is in the answer. Ends early when `signal` aborts. */
  visit: (target: SshTarget, signal: AbortSignal) => Promise<SshVisit>;
  /** Carries out a step of an installation; what went wrong there is in the answer. Ends early when `signal` aborts. */
  carryOut: (target: SshTarget, order: RemoteOrder, signal: AbortSignal) => Promise<RemoteOutcome>;
}

/** A step, and what its script is told: each value is a line to it. */
export interface RemoteOrder {
  step: RemoteStep;
  values: readonly string[];
  limitMs: number;
}

/** What came of it. */
export interface RemoteOutcome {
  keyReadable: boolean;
  /** What the script says, by name. */
  facts: Readonly<Record<string, string>>;
  /** The last lines of what else was said. */
  lines: readonly string[];
  end: SshEnd;
}

/** How nodes are reached. */
export interface SshTransportOptions {
  /** File of the host keys that are known; without it those of the user and the machine. */
  knownHosts?: string | undefined;
  /** One visit, from its beginning to its end (B-NODE-003). */
  visitLimitMs: number;
}

const GREETING = 'drover-is-here';
/** In `install_path`: what a node worker is started with. */
const NODE_PROGRAM = 'dist/workers/node/main.js';
/** Fixed words: `sh` itself, since the user's shell may be any. */
const VISIT =
  `sh -c 'echo ${GREETING}; ` +
  'IFS= read -r word; printf "%s\\n" "$word"; ' +
  'IFS= read -r folder; case "$folder" in "~/"*) folder="$HOME/${folder#??}";; esac; ' +
  `if test -f "$folder/${NODE_PROGRAM}"; then echo found; else echo missing; fi'`;
/** What `ssh` needs of our environment: no setting of ours, and no secret, is any business of its. */
const ENVIRONMENT = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK'];

/** Reaches nodes by `ssh`. */
export function sshTransport({ knownHosts, visitLimitMs }: SshTransportOptions): SshTransport {
  const use = { knownHosts, connectTimeoutSeconds: Math.max(1, Math.ceil(visitLimitMs / 1_000)) };
  return {
    async visit(target, signal) {
      if (!(await isReadable(fileOfKey(target.ssh_key_path)))) return NOT_MADE;
      const options = { timeoutMs: visitLimitMs, env: environment(), signal };
      const ssh = converse('ssh', sshArguments(target, VISIT, use), options);
      const seen = await lookAround(ssh, target.install_path);
      return { ...seen, keyReadable: true, end: await ssh.end() };
    },
    async carryOut(target, { step, values, limitMs }, signal) {
      if (!(await isReadable(fileOfKey(target.ssh_key_path)))) return { ...NOT_MADE, facts: {}, lines: [] };
      const options = { timeoutMs: limitMs, env: environment(), signal, maxOutputBytes: MOST_OUTPUT_BYTES };
      const ssh = converse('ssh', sshArguments(target, READ_SCRIPT, use), options);
      const [script, word] = [scriptOf(step), randomUUID()];
      ssh.say(String(Buffer.byteLength(script) + 1)); // With the end of its last line.
      ssh.say(script);
      for (const value of [word, target.install_path, ...values]) ssh.say(oneLine(value));
      const heard = await hearAll(ssh, word);
      return { ...heard, keyReadable: true, end: await ssh.end() };
    },
  };
}

/** A build says much; more than this is no build of ours. */
const MOST_OUTPUT_BYTES = 64 * 1_048_576;
/** Lines that are kept of it. */
const KEPT_LINES = 60;

function environment(): Record<string, string | undefined> {
  return { ...Object.fromEntries(ENVIRONMENT.map((name) => [name, process.env[name]])), LC_ALL: 'C' };
}

/** What the script reads line by line must be one. @throws UnsafeArgumentError */
function oneLine(value: string): string {
  if (/[\r\n\0]/.test(value)) throw new UnsafeArgumentError('a value for a node has more than one line');
  return value;
}

/** Everything that is said until the end: what begins with the word of this conversation are facts. */
async function hearAll(ssh: Conversation, word: string): Promise<Pick<RemoteOutcome, 'facts' | 'lines'>> {
  const facts: Record<string, string> = {};
  const lines: string[] = [];
  for (let line = await ssh.hear(); line !== undefined; line = await ssh.hear()) {
    const [said, name = '', ...value] = line.split(' ');
    if (said === word) facts[name] = value.join(' ');
    else lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  }
  return { facts, lines };
}

/** Without its key `ssh` would speak to the node all the same, only to be refused. */
const NOT_MADE: SshVisit = {
  ...{ keyReadable: false, greeted: false, echoed: false, roundTripMs: null, installed: null },
  end: { exitCode: null, timedOut: false, missing: false, stderr: '' },
};

function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

async function lookAround(
  ssh: Conversation,
  installPath: string,
): Promise<Omit<SshVisit, 'end' | 'keyReadable'>> {
  const greeted = await heard(ssh, GREETING);
  if (!greeted) return { greeted, echoed: false, roundTripMs: null, installed: null };
  const word = randomUUID();
  const toldAt = performance.now();
  ssh.say(word);
  const echoed = (await ssh.hear()) === word;
  if (!echoed) return { greeted, echoed, roundTripMs: null, installed: null };
  const roundTripMs = Math.round((performance.now() - toldAt) * 10) / 10;
  ssh.say(installPath);
  const answer = await ssh.hear();
  const installed = answer === 'found' ? true : answer === 'missing' ? false : null;
  return { greeted, echoed, roundTripMs, installed };
}

/** A shell may print a welcome before it does what it was asked to. */
async function heard(ssh: Conversation, wanted: string): Promise<boolean> {
  for (;;) {
    const line = await ssh.hear();
    if (line === undefined || line === wanted) return line === wanted;
  }
}
