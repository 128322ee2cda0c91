/**
 * `stack.json` in the state folder: which processes `npm start` runs now, each named by pid **and** start time, so that
 * a later start or the guardian ends exactly those and never a stranger that got a pid again. Whoever creates the file
 * owns the stack.
 *
 *     (no file) ──claim──> starting ──all up──> up ──stopped──> (no file)
 *                             └── owner killed: the guardian, or the next start, ends what is recorded ──> (no file)
 */
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { bootId, processStartTicks } from '../activities/process/process-identity.js';
import { errorCode } from './error-code.js';

/** A file that cannot be read is being written; longer than this its writer was killed in between. */
const HALF_WRITTEN_MS = 2_000;
/** Between two looks at a file that is being written. */
const LOOK_AGAIN_MS = 50;

/** A process, so that it can be told from a later one with its pid. */
export const processRecord = z.object({
  name: z.string(),
  pid: z.int().positive(),
  start_ticks: z.string(),
  boot_id: z.string(),
});

/** Process record's type. */
export type ProcessRecord = z.infer<typeof processRecord>;

/** Where a running stack answers. */
export const stackUrls = z.object({
  api: z.string(),
  temporal: z.string(),
  temporal_ui: z.string().nullable(),
});

/** Stack URLs' type. */
export type StackUrls = z.infer<typeof stackUrls>;

/** What runs now. */
export const stackRecord = z.object({
  phase: z.enum(['starting', 'up']),
  owner: processRecord,
  guardian: processRecord.nullable(),
  urls: stackUrls.nullable(),
  processes: z.array(processRecord).meta({ description: 'in the order in which they are ended' }),
});

/** Stack record's type. */
export type StackRecord = z.infer<typeof stackRecord>;

/** Names a process that runs now; undefined when it is gone already. */
export async function identify(name: string, pid: number): Promise<ProcessRecord | undefined> {
  const startTicks = await processStartTicks(pid);
  return startTicks === undefined
    ? undefined
    : { name, pid, start_ticks: startTicks, boot_id: await bootId() };
}

/** True while the very process that was recorded runs. */
export async function isRunning(record: ProcessRecord): Promise<boolean> {
  return record.boot_id === (await bootId()) && record.start_ticks === (await processStartTicks(record.pid));
}

/**
 * Creates the record unless there is one.
 * @returns false when another start holds it
 */
export async function claimStack(path: string, record: StackRecord): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(record, null, 2));
    await file.close();
    return true;
  } catch (err) {
    if (errorCode(err) === 'EEXIST') return false;
    throw err;
  }
}

/** Replaces the record; a reader sees the old or the new one. */
export async function writeStack(path: string, record: StackRecord): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  await writeFile(aside, JSON.stringify(record, null, 2), { mode: 0o600 });
  await rename(aside, path);
}

/** Reads the record; `undefined` when there is none, `'unreadable'` when it stays half written. */
export async function readStack(path: string): Promise<StackRecord | 'unreadable' | undefined> {
  const giveUpAt = Date.now() + HALF_WRITTEN_MS;
  for (;;) {
    const text = await readFile(path, 'utf8').catch((err: unknown) => {
      if (errorCode(err) === 'ENOENT') return undefined;
      throw err;
    });
    if (text === undefined) return undefined;
    const parsed = stackRecord.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    if (Date.now() > giveUpAt) return 'unreadable';
    await pause(LOOK_AGAIN_MS);
  }
}

/** Removes a record whose owner is gone, or sets one aside that says nothing; that of another start that was faster stays. */
export async function removeStack(path: string, expected: StackRecord | 'unreadable'): Promise<void> {
  const aside = `${path}.${process.pid}.old`;
  try {
    await rename(path, aside);
  } catch (err) {
    if (errorCode(err) === 'ENOENT') return;
    throw err;
  }
  const moved = stackRecord.safeParse(parseJson(await readFile(aside, 'utf8')));
  const same =
    expected === 'unreadable' ? !moved.success : moved.data?.owner.start_ticks === expected.owner.start_ticks;
  if (same && expected === 'unreadable') await rename(aside, `${path}.unreadable`);
  else if (same) await rm(aside, { force: true });
  else await rename(aside, path);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Half written.
  }
}
