/**
 * Preflight: what was found on the node goes in, a verdict comes out. GPU-only unless the pool itself declares another
 * backend; never a silent fallback to the CPU (OC-POOL-3012, pool-lifecycle 2).
 */
import { gpusOfMask, maskProblem } from './device-mask.js';
import type { DeviceQuery, GpuDevice } from './gpu.js';
import { planSplit, staysOnOneGpu, type SplitVerdict, type TensorSplit } from './hetero-split.js';
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
  /** Backends that this node may use. */
  backends: readonly string[];
  ramFreeBytes: number;
  /** Memory that a model needs at least where the CPU runs it, by its size. */
  ramFactor: number;
  /** `movable`: a flag names the port, so that the engine can be told another. */
  port: { wanted: number; fixed: boolean; movable: boolean; free: number | undefined };
}

/** What a refusal rests on, as the contract of nodes names it (nodes-and-workers 11): code, figures, what to do. */
export type PreflightCause = { cause_code: string } & Readonly<Record<string, unknown>>;

/** Good to go, or the failure's type and words; `retryable` where it differs from the type's own. */
export type PreflightVerdict =
  | { ok: true }
  | { ok: false; type: PoolFailureType; message: string; cause?: PreflightCause; retryable?: boolean };

/** Ports tried from the wanted one upward (B-PREFLIGHT-023). */
export const PORT_TRIES = 200;
/** How engines call it: `--port`, `--http-port`. */
const PORT_FLAG = /^--?(?:[a-z]+-)*port$/;
/** How engines call the address that they listen on: `--host`, `--hostname`, `--http-address`. */
const HOST_FLAG = /^--(?:host(?:name)?|http-address)$/;
/** Weights and compute buffers. A rule of thumb, checked once: 600 MB estimated for 180 of weights and 384 of cache, 550 measured. */
const BUFFER_FACTOR = 1.2;
/** Flags that keep layers or the cache off the GPU, and the values with which they do (B-PROV-008, C-044). */
const CPU_ONLY: Record<string, readonly string[]> = {
  '--n-gpu-layers': ['0'],
  '--gpu-layers': ['0'],
  '-ngl': ['0'],
  '--device': ['none'],
  '-dev': ['none'],
  '--no-kv-offload': [],
  '-nkvo': [],
};

/** The checks in the order in which an operator would mend them. */
const CHECKS: readonly ((facts: PreflightFacts) => PreflightVerdict)[] = [
  checkHost,
  checkBinary,
  checkModel,
  checkBackend,
  checkGpuTools,
  checkDevices,
  checkFlags,
  checkVram,
  checkRam,
  checkPort,
];

/** The first failed check's verdict. */
export function judgePreflight(facts: PreflightFacts): PreflightVerdict {
  for (const check of CHECKS) {
    const verdict = check(facts);
    if (!verdict.ok) return verdict;
  }
  return OK;
}

/** The ports to try, the wanted one first. A fixed port has no second. */
export function portCandidates(wanted: number, fixed: boolean): number[] {
  const count = fixed ? 1 : Math.min(PORT_TRIES, 65_536 - wanted);
  return Array.from({ length: count }, (_, step) => wanted + step);
}

/** What of a launch names its port: the number itself, and the flag that tells the engine. */
export interface PortBinding {
  port: number;
  flags: readonly string[];
}

/**
 * The launch on another port, `--port` and its like following; undefined when no flag names the port, for then the
 * engine would go on listening where it was.
 */
export function moveToPort<T extends PortBinding>(launch: T, port: number): T | undefined {
  if (port === launch.port) return launch;
  const from = String(launch.port);
  const flags = launch.flags.map((flag, at) => {
    if (flag === from && PORT_FLAG.test(launch.flags[at - 1] ?? '')) return String(port);
    const [name = '', value] = flag.split('=', 2);
    return value === from && PORT_FLAG.test(name) ? `${name}=${port}` : flag;
  });
  const isNamed = flags.some((flag, at) => flag !== launch.flags[at]);
  return isNamed ? { ...launch, port, flags } : undefined;
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

const OK: PreflightVerdict = { ok: true };
const ENFORCED = 'GPU-only enforcement';

function refuse(type: PoolFailureType, message: string, cause?: PreflightCause): PreflightVerdict {
  return { ok: false, type, message, ...(cause === undefined ? {} : { cause }) };
}

const MIB = 1024 ** 2;

function inMib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}

/** The engine is told where to listen twice; the address that others are told must be the one (B-SEC-013). */
function checkHost({ host, flags }: PreflightFacts): PreflightVerdict {
  for (const [at, flag] of flags.entries()) {
    const [name = '', inline] = flag.split('=', 2);
    if (!HOST_FLAG.test(name)) continue;
    const value = inline ?? flags[at + 1] ?? '';
    if (value !== host) {
      const message = `flags: ${name} ${value} is not the host of the launch, ${host}; name the same address in both`;
      return refuse('INVALID_PARAMS', message);
    }
  }
  return OK;
}

function checkBinary({ binary: { path, problem } }: PreflightFacts): PreflightVerdict {
  if (problem === undefined) return OK;
  const isMissing = problem.startsWith('ENOENT');
  return refuse('SpawnFailed', `binary_path ${path}: ${problem}`, {
    cause_code: isMissing ? 'WORKER_BINARY_NOT_FOUND' : 'SPAWN_FAILED',
    binary_path: path,
    suggested_action: isMissing
      ? 'install the engine on the node, or name where it is'
      : 'name a program that the user of the engines may run (chmod +x)',
  });
}

function checkModel({ model: { path, problem } }: PreflightFacts): PreflightVerdict {
  if (problem === undefined) return OK;
  const cause_code = problem.startsWith('ENOENT') ? 'MODEL_NOT_FOUND' : 'MODEL_CORRUPTED';
  return refuse('ModelUnavailable', `model_path ${path}: ${problem}`, { cause_code });
}

function checkBackend({ backend, backends }: PreflightFacts): PreflightVerdict {
  if (backends.length === 0) {
    const message = 'the node may use no backend at all (DROVER_NODE_BACKENDS)';
    return refuse('GpuRequired', message, { cause_code: 'NO_BACKENDS_AVAILABLE' });
  }
  if (backends.includes(backend)) return OK;
  const message = `the node has no backend "${backend}"; it has ${backends.join(', ')}`;
  return refuse('GpuRequired', message, {
    cause_code: 'BACKEND_UNAVAILABLE',
    requested: backend,
    available: backends,
  });
}

function checkGpuTools({ backend, gpuTools }: PreflightFacts): PreflightVerdict {
  if (backend !== 'cuda' || gpuTools.length > 0) return OK;
  return refuse(
    'GpuRequired',
    `${ENFORCED}: nvcc/nvidia-smi not found on the PATH; ` +
      'a pool runs without a GPU only when it declares backend "cpu" itself',
    {
      cause_code: 'BACKEND_UNAVAILABLE',
      requested: backend,
      suggested_action: "install NVIDIA's driver, or ask for another backend",
    },
  );
}

function checkDevices({ backend, gpu, device_mask }: PreflightFacts): PreflightVerdict {
  if (backend !== 'cuda') return OK;
  if (gpu !== undefined && 'problem' in gpu) return refuse('GpuRequired', `${ENFORCED}: ${gpu.problem}`);
  if (gpu?.devices.length === 0) return refuse('GpuRequired', `${ENFORCED}: the driver lists no device`);
  const problem = device_mask === null ? undefined : maskProblem(device_mask, gpu?.devices);
  return problem === undefined ? OK : refuse('GpuRequired', `${ENFORCED}: ${problem}`);
}

function checkFlags({ backend, flags }: PreflightFacts): PreflightVerdict {
  if (backend !== 'cuda') return OK;
  for (const [at, flag] of flags.entries()) {
    const [name = '', inline] = flag.split('=', 2);
    const values = CPU_ONLY[name];
    if (values === undefined) continue;
    const value = inline ?? flags[at + 1] ?? '';
    if (values.length > 0 && !values.includes(value)) continue;
    const shown = values.length === 0 ? name : `${name} ${value}`;
    return refuse('GpuRequired', `${ENFORCED}: flag ${shown} keeps work off the GPU`);
  }
  return OK;
}

function checkVram(facts: PreflightFacts): PreflightVerdict {
  if (facts.tensor_split !== null) {
    const split = splitOf(facts);
    if (!split.ok) return refuse('InsufficientVram', split.problem);
  }
  const visible = visibleGpus(facts);
  const available = freeBytes(visible);
  if (available === undefined) return OK;
  const required = estimateMemoryBytes(facts);
  if (required <= available) return OK;
  const devices = visible.map(({ index }) => index).join(',');
  const others =
    gpusAllowed(facts).length > visible.length ? '; tensor_split "auto" spreads it over a mask' : '';
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

/** The whole GPUs that the engine will use; none where nobody knows. */
function visibleGpus(facts: PreflightFacts): readonly GpuDevice[] {
  const allowed = gpusAllowed(facts);
  return staysOnOneGpu(facts) ? allowed.slice(0, 1) : allowed;
}

function gpusAllowed({ backend, gpu, device_mask }: PreflightFacts): readonly GpuDevice[] {
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

function checkRam(facts: PreflightFacts): PreflightVerdict {
  const { backend, model, ramFactor, ramFreeBytes } = facts;
  if (backend !== 'cpu' && backend !== 'metal') return OK; // On a GPU the file is mapped, not held.
  if (model.bytes === 0)
    return refuse('ModelUnavailable', 'the size of the model is unknown, so what it needs cannot be checked');
  const required = Math.max(Math.ceil(model.bytes * ramFactor), estimateMemoryBytes(facts));
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

function checkPort({ port }: PreflightFacts): PreflightVerdict {
  if (port.free !== undefined) return OK;
  const message = port.fixed
    ? `port ${port.wanted} is taken, and port_fixed allows no other`
    : port.movable
      ? `no port is free from ${port.wanted} on (${PORT_TRIES} tries)`
      : `port ${port.wanted} is taken, and no flag names it, so the engine cannot be given another`;
  const cause = { cause_code: 'PORT_BIND_FAILED', port: port.wanted };
  return { ok: false, type: 'SpawnFailed', message, cause, retryable: true }; // Whoever has it may end.
}
