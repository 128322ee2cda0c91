/** The node's GPUs: which tools are on the PATH now, and what the driver says when it is asked (B-PREFLIGHT-001..015). */
import type { DeviceQuery } from '../../domain/gpu.js';
import { onPath } from '../process/on-path.js';
import { runTool, type ToolResult } from '../process/run.js';
import { GPU_LIST, GPU_QUERY, parseGpuList, parseGpuQuery } from './nvidia-smi.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** A healthy driver answers in under a second, one whose GPUs sleep in several. */
const QUERY_TIMEOUT_MS = 10_000;

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
  const ask = (question: readonly string[]): Promise<ToolResult> =>
    runTool(nvidiaSmi, question, { timeoutMs: QUERY_TIMEOUT_MS, env: { ...env } });
  const answer = await ask(GPU_QUERY);
  if (!answer.ok) return { problem: problemOf(answer) };
  const { devices, migEnabled } = parseGpuQuery(answer.stdout);
  if (!migEnabled) return { devices };
  const list = await ask(GPU_LIST);
  if (!list.ok) return { problem: problemOf(list) };
  const slices = parseGpuList(list.stdout);
  return { devices: devices.map((gpu) => ({ ...gpu, mig_devices: slices.get(gpu.index) ?? [] })) };
}

/** The tool prints its errors where it prints its answers. */
function problemOf({ stdout, stderr, outcome }: ToolResult): string {
  const said = `${stdout}\n${stderr}`.trim().split('\n')[0] ?? '';
  return said === '' ? outcome : `${outcome}: ${said}`;
}
