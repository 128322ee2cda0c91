/** What an engine needs of memory and of its GPUs, against what was measured. */
import { gpusOfMask } from './device-mask.js';
import type { GpuDevice } from './gpu.js';
import { planSplit, staysOnOneGpu, type SplitVerdict } from './hetero-split.js';
import { OK, refuse, type PreflightFacts, type PreflightVerdict } from './preflight-facts.js';

/** Weights and compute buffers. A rule of thumb, checked once: 600 MB estimated for 180 of weights and 384 of cache, 550 measured. */
const BUFFER_FACTOR = 1.2;
const MIB = 1024 ** 2;
/** How else than by a mask a launch names the GPU that it wants. */
const DEVICE_FLAGS = ['--device', '-dev'];
const DEVICE_VARIABLES = ['CUDA_VISIBLE_DEVICES', 'LLAMA_ARG_DEVICE'];

/** Whole mebibytes, rounded up: what is needed. */
function inMib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}

/**
 * Memory that an engine needs, roughly: the weights, a fifth of them for buffers, and the cache of every slot. Where the
 * model does not say how large its cache is, only the first two: a promise that it will not load with less.
 */
export function estimateMemoryBytes(facts: Pick<PreflightFacts, 'model' | 'context_tokens'>): number {
  const { weights_bytes, kv_bytes } = needOf(facts);
  return weights_bytes + kv_bytes;
}

/** How the model is spread over the GPUs of its mask; no plan where none was asked for (domain/hetero-split.ts). */
export function splitOf(facts: PreflightFacts): SplitVerdict {
  const { gpu, tensor_split, device_mask } = facts;
  if (tensor_split === null) return { ok: true, plan: null };
  const devices = gpu !== undefined && 'devices' in gpu ? gpu.devices : [];
  return planSplit(tensor_split, device_mask, devices, needOf(facts));
}

function needOf({ model, context_tokens }: Pick<PreflightFacts, 'model' | 'context_tokens'>) {
  return {
    weights_bytes: Math.ceil(model.bytes * BUFFER_FACTOR),
    kv_bytes: Math.ceil((model.cacheBytesPerToken ?? 0) * context_tokens),
  };
}

/** Whether the model fits the GPUs that it will use. */
export function checkVram(facts: PreflightFacts): PreflightVerdict {
  if (facts.tensor_split !== null) {
    const split = splitOf(facts);
    if (!split.ok) return refuse('InsufficientVram', split.problem);
  }
  const visible = usedGpus(facts);
  const available = freeBytes(visible);
  if (available === undefined) return OK;
  const required = estimateMemoryBytes(facts);
  if (required <= available) return OK;
  const devices = visible.map(({ index }) => index).join(',');
  const others =
    allowedGpus(facts).length > visible.length ? '; tensor_split "auto" spreads it over a mask' : '';
  return refuse(
    'InsufficientVram',
    `the model needs about ${required} bytes of GPU memory (required), device ${devices} has ${available} (available)${others}`,
    {
      cause_code: 'VRAM_EXHAUSTED',
      ...{ required_mb: inMib(required), available_mb: Math.floor(available / MIB), device: devices },
      suggested_action: 'take a smaller quantisation or context, or free the device',
    },
  );
}

/** Whether the GPUs that it will use are cool enough to take more work; one that does not tell is. */
export function checkTemperature(facts: PreflightFacts): PreflightVerdict {
  const { gpuMaxCelsius: limit_celsius } = facts;
  const hot = usedGpus(facts).find((gpu) => isHot(gpu, facts));
  if (hot === undefined) return OK;
  const { index: device, temperature_celsius } = hot;
  const message = `device ${device} has ${temperature_celsius} °C, above the ${limit_celsius} °C up to which an engine is started on it`;
  return refuse('GpuTooHot', message, {
    cause_code: 'GPU_TOO_HOT',
    ...{ temperature_celsius, limit_celsius, device },
    suggested_action: 'wait until it has cooled down, and look to its cooling; or take another device',
  });
}

/**
 * The GPU of an engine that stays on one, where the launch names none: of those that have room, are cool and are no other
 * pool's, the one with the most free memory. Undefined where there is nothing to choose by, or none will do.
 */
export function chosenGpu(facts: PreflightFacts): GpuDevice | undefined {
  const best = roomiestGpu(facts);
  return best !== undefined && willDo(best, facts) ? best : undefined;
}

/** Where nobody names one, the best that there is: when not even that will do, the refusal has its figures. */
function roomiestGpu(facts: PreflightFacts): GpuDevice | undefined {
  if (namesDevice(facts) || !staysOnOneGpu(facts)) return undefined;
  // A GPU that is cut up is used by its slices, and those are named.
  const whole = allowedGpus(facts).filter(
    ({ vram_free_bytes, mig_devices }) => vram_free_bytes !== null && mig_devices.length === 0,
  );
  const merits = (gpu: GpuDevice) => [
    Number(willDo(gpu, facts)),
    Number(!facts.takenDevices.includes(gpu.index)),
    gpu.vram_free_bytes ?? 0,
  ];
  return whole.toSorted((a, b) => firstDifference(merits(b), merits(a)))[0];
}

function namesDevice({ device_mask, flags, env }: PreflightFacts): boolean {
  const isNamed = flags.some((flag) => DEVICE_FLAGS.includes(flag.split('=', 1)[0] ?? ''));
  return device_mask !== null || isNamed || DEVICE_VARIABLES.some((name) => Object.hasOwn(env, name));
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  return a.map((merit, at) => merit - (b[at] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function willDo(gpu: GpuDevice, facts: PreflightFacts): boolean {
  return estimateMemoryBytes(facts) <= (gpu.vram_free_bytes ?? 0) && !isHot(gpu, facts);
}

function isHot({ temperature_celsius }: GpuDevice, { gpuMaxCelsius }: PreflightFacts): boolean {
  return temperature_celsius !== null && temperature_celsius > gpuMaxCelsius;
}

/** The whole GPUs that the engine will use; none where nobody knows. */
function usedGpus(facts: PreflightFacts): readonly GpuDevice[] {
  const allowed = allowedGpus(facts);
  if (!staysOnOneGpu(facts)) return allowed;
  const best = roomiestGpu(facts);
  return best === undefined ? allowed.slice(0, 1) : [best];
}

function allowedGpus({ backend, gpu, device_mask }: PreflightFacts): readonly GpuDevice[] {
  if (backend !== 'cuda' || gpu === undefined || 'problem' in gpu) return [];
  return device_mask === null ? gpu.devices : gpusOfMask(device_mask, gpu.devices);
}

/** Undefined where one does not tell, or only MIG slices are seen, which the driver's list does not size. */
function freeBytes(gpus: readonly GpuDevice[]): number | undefined {
  if (gpus.length === 0) return undefined;
  let sum = 0;
  for (const { vram_free_bytes } of gpus) {
    if (vram_free_bytes === null) return undefined;
    sum += vram_free_bytes;
  }
  return sum;
}

/** Whether the model fits the memory of the machine, where that holds it. */
export function checkRam(facts: PreflightFacts): PreflightVerdict {
  const { model, ramFactor, ramFreeBytes } = facts;
  const required = ramNeedBytes(facts);
  if (required === null) return OK;
  if (model.bytes === 0)
    return refuse('ModelUnavailable', 'the size of the model is unknown, so what it needs cannot be checked');
  if (required <= ramFreeBytes) return OK;
  return refuse(
    'InsufficientRam',
    `the model needs about ${required} bytes of memory (required), the node has ${ramFreeBytes} (available)`,
    {
      cause_code: 'INSUFFICIENT_RAM',
      ...{ available_mb: Math.floor(ramFreeBytes / MIB), required_mb: inMib(required) },
      ...{ model_size_mb: inMib(model.bytes), multiplier: ramFactor },
      suggested_action: 'close other programs, or take a smaller quantisation or context',
    },
  );
}

/** Memory of the machine that the engine needs; null on a GPU, where the file is mapped, not held. */
export function ramNeedBytes(facts: PreflightFacts): number | null {
  const { backend, model, ramFactor } = facts;
  if (backend !== 'cpu' && backend !== 'metal') return null;
  return Math.max(Math.ceil(model.bytes * ramFactor), estimateMemoryBytes(facts));
}
