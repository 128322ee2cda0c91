/** The audit log of a process that keeps one: API and node worker. */
import { join } from 'node:path';
import type { Settings } from '../contracts/settings.js';
import { noAudit, openAuditLog, type AuditLog } from '../security/audit/audit-log.js';
import type { Logger } from '../telemetry/logger.js';
import { StartError } from './run-process.js';

/** In the state folder. */
const FOLDER = 'audit';

/**
 * Opens the log that the settings name.
 * @param kind - of the process, and name of its chain
 * @throws StartError that says what to set when the folder cannot be written
 */
export async function openProcessAudit(kind: string, settings: Settings, log: Logger): Promise<AuditLog> {
  const {
    DROVER_AUDIT_LOG: named,
    DROVER_STATE_DIR: stateDir,
    DROVER_AUDIT_LIMIT_BYTES: keptBytes,
  } = settings;
  if (named === 'off') return noAudit;
  const folder = named ?? join(stateDir, FOLDER);
  try {
    return await openAuditLog({ folder, kind, log, keptBytes, now: Date.now });
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    throw new StartError(
      `The audit log in ${folder} cannot be written (${why}). Set DROVER_AUDIT_LOG to a folder of your own, or to "off".`,
      { cause: err },
    );
  }
}
