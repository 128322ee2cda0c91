/** The end of the guardian's pipe that `npm start` holds. */
import { bootId } from '../activities/process/process-identity.js';
import { spawnDetached } from '../activities/process/spawn-detached.js';
import { PROGRAMS, type Places } from './places.js';
import type { ProcessRecord } from './stack-record.js';

/** Said by a stack that ended by itself: there is nothing to guard any more. */
export const FAREWELL = 'farewell\n';

/** A guardian on watch. */
export interface Guardian {
  record: ProcessRecord;
  /** Sends it away; to be called when everything has ended. */
  dismiss: () => void;
}

/** Starts a guardian; from here on nothing that the record names outlives this process by more than its grace. */
export async function startGuardian(places: Places): Promise<Guardian> {
  const child = await spawnDetached({
    command: process.execPath,
    args: [PROGRAMS.guardian, places.stateDir],
    env: {},
    cwd: places.stateDir,
    logFile: places.logFile('guardian'),
    stdin: 'pipe',
  });
  const { stdin } = child;
  const record = { name: 'guardian', pid: child.pid, start_ticks: child.startTicks, boot_id: await bootId() };
  stdin?.on('error', () => undefined); // It was killed: the next start cleans up instead.
  return { record, dismiss: () => stdin?.end(FAREWELL) };
}
