/** Who may call what: the roles that keys have (C-186). */

/**
 * `client` submits, reads and cancels tasks and reads the rest; `operator` may besides change pools, catalogue and keys;
 * `node` registers what runs on a GPU node, and nothing else.
 */
export const KEY_ROLES = ['client', 'operator', 'node'] as const;

/** Role of a key. */
export type KeyRole = (typeof KEY_ROLES)[number];

const MAY_CALL: Readonly<Record<KeyRole, readonly KeyRole[]>> = {
  client: ['client'],
  operator: ['client', 'operator'],
  node: ['node'],
};

/** True when a key of this role may call what is there for `needed`. */
export function mayCall(role: KeyRole, needed: KeyRole): boolean {
  return MAY_CALL[role].includes(needed);
}
