/** A file of the state folder that cannot be read is kept beside its place: whoever finds it next finds nothing, and goes on. */
import { rename } from 'node:fs/promises';
import type { Logger } from '../telemetry/logger.js';

/**
 * Moves the file to `<path>.unreadable` and says so.
 * @param event - of the log line
 */
export async function setAside(path: string, event: string, log: Pick<Logger, 'error'>): Promise<void> {
  const aside = `${path}.unreadable`;
  await rename(path, aside);
  log.error({ event, path, aside }, 'a file of the state folder cannot be read and was set aside');
}
