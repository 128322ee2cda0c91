/**
 * One model over several GPUs of unequal memory: which part of it each of them holds. Always asked for (B-HETERO-006).
 * A part counts weights and cache alike, since llama.cpp splits both by layer, and no part is larger than what its GPU has
 * free: the smallest GPU caps its own, and what it cannot hold goes to those that can (OC-POOL-3021).
 */
import { gpusOfMask, maskedDevices } from './device-mask.js';
import type { GpuDevice } from './gpu.js';

/** `auto` goes by free memory; numbers are parts in the order of the mask; null asks for no split. */
export type TensorSplit = 'auto' | readonly number[] | null;

/** What one GPU of a split holds. */
export interface SplitPart {
  device: string;
  ratio: number;
  weights_bytes: number;
  /** Cache of all slots, as far as this GPU holds it. */
  kv_bytes: number;
  free_bytes: number;
}

/** A split that fits. */
export interface SplitPlan {
  /** In the order of the mask. */
  parts: SplitPart[];
  /** The parts were asked for in other proportions, which the smallest GPU could not hold (B-HETERO-004). */
  capped: boolean;
}

/** What a model needs altogether. */
export interface ModelNeed {
  /** Weights and buffers. */
  weights_bytes: number;
  kv_bytes: number;
}

/** The plan, or why there is none. */
export type SplitVerdict = { ok: true; plan: SplitPlan | null } | { ok: false; problem: string };

/** How far the sum of given ratios may be from 1 (B-HETERO-002). */
const RATIO_TOLERANCE = 1e-6;
const SPLIT_FLAGS = ['--tensor-split', '-ts'];
/** How else a launch says which GPUs llama.cpp shall use. */
const SPREAD_FLAGS = [...SPLIT_FLAGS, '--split-mode', '-sm', '--main-gpu', '-mg'];
const SPREAD_VARIABLES = ['LLAMA_ARG_TENSOR_SPLIT', 'LLAMA_ARG_SPLIT_MODE', 'LLAMA_ARG_MAIN_GPU'];

/** What a launch says of its split. */
export interface SplitWish {
  engine: string;
  tensor_split: TensorSplit;
  flags: readonly string[];
}

/** Variables that keep llama.cpp on one GPU; a flag of its own overrules them. By itself it spreads over all it sees. */
export const ONE_GPU = { LLAMA_ARG_SPLIT_MODE: 'none' };

/** True when nothing was asked, so that the engine is kept on the first GPU that it sees (B-HETERO-006). */
export function staysOnOneGpu({
  engine,
  tensor_split,
  flags,
  env,
}: SplitWish & { env: Readonly<Record<string, string>> }): boolean {
  if (engine !== 'llamacpp' || tensor_split !== null) return false;
  return !hasFlag(flags, SPREAD_FLAGS) && !SPREAD_VARIABLES.some((name) => Object.hasOwn(env, name));
}

/**
 * What is wrong with a wish for a split, whatever the GPUs have: no mask to name their order, a wrong count, a part that is
 * not positive, a sum that is not 1 (B-HETERO-009).
 * @returns undefined when nothing is
 */
export function splitWishProblem(
  wish: SplitWish & { device_mask: string | null; split_plan: SplitPlan | null },
): string | undefined {
  const { engine, tensor_split: split, device_mask, flags, split_plan } = wish;
  if (split === null) return undefined;
  if (engine !== 'llamacpp') return `an engine of the kind ${engine} is told its split by flags of its own`;
  if (device_mask === null) return 'a split needs a device_mask, which says the order of its parts';
  if (split_plan === null && hasFlag(flags, SPLIT_FLAGS)) return 'the flags have a --tensor-split already';
  if (split === 'auto') return undefined;
  const count = maskedDevices(device_mask).length;
  if (split.length !== count)
    return `${split.length} ratios for the ${count} devices of the mask "${device_mask}"`;
  const wrong = split.find((ratio) => !(ratio > 0));
  if (wrong !== undefined) return `the ratio ${wrong} is not above 0`;
  const sum = split.reduce((total, ratio) => total + ratio, 0);
  return Math.abs(sum - 1) <= RATIO_TOLERANCE ? undefined : `the ratios add up to ${sum}, not to 1`;
}

/** Plans a split over the GPUs of a mask; the wish has passed {@link splitWishProblem}. */
export function planSplit(
  split: TensorSplit,
  mask: string | null,
  devices: readonly GpuDevice[],
  need: ModelNeed,
): SplitVerdict {
  if (split === null || mask === null) return { ok: true, plan: null };
  const names = maskedDevices(mask);
  if (names.length < 2) return { ok: true, plan: null }; // One GPU holds all of it.
  const gpus = gpusOfMask(mask, devices);
  const free = gpus.map(({ vram_free_bytes }) => vram_free_bytes);
  const known = free.filter((bytes) => bytes !== null);
  if (known.length < names.length)
    return { ok: false, problem: `no split over "${mask}": not every device of it tells its free memory` };

  const total = need.weights_bytes + need.kv_bytes;
  const room = known.reduce((sum, bytes) => sum + bytes, 0);
  if (total > room) return { ok: false, problem: figures(gpus, total, room) };
  const wanted = split === 'auto' ? known.map((bytes) => bytes / room) : [...split];
  const caps = known.map((bytes) => bytes / total);
  const ratios = capped(wanted, caps);
  const parts = ratios.map((ratio, at) => ({
    device: gpus[at]?.index ?? '',
    ratio,
    weights_bytes: Math.floor(need.weights_bytes * ratio),
    kv_bytes: Math.floor(need.kv_bytes * ratio),
    free_bytes: known[at] ?? 0,
  }));
  const empty = parts.find(({ ratio }) => !(ratio > 0));
  if (empty !== undefined)
    return { ok: false, problem: `no split over "${mask}": device ${empty.device} has nothing free` };
  return { ok: true, plan: { parts, capped: ratios.some((ratio, at) => ratio !== wanted[at]) } };
}

/** What of a launch its plan changes. */
interface SplitLaunch {
  flags: readonly string[];
  split_plan: SplitPlan | null;
}

/**
 * The launch with this plan instead of the one that it had: kept beside it, and told to llama.cpp in the order of the mask
 * (B-HETERO-007, B-HETERO-010).
 */
export function withSplit<T extends SplitLaunch>(
  launch: T,
  split_plan: SplitPlan | null,
): T & { flags: string[] } {
  const before = splitFlags(launch.split_plan).length;
  const flags = launch.flags.slice(0, launch.flags.length - before);
  return { ...launch, flags: [...flags, ...splitFlags(split_plan)], split_plan };
}

function splitFlags(plan: SplitPlan | null): string[] {
  return plan === null ? [] : ['--tensor-split', plan.parts.map(({ ratio }) => String(ratio)).join(',')];
}

function hasFlag(flags: readonly string[], names: readonly string[]): boolean {
  return flags.some((flag) => names.includes(flag.split('=', 1)[0] ?? ''));
}

/** The ratios, none above its cap: what one cannot hold goes to the others in proportion. The caps add up to 1 or more. */
function capped(wanted: readonly number[], caps: readonly number[]): number[] {
  const ratios = [...wanted];
  const full = new Set<number>();
  for (;;) {
    const over = ratios.flatMap((ratio, at) => (ratio > (caps[at] ?? 0) && !full.has(at) ? [at] : []));
    if (over.length === 0) return ratios;
    for (const at of over) full.add(at);
    const open = wanted.flatMap((ratio, at) => (full.has(at) ? [] : [{ at, ratio }]));
    const held = [...full].reduce((sum, at) => sum + (caps[at] ?? 0), 0);
    const share = open.reduce((sum, { ratio }) => sum + ratio, 0);
    for (const at of full) ratios[at] = caps[at] ?? 0;
    for (const { at, ratio } of open) ratios[at] = ((1 - held) * ratio) / share;
  }
}

/** The refusal of a model that is too large: what it needs, and what each GPU could hold, the smallest named first. */
function figures(gpus: readonly GpuDevice[], required: number, available: number): string {
  const bySize = gpus.toSorted((a, b) => (a.vram_free_bytes ?? 0) - (b.vram_free_bytes ?? 0));
  const each = bySize.map(({ index, vram_free_bytes }) => `${index} has ${vram_free_bytes ?? 0}`).join(', ');
  return `the model needs about ${required} bytes of GPU memory (required), devices ${each}, together ${available} (available)`;
}
