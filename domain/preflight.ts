/**
 * Preflight: what was found on the node goes in, a verdict comes out. GPU-only unless the pool itself declares another
 * backend; never a silent fallback to the CPU (OC-POOL-3012, pool-lifecycle 2).
 */
import { deviceNames, maskProblem } from './device-mask.js';
import { PORT_TRIES } from './engine-port.js';
import { POOL_FAILURES } from './pool-failure.js';
import { DEVICE_UNKNOWN, ENFORCED, OK, refuse } from './preflight-facts.js';
import type { PreflightFacts, PreflightRefusal, PreflightVerdict } from './preflight-facts.js';
import { checkRam, checkTemperature, checkVram } from './preflight-memory.js';

type Check = (facts: PreflightFacts) => PreflightVerdict;

/** How engines call the address that they listen on: `--host`, `--hostname`, `--http-address`. */
const HOST_FLAG = /^--(?:host(?:name)?|http-address)$/;
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

/**
 * The checks in the order in which an operator would mend them. One that comes after others says nothing where one of those
 * has failed: of a model that is not there nobody knows what it needs, and of a device that is not there nothing at all.
 */
const CHECKS: readonly { check: Check; after?: readonly Check[] }[] = [
  { check: checkHost },
  { check: checkBinary },
  { check: checkModel },
  { check: checkBackend },
  { check: checkGpuTools },
  { check: checkDevices },
  { check: checkFlags },
  { check: checkVram, after: [checkModel, checkDevices] },
  { check: checkTemperature, after: [checkDevices] },
  { check: checkRam, after: [checkModel] },
  { check: checkPort },
];

/** All that is wrong, in one verdict: its type and figures are those of the first check that failed (B-WPRE-016). */
export function judgePreflight(facts: PreflightFacts): PreflightVerdict {
  const refusals = CHECKS.flatMap(({ check, after = [] }) => {
    const verdict = after.every((other) => other(facts).ok) ? check(facts) : OK;
    return verdict.ok ? [] : [verdict];
  });
  const [first, ...others] = refusals;
  if (first === undefined) return OK;
  return others.length === 0 ? first : together(first, refusals);
}

/** Another try helps when everything that is wrong may pass. */
function together(first: PreflightRefusal, refusals: readonly PreflightRefusal[]): PreflightRefusal {
  const reasons = refusals.map(({ type, message, cause }) => ({ cause_code: type, ...cause, message }));
  return {
    ...first,
    message: refusals.map(({ message }) => message).join('; '),
    cause: { cause_code: first.type, ...first.cause, reasons },
    retryable: refusals.every(({ type, retryable }) => retryable ?? POOL_FAILURES[type].retryable),
  };
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
  if (problem === undefined) return OK;
  return refuse('GpuRequired', `${ENFORCED}: ${problem}`, {
    cause_code: DEVICE_UNKNOWN,
    ...{ requested: device_mask, available: deviceNames(gpu?.devices ?? []) },
  });
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

function checkPort({ port }: PreflightFacts): PreflightVerdict {
  if (port.free !== undefined) return OK;
  const message = port.fixed
    ? `port ${port.wanted} is taken, and port_fixed allows no other`
    : port.movable
      ? `no port is free from ${port.wanted} on (${PORT_TRIES} tries), nor may engines go beyond ${port.range.first}-${port.range.last}`
      : `port ${port.wanted} is taken, and no flag names it, so the engine cannot be given another`;
  const cause = { cause_code: 'PORT_BIND_FAILED', port: port.wanted };
  return { ok: false, type: 'SpawnFailed', message, cause, retryable: true }; // Whoever has it may end.
}
