/** The mark of a drain on disk: a node worker that starts in the middle of one takes no new work either (B-DRAIN-012). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drainMarkFileName } from '../../domain/identity.js';
import type { NodePaths } from '../deps.js';
import { removeFile } from '../remove-file.js';
import { writeAtomically } from '../write-atomically.js';

function markOf({ runtimeDir }: NodePaths, poolId: string): string {
  return join(runtimeDir, drainMarkFileName(poolId));
}

/** Marks a pool in the folder of the registry, which is there; one that is marked keeps its mark. */
export async function writeDrainMark(paths: NodePaths, poolId: string, atMs: number): Promise<void> {
  if (isMarkedDraining(paths, poolId)) return;
  await writeAtomically(
    markOf(paths, poolId),
    `${JSON.stringify({ pool_id: poolId, marked_at_ms: atMs })}\n`,
  );
}

/** Takes the mark away; one that is not there is no failure. */
export function removeDrainMark(paths: NodePaths, poolId: string): Promise<void> {
  return removeFile(markOf(paths, poolId));
}

/** True while the pool is marked. */
export function isMarkedDraining(paths: NodePaths, poolId: string): boolean {
  return existsSync(markOf(paths, poolId));
}
