/**
 * What `nvidia-smi` says, read: the CSV of `--query-gpu`, whose header names the columns, and the list of `-L`, the only
 * one that names MIG slices. A cell without a value (`[N/A]`, `[Unknown Error]`, `[GPU is lost]`) is null, never 0.
 */
import type { GpuDevice } from '../../domain/gpu.js';

/** The question, units included in the answer. */
export const GPU_QUERY = [
  '--query-gpu=index,uuid,name,compute_cap,memory.total,memory.free,temperature.gpu,mig.mode.current',
  '--format=csv',
] as const;

/** The list of GPUs and their slices. */
export const GPU_LIST = ['-L'] as const;

const UNIT_BYTES: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** The GPUs of a query's CSV, without their slices, and whether one of them is cut up. */
export function parseGpuQuery(csv: string): { devices: GpuDevice[]; migEnabled: boolean } {
  const [header = '', ...lines] = csv.split('\n');
  const columns = cellsOf(header).map((title) => {
    const [, name = title, unit] = /^(\S+)(?: \[(\w+)\])?$/.exec(title) ?? [];
    return { name, unit };
  });
  const rows = lines.map((line) => {
    const cells = cellsOf(line);
    // A line of another shape is an error message about one GPU; that GPU is then not listed.
    return cells.length === columns.length
      ? new Map(columns.map(({ name, unit }, at) => [name, { text: cells[at] ?? '', unit }]))
      : undefined;
  });
  const found = rows.flatMap((row) => (row === undefined ? [] : (deviceOf(row) ?? [])));
  return {
    devices: found,
    migEnabled: rows.some((row) => row?.get('mig.mode.current')?.text === 'Enabled'),
  };
}

/** Names of the MIG slices by the index of their GPU. */
export function parseGpuList(list: string): Map<string, string[]> {
  const slices = new Map<string, string[]>();
  let index: string | undefined;
  for (const line of list.split('\n')) {
    index = /^GPU (\d+):/.exec(line)?.[1] ?? index;
    const slice = /^\s+MIG .*\(UUID: (MIG-[^)\s]+)\)/.exec(line)?.[1];
    if (index === undefined || slice === undefined) continue;
    slices.set(index, [...(slices.get(index) ?? []), slice]);
  }
  return slices;
}

type Row = ReadonlyMap<string, { text: string; unit: string | undefined }>;

function deviceOf(row: Row): GpuDevice | undefined {
  const index = row.get('index')?.text ?? '';
  if (!/^\d+$/.test(index)) return undefined;
  return {
    index,
    uuid: valueOf(row, 'uuid'),
    name: valueOf(row, 'name') ?? 'unknown',
    compute_capability: valueOf(row, 'compute_cap'),
    vram_total_bytes: bytesOf(row, 'memory.total'),
    vram_free_bytes: bytesOf(row, 'memory.free'),
    temperature_celsius: numberOf(row, 'temperature.gpu'),
    mig_devices: [],
  };
}

function valueOf(row: Row, name: string): string | null {
  const text = row.get(name)?.text ?? '';
  return text === '' || text === 'N/A' || text.startsWith('[') ? null : text;
}

/** Whole degrees, without a unit. */
function numberOf(row: Row, name: string): number | null {
  const text = valueOf(row, name) ?? '';
  return /^-?\d+$/.test(text) ? Number(text) : null;
}

function bytesOf(row: Row, name: string): number | null {
  const [, figure, own] = /^(\d+)(?: (\w+))?$/.exec(valueOf(row, name) ?? '') ?? [];
  const factor = UNIT_BYTES[own ?? row.get(name)?.unit ?? ''];
  return figure === undefined || factor === undefined ? null : Number(figure) * factor;
}

function cellsOf(line: string): string[] {
  return line.split(',').map((cell) => cell.trim());
}
