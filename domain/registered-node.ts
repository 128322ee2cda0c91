/** Nodes of the registry: how they are called, and what is known of them. */

/**
 * Letters, digits, `-`, `.`, 1 to 253, as names of machines are (B-NODE-017); the ends are no punctuation, so no name is an
 * option. `list` is an address of the registry's own.
 */
export const NODE_NAME_PATTERN = /^(?!list$)[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** `reachable`: the last contact succeeded. `unknown`: nobody has tried what is registered now. `offline`: the last contact failed. */
export const NODE_STATUSES = ['reachable', 'unknown', 'offline'] as const;

/** One of them. */
export type NodeStatus = (typeof NODE_STATUSES)[number];

/** What reaches a node. */
export interface SshPlace {
  ssh_host: string;
  ssh_port: number;
  ssh_user: string;
  ssh_key_path: string;
}

/** True when these changes lead elsewhere than before: what was known of the old place says nothing of the new one. */
export function leadsElsewhere(before: SshPlace, changes: Partial<SshPlace>): boolean {
  const fields = ['ssh_host', 'ssh_port', 'ssh_user', 'ssh_key_path'] as const;
  return fields.some((field) => changes[field] !== undefined && changes[field] !== before[field]);
}
