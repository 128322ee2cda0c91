/** Spawn records: what was spawned, so that a later worker can prove which process is ours (design §3). */
import { readFile } from 'node:fs/promises';
import { spawnRecord, type SpawnRecord } from '../../contracts/handoff.js';
import { writeAtomically } from '../write-atomically.js';

/** Writes a record, readable by its owner alone: it holds the engine's environment. */
export async function writeSpawnRecord(path: string, record: SpawnRecord): Promise<void> {
  await writeAtomically(path, `${JSON.stringify(record, null, 2)}\n`);
}

/** The record at `path`; undefined when there is none, or none that can be read: what proves nothing is nothing. */
export async function readSpawnRecord(path: string): Promise<SpawnRecord | undefined> {
  try {
    return spawnRecord.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
