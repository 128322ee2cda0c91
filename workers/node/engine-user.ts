/** Whom engines run as: what a model file can talk an engine into it should not do as root (B-SEC-001, B-SEC-014). */
import type { Settings } from '../../contracts/settings.js';
import type { Logger } from '../../telemetry/logger.js';
import { StartError } from '../run-process.js';

type UserSettings = Pick<Settings, 'DROVER_NODE_ENGINE_USER' | 'DROVER_NODE_ROOT_ENGINES'>;

/**
 * The user for engines; null where they run as the worker does.
 * @param uid - whom the worker runs as; undefined where the system has no users
 * @throws StartError when only root could do what is set, and when root is refused
 */
export function engineUser(
  { DROVER_NODE_ENGINE_USER: wanted, DROVER_NODE_ROOT_ENGINES: policy }: UserSettings,
  log: Logger,
  uid = process.getuid?.(),
): { uid: number; gid: number } | null {
  if (wanted !== undefined) {
    if (uid === 0) return wanted;
    if (uid === wanted.uid) return null;
    throw new StartError(
      'DROVER_NODE_ENGINE_USER names another user, and only root can start engines as one',
    );
  }
  if (uid !== 0) return null;
  const advice = 'set DROVER_NODE_ENGINE_USER to a user without privileges, or run the node worker as one';
  if (policy === 'refuse') throw new StartError(`engines would run as root; ${advice}`);
  log.warn({ event: 'engines_run_as_root' }, `engines run as root: ${advice}`);
  return null;
}
