/** Activity `removeHandoff`: nobody shall be sent to an engine that is not ready (B-PRELOAD-034, B-PRELOAD-048). */
import type { NodeActivityDeps } from '../deps.js';
import { removeFile } from '../remove-file.js';
import { replicaFiles, type ReplicaKey } from '../replica-files.js';

/** Builds the activity `removeHandoff`. */
export function removeHandoffActivity({ paths }: Pick<NodeActivityDeps, 'paths'>) {
  /** Removes a replica's handoff; one that is not there is no failure. */
  return async function removeHandoff(replica: ReplicaKey): Promise<void> {
    await removeFile(replicaFiles(paths, replica).handoff);
  };
}
