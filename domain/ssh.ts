/**
 * What one visit of a node by SSH means: what was seen, and the verdict (nodes-and-workers 1, "SSH preflight"). Messages name
 * neither host nor path, since clients read them (C-181).
 */

/** What was seen of a node. */
export interface SshVisit {
  /** False: the file of the key cannot be read here, so nobody was visited. */
  keyReadable: boolean;
  /** The node has begun to carry out what it was asked to. */
  greeted: boolean;
  /** It sent back the word that it was told. */
  echoed: boolean;
  /** How long the word took there and back; null where it did not come back. */
  roundTripMs: number | null;
  /** Whether Drover's node program is where it should be; null where nothing was said about it. */
  installed: boolean | null;
  /** How `ssh` ended. */
  end: SshEnd;
}

/** How `ssh` ended. */
export interface SshEnd {
  /** The remote command's own, or 255 for what `ssh` itself could not do. */
  exitCode: number | null;
  /** Its time was over. */
  timedOut: boolean;
  /** There is no `ssh` program. */
  missing: boolean;
  stderr: string;
}

/** Codes of failed visits. */
export type SshFailureCode = 'SSH_TIMEOUT' | 'SSH_CONNECTION_FAILED' | 'SSH_COMMAND_FAILED';

/** Why a visit failed. */
export interface SshProblem {
  code: SshFailureCode;
  /** What it was, for programs. */
  reason: string;
  /** What it was and what to do about it, for people. */
  message: string;
  /** The same again may succeed. */
  retryable: boolean;
}

/** The verdict on a visit. */
export type SshVerdict =
  { ok: true; roundTripMs: number; slow: boolean; installed: boolean } | { ok: false; problem: SshProblem };

/** A round trip above it is worth a warning (B-SSH-003). */
export const SLOW_ROUND_TRIP_MS = 100;
/** The exit code of `ssh` for what it could not do itself. */
const SSH_ITSELF = 255;
/** A shell's exit code for a command that it does not find. */
const NOT_FOUND = 127;

const KEY_ADVICE =
  'it must be readable by the control worker alone (chmod 600), and its public half must be in authorized_keys of the user on the node';

/** What `ssh` says of itself, the more telling words first: it goes on after the first of them, and ends with the last. */
const SAID: readonly (SshProblem & { words: RegExp })[] = [
  {
    words: /REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY/,
    code: 'SSH_CONNECTION_FAILED',
    reason: 'host_key_changed',
    message:
      'the node shows another host key than the one that is known: it was set up anew, or somebody is in between; ask whoever runs it, and only then exchange the known one (ssh-keygen -R, ssh-keyscan)',
    retryable: false,
  },
  {
    words: /Host key verification failed|host key is known for/,
    code: 'SSH_CONNECTION_FAILED',
    reason: 'host_key_unknown',
    message:
      'the host key of the node is not known: fetch it (ssh-keyscan), compare its fingerprint with the one on the node (ssh-keygen -lf), and add it to known_hosts of the control worker',
    retryable: false,
  },
  {
    words: /Permission denied|Too many authentication failures|No supported authentication methods/,
    code: 'SSH_CONNECTION_FAILED',
    reason: 'key_refused',
    message: `the node refused the key; ${KEY_ADVICE}`,
    retryable: false,
  },
  {
    words: /timed out/i,
    code: 'SSH_TIMEOUT',
    reason: 'timeout',
    message:
      'the node did not answer by SSH in time; is it up, and does a firewall let port and host through?',
    retryable: true,
  },
  {
    words: /Could not resolve hostname/,
    code: 'SSH_CONNECTION_FAILED',
    reason: 'host_not_found',
    message: 'the name of the host leads nowhere from the control worker',
    retryable: true,
  },
  {
    words: /Connection refused/,
    code: 'SSH_CONNECTION_FAILED',
    reason: 'connection_refused',
    message: 'nobody takes SSH connections on that port of the host; does its SSH server run?',
    retryable: true,
  },
];

const CONNECTION_FAILED: SshProblem = {
  code: 'SSH_CONNECTION_FAILED',
  reason: 'connection_failed',
  message: 'the SSH connection failed',
  retryable: true,
};
const TIMEOUT = SAID.find(({ reason }) => reason === 'timeout') ?? CONNECTION_FAILED;

/** Judges a visit. */
export function judgeVisit(visit: SshVisit): SshVerdict {
  const problem = problemOf(visit);
  if (problem !== undefined) return { ok: false, problem };
  const roundTripMs = visit.roundTripMs ?? 0;
  const installed = visit.installed === true;
  return { ok: true, roundTripMs, slow: roundTripMs > SLOW_ROUND_TRIP_MS, installed };
}

function problemOf({ keyReadable, greeted, echoed, installed, end }: SshVisit): SshProblem | undefined {
  if (!keyReadable) {
    const message = `the file of the key is not there, or the control worker may not read it; ${KEY_ADVICE}`;
    return { code: 'SSH_CONNECTION_FAILED', reason: 'key_unreadable', message, retryable: false };
  }
  if (end.missing) {
    const message = 'the control worker has no ssh program on its PATH; install an OpenSSH client there';
    return { code: 'SSH_CONNECTION_FAILED', reason: 'no_ssh', message, retryable: false };
  }
  if (end.timedOut) return told(TIMEOUT);
  if (end.exitCode === null) return CONNECTION_FAILED;
  if (end.exitCode === SSH_ITSELF) {
    // What the node itself wrote comes the same way: once it was spoken to, its words prove nothing.
    const said = greeted ? undefined : SAID.find(({ words }) => words.test(end.stderr));
    return said === undefined ? CONNECTION_FAILED : told(said);
  }
  if (end.exitCode === 0 && greeted && echoed && installed !== null) return undefined;
  return commandFailed(end.exitCode);
}

function told({ code, reason, message, retryable }: SshProblem): SshProblem {
  return { code, reason, message, retryable };
}

function commandFailed(exitCode: number): SshProblem {
  const [reason, message] =
    exitCode === NOT_FOUND
      ? [
          'command_not_found',
          'the node does not find the command that it was given; has its user a POSIX shell?',
        ]
      : exitCode === 0
        ? [
            'unexpected_output',
            'the node did not send back the word that it was told; is its user bound to another command?',
          ]
        : ['command_failed', `the command on the node ended with code ${exitCode}`];
  return { code: 'SSH_COMMAND_FAILED', reason, message, retryable: false };
}
