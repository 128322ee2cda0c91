/** Who listens on a port: a 200 from somebody else's server says nothing about our engine (B-PRELOAD-017). */
import { readFile } from 'node:fs/promises';
import { findByToken } from './process-identity.js';
import { listProcesses, readSocketInodes } from './process-table.js';

/** `unknown` where the system does not tell: macOS, another network namespace, another user's process. */
export type PortOwner = 'ours' | 'foreign' | 'unknown';

/** State of a listening socket in `/proc/net/tcp`. */
const LISTENING = '0A';

/**
 * Whether the engine's group, or any process that carries its token, listens on the port.
 * @param group - the engine's process group, its leader's pid
 */
export async function portOwner(port: number, group: number, token: string | undefined): Promise<PortOwner> {
  const inodes = new Set(await listeningInodes(port));
  if (inodes.size === 0) return 'unknown';
  const members = (await listProcesses()).filter((entry) => entry.groupId === group);
  if (await holdsOne(members, inodes)) return 'ours';
  // An engine may serve from a child in another group; its environment still tells.
  return token !== undefined && (await holdsOne(await findByToken(token), inodes)) ? 'ours' : 'foreign';
}

async function holdsOne(
  processes: readonly { pid: number }[],
  inodes: ReadonlySet<string>,
): Promise<boolean> {
  const held = await Promise.all(processes.map(({ pid }) => readSocketInodes(pid)));
  return held.some((sockets) => sockets === undefined || sockets.some((inode) => inodes.has(inode)));
}

async function listeningInodes(port: number): Promise<string[]> {
  const tables = await Promise.all(
    ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return tables.flatMap((table) => parseListeners(table, port));
}

/** Inodes of the sockets that listen on `port`, from the text of `/proc/net/tcp` (proc(5)). */
export function parseListeners(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === LISTENING && local.endsWith(suffix) && inode !== undefined ? [inode] : [];
  });
}
