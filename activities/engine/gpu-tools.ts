/** The node's GPUs: which tools are on the PATH now, and what the driver says when it is asked (B-PREFLIGHT-001..015). */
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { DeviceQuery, GpuDevice } from '../../domain/preflight.js';
import { runTool } from '../process/run.js';

type Environment = Readonly<Record<string, string | undefined>>;

const MIB = 1024 * 1024;
/** A healthy driver answers in under a second, one whose GPUs sleep in several. */
const QUERY_TIMEOUT_MS = 10_000;
const QUERY = [
  '--query-gpu=index,name,compute_cap,memory.total,memory.free',
  '--format=csv,noheader,nounits',
];

/** Of `nvcc` and `nvidia-smi`, those that the environment's PATH has, with their paths. */
export async function findGpuTools(env: Environment): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const tool of ['nvcc', 'nvidia-smi']) {
    const path = await onPath(tool, env);
    if (path !== undefined) found.set(tool, path);
  }
  return found;
}

/** Asks the driver for its devices; undefined when only the compiler is there to ask. */
export async function queryDevices(
  tools: ReadonlyMap<string, string>,
  env: Environment,
): Promise<DeviceQuery> {
  const nvidiaSmi = tools.get('nvidia-smi');
  if (nvidiaSmi === undefined) return undefined;
  const result = await runTool(nvidiaSmi, QUERY, { timeoutMs: QUERY_TIMEOUT_MS, env: { ...env } });
  if (!result.ok) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split('\n')[0] ?? '';
    return { problem: said === '' ? result.outcome : `${result.outcome}: ${said}` };
  }
  return { devices: result.stdout.split('\n').flatMap((line) => parseDevice(line) ?? []) };
}

/** One line of the query; sizes come in MiB. */
export function parseDevice(line: string): GpuDevice | undefined {
  const [index, name, capability, total, free] = line.split(',').map((cell) => cell.trim());
  if (index === undefined || name === undefined || capability === undefined || free === undefined)
    return undefined;
  return {
    index,
    name,
    compute_capability: capability,
    vram_total_bytes: Number(total) * MIB,
    vram_free_bytes: Number(free) * MIB,
  };
}

async function onPath(program: string, env: Environment): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')) {
    const path = join(folder, program);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
