/** One run of the features: Temporal and the stacks, started before the first scenario and gone after the last. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { processesNaming } from '../../testing/processes.js';
import { Models } from './models.js';
import { findTestParts, makeRunFolders, PROGRAMS, type RunFolders, type TestParts } from './places.js';
import { Stacks } from './stacks.js';
import { SPARE_NAMESPACES, startTemporalServer, type TemporalServer } from './temporal-server.js';

/** What `cucumber.mjs` says of a profile. */
export const profileParameters = z.object({
  engine: z.enum(['embedded', 'xllamacpp']).default('embedded'),
  timeSkipping: z.boolean().default(false),
});

/** A run's parameters. */
export type ProfileParameters = z.infer<typeof profileParameters>;

/** All that scenarios share. */
export interface Run {
  parts: TestParts;
  folders: RunFolders;
  temporal: TemporalServer;
  stacks: Stacks;
}

let current: Run | undefined;

/** The run. @throws Error in the profile that has no real stack */
export function theRun(): Run {
  if (current === undefined) throw new Error('this profile has no real stack');
  return current;
}

/** Starts Temporal and the shared stack; `npm run build` must have run. */
export async function startRun({ engine }: ProfileParameters): Promise<void> {
  const missing = Object.values(PROGRAMS).filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`npm run build first: ${missing.join(', ')} is missing`);
  const parts = await findTestParts();
  const folders = await makeRunFolders(engine);
  const temporalPath = parts.DROVER_TEST_TEMPORAL;
  const temporal = await startTemporalServer(temporalPath, folders, 'temporal', SPARE_NAMESPACES);
  try {
    const models = new Models(folders.work, parts.DROVER_TEST_MODEL);
    const xllamacpp = parts.DROVER_TEST_XLLAMACPP;
    const stacks = await Stacks.start({ folders, temporal, temporalPath, models, engine, xllamacpp });
    current = { parts, folders, temporal, stacks };
  } catch (err) {
    await temporal.stop();
    throw err;
  }
}

/**
 * Ends everything.
 * @throws Error naming every process that was left running (B-PDUR-008); they are killed first
 */
export async function endRun(): Promise<void> {
  if (current === undefined) return;
  const { folders, temporal, stacks } = current;
  current = undefined;
  await stacks.endAll();
  await temporal.stop();
  const left = await processesNaming(folders.work);
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  await rm(folders.work, { recursive: true, force: true });
  if (left.length > 0) {
    const list = left.map(({ pid, commandLine }) => `${pid} ${commandLine}`).join('\n');
    throw new Error(`left running after the last scenario:\n${list}`);
  }
}
