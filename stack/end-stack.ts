/**
 * Ends what a stack's record names, in order, and the engines that its node worker's spawn records name: used by a
 * regular end, by the guardian after the death of `npm start`, and by the next start.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId } from '../activities/process/process-identity.js';
import { stopGroup } from '../activities/process/stop-group.js';
import { spawnRecord } from '../contracts/handoff.js';
import { parseJson } from '../domain/json.js';
import { errorCode } from './error-code.js';
import { isRunning, type ProcessRecord } from './stack-record.js';

/** A process of the stack, by the order in which they are ended: doors first, what they stand on last. */
export const END_ORDER = ['api', 'control', 'node', 'temporal'] as const;

/** Name of one of the stack's processes. */
export type StackProcessName = (typeof END_ORDER)[number];

/**
 * Time between SIGTERM and SIGKILL. API: its requests' end; node: the engines' own ladder (5 s each, together) and the
 * workers' shutdown; Temporal: its database's last commit.
 */
const GRACE_MS: Record<string, number> = { api: 15_000, control: 15_000, node: 30_000, temporal: 10_000 };
/** For an engine whose node worker is gone: it holds no state. */
const ENGINE_GRACE_MS = 5_000;

/** How to end. */
export interface EndOptions {
  /** Folder of the node worker's spawn records. */
  nodeDir: string;
  /** Aborted when nobody wants to wait any longer: SIGKILL at once. */
  force?: AbortSignal;
  /** Told about each process that had to be killed. */
  onForced?: (name: string) => void;
}

/**
 * Ends the recorded processes that still are the recorded ones, then leftover engines, then Temporal.
 * @returns names of what was running
 */
export async function endStack(processes: readonly ProcessRecord[], options: EndOptions): Promise<string[]> {
  const ours = inEndOrder(processes.filter((record) => record.name !== 'temporal'));
  const temporal = processes.filter((record) => record.name === 'temporal');
  const ended: string[] = [];
  for (const record of ours) if (await endProcess(record, options)) ended.push(record.name);
  const engines = await recordedEngines(options.nodeDir);
  const stopped = await Promise.all(engines.map((record) => endProcess(record, options)));
  ended.push(...engines.filter((_, index) => stopped[index]).map(({ name }) => name));
  for (const record of temporal) if (await endProcess(record, options)) ended.push(record.name);
  return ended;
}

function inEndOrder(processes: readonly ProcessRecord[]): ProcessRecord[] {
  const order: readonly string[] = END_ORDER;
  return processes.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** Ends one process group if its leader is the recorded process; true when there was something to end. */
async function endProcess(record: Ending, { force, onForced }: EndOptions): Promise<boolean> {
  if (record.token === undefined && !(await isRunning(record))) return false;
  const group = { pid: record.pid, startTicks: record.start_ticks };
  const target = record.token === undefined ? group : { ...group, token: record.token };
  const graceMs = force?.aborted === true ? 0 : (GRACE_MS[record.name] ?? ENGINE_GRACE_MS);
  const wasRunning = await isRunning(record);
  const results = [stopGroup({ ...target, graceMs })];
  if (force !== undefined && !force.aborted) {
    results.push(aborted(force).then(() => stopGroup({ ...target, graceMs: 0 })));
  }
  const { forced } = await Promise.race(results);
  if (forced) onForced?.(record.name);
  return wasRunning || forced;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** What is to be ended; an engine's token proves its group even when its leader has gone before its children. */
type Ending = ProcessRecord & { token?: string };

/** Engines that the node worker's spawn records name, since the machine was started. */
async function recordedEngines(nodeDir: string): Promise<Ending[]> {
  const names = await readdir(nodeDir).catch((err: unknown) => {
    if (errorCode(err) === 'ENOENT') return [];
    throw err;
  });
  const found: Ending[] = [];
  for (const name of names.filter((entry) => entry.endsWith('.spawn.json'))) {
    const record = await readSpawnRecord(join(nodeDir, name));
    if (record !== undefined) found.push(record);
  }
  return found;
}

async function readSpawnRecord(path: string): Promise<Ending | undefined> {
  const parsed = spawnRecord.safeParse(await readFile(path, 'utf8').then(parseJson, () => undefined));
  if (!parsed.success) return undefined; // Removed meanwhile, or not ours: nothing to prove a process by.
  const { pid, started_ticks, boot_id, pool_id, replica_id, token } = parsed.data;
  if (boot_id !== (await bootId())) return undefined;
  return { name: `engine ${pool_id}/${replica_id}`, pid, start_ticks: started_ticks, boot_id, token };
}
