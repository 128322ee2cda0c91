/** What preflight decides on, and how its verdicts are put. */
import type { PortRange } from './engine-port.js';
import type { DeviceQuery } from './gpu.js';
import type { TensorSplit } from './hetero-split.js';
import type { PoolFailureType } from './pool-failure.js';

/** A file that the launch names; `problem` says in words why it cannot be used. */
export interface FileFacts {
  path: string;
  problem?: string;
}

/** Everything that the verdict depends on. */
export interface PreflightFacts {
  pool_id: string;
  backend: 'cuda' | 'cpu' | 'metal' | 'vulkan';
  flags: readonly string[];
  /** Where the launch says that the engine listens. */
  host: string;
  device_mask: string | null;
  engine: string;
  tensor_split: TensorSplit;
  env: Readonly<Record<string, string>>;
  binary: FileFacts;
  /** `cacheBytesPerToken`: keys and values of one token over all layers, where the file says so. */
  model: FileFacts & { bytes: number; cacheBytesPerToken?: number };
  /** Context of all slots together. */
  context_tokens: number;
  /** Of `nvcc` and `nvidia-smi`, those on the PATH. */
  gpuTools: readonly string[];
  gpu: DeviceQuery;
  /** Devices that other pools have, by their numbers. */
  takenDevices: readonly string[];
  /** Backends that this node may use. */
  backends: readonly string[];
  ramFreeBytes: number;
  /** Degrees Celsius above which no engine is started on a GPU. */
  gpuMaxCelsius: number;
  /** Memory that a model needs at least where the CPU runs it, by its size. */
  ramFactor: number;
  /** `movable`: a flag names the port, so that the engine can be told another. */
  port: { wanted: number; fixed: boolean; movable: boolean; free: number | undefined; range: PortRange };
}

/** What a refusal rests on, as the contract of nodes names it (nodes-and-workers 11): code, figures, what to do. */
export type PreflightCause = { cause_code: string } & Readonly<Record<string, unknown>>;

/** A failure's type and words; `retryable` where it differs from the type's own. */
export interface PreflightRefusal {
  ok: false;
  type: PoolFailureType;
  message: string;
  cause?: PreflightCause;
  retryable?: boolean;
}

/** Cause of a refusal whose mask names what the node does not have: the caller asked for the wrong thing (B-WPRE-009). */
export const DEVICE_UNKNOWN = 'DEVICE_UNKNOWN';

/** Good to go, or why not. */
export type PreflightVerdict = { ok: true } | PreflightRefusal;

/** Good to go. */
export const OK: PreflightVerdict = { ok: true };

/** What refusals say where a pool may not go on without a GPU. */
export const ENFORCED = 'GPU-only enforcement';

/** Says no. */
export function refuse(type: PoolFailureType, message: string, cause?: PreflightCause): PreflightRefusal {
  return { ok: false, type, message, ...(cause === undefined ? {} : { cause }) };
}
