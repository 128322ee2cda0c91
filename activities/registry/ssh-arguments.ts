/** The arguments of `ssh`: a list, never a shell's line. What comes from the registry stands in places where it can be nothing else. */
import { homedir } from 'node:os';
import type { SshPlace } from '../../domain/registered-node.js';

/** How `ssh` is used. */
export interface SshUse {
  /** File of the host keys that are known; without it those of the user and the machine. */
  knownHosts?: string | undefined;
  /** For connection and handshake, in whole seconds. */
  connectTimeoutSeconds: number;
}

/** A value that `ssh` would read as one of its options; the registry's own rules let none in. */
export class UnsafeArgumentError extends Error {
  override readonly name = 'UnsafeArgumentError';
}

/**
 * Arguments that carry out `command` on a node. No file of configuration is read, nothing is asked, no key is tried but the
 * one that is registered, and no host key is taken on trust (B-SSH-007, B-SSH-008).
 * @param command - fixed words: the node's shell reads them
 * @throws UnsafeArgumentError
 */
export function sshArguments(place: SshPlace, command: string, use: SshUse): string[] {
  const { ssh_host, ssh_port, ssh_user, ssh_key_path } = place;
  for (const value of [ssh_host, ssh_user, ssh_key_path])
    if (value === '' || value.startsWith('-') || /[\s"'%$\\]/.test(value))
      throw new UnsafeArgumentError('a value of the registry cannot be given to ssh');
  const options: Record<string, string> = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    IdentitiesOnly: 'yes',
    PreferredAuthentications: 'publickey',
    ConnectTimeout: String(use.connectTimeoutSeconds),
    ...(use.knownHosts === undefined ? {} : { UserKnownHostsFile: quotedFile(use.knownHosts) }),
  };
  return [
    ...['-F', 'none', '-T', '-a', '-x'],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['-i', fileOfKey(ssh_key_path)],
    ...['-l', ssh_user, '-p', String(ssh_port)],
    ...['--', ssh_host, command],
  ];
}

/** As `ssh` reads a file's name in an option: blanks divide several, and `%` stands for something else. */
function quotedFile(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

/** Where a key is on this machine: `~` is what the user of this process calls home. */
export function fileOfKey(path: string): string {
  return path.startsWith('~/') ? `${homedir()}${path.slice(1)}` : path;
}
