import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { preparedEngine } from '../contracts/pool.js';
import type { GpuDevice } from './gpu.js';
import { judgePreflight } from './preflight.js';
import type { PreflightFacts } from './preflight-facts.js';
import { chosenGpu, estimateMemoryBytes } from './preflight-memory.js';

const GIB = 1024 ** 3;
const RANGE = { first: 8_001, last: 65_535 };

const gpu0: GpuDevice = {
  index: '0',
  uuid: null,
  name: 'NVIDIA H100',
  compute_capability: '9.0',
  vram_total_bytes: 80 * GIB,
  vram_free_bytes: 70 * GIB,
  temperature_celsius: 34,
  mig_devices: [],
};
const gpu1: GpuDevice = { ...gpu0, index: '1', vram_free_bytes: 2 * GIB };

function facts(changes: Partial<PreflightFacts> = {}): PreflightFacts {
  return {
    pool_id: 'gpu-0',
    backend: 'cuda',
    flags: ['--model', '/m.gguf', '--port', '8001'],
    host: '127.0.0.1',
    device_mask: null,
    engine: 'llamacpp',
    tensor_split: null,
    env: {},
    binary: { path: '/opt/llama-server' },
    model: { path: '/m.gguf', bytes: 4 * GIB },
    context_tokens: 8_192,
    gpuTools: ['nvidia-smi'],
    gpu: { devices: [gpu0, gpu1] },
    backends: ['cuda', 'cpu', 'metal', 'vulkan'],
    takenDevices: [],
    gpuMaxCelsius: 80,
    ramFreeBytes: 16 * GIB,
    ramFactor: 1.5,
    port: { wanted: 8001, fixed: false, movable: true, free: 8001, range: RANGE },
    ...changes,
  };
}

function refusalOf(changes: Partial<PreflightFacts>) {
  const verdict = judgePreflight(facts(changes));
  assert.ok(!verdict.ok, 'preflight passed');
  return verdict;
}

describe('preflight', () => {
  test('B-PREFLIGHT-010: a node with CUDA passes, asked by its driver or known by its compiler alone', () => {
    assert.deepEqual(judgePreflight(facts()), { ok: true });
    assert.deepEqual(judgePreflight(facts({ gpuTools: ['nvcc'], gpu: undefined })), { ok: true });
  });

  test('B-SEC-013: an engine listens on the host of its launch, which is loopback unless somebody says otherwise', () => {
    for (const flags of [['--host', '0.0.0.0'], ['--host=0.0.0.0'], ['--hostname', '::'], ['--host']]) {
      const verdict = refusalOf({ flags });
      assert.equal(verdict.type, 'INVALID_PARAMS');
      assert.match(verdict.message, /^flags: --host(name)? .* is not the host of the launch, 127\.0\.0\.1/);
    }
    assert.deepEqual(judgePreflight(facts({ flags: ['--host', '127.0.0.1'] })), { ok: true });
    assert.deepEqual(judgePreflight(facts({ flags: ['--host=10.0.0.7'], host: '10.0.0.7' })), { ok: true });
    const { pool_id } = facts();
    const launch = {
      pool_id,
      engine_version: 'b1',
      binary_path: '/b',
      port: 1,
      model_path: '/m',
      model_ref: 'm',
    };
    assert.equal(preparedEngine.parse({ ...launch, slots_total: 1, ctx_max: 1 }).host, '127.0.0.1');
  });

  test('B-PREFLIGHT-011 B-PREFLIGHT-012 B-PREFLIGHT-013: without CUDA a GPU pool is refused, and told what is missing', () => {
    const verdict = refusalOf({ gpuTools: [], gpu: undefined });
    assert.equal(verdict.type, 'GpuRequired');
    assert.match(verdict.message, /GPU-only enforcement/);
    assert.match(verdict.message, /nvcc\/nvidia-smi not found/);
  });

  test('B-PREFLIGHT-014: a driver that fails, or lists no device, is no GPU', () => {
    const broken = refusalOf({ gpu: { problem: 'nvidia-smi ended with code 9: NVML mismatch' } });
    assert.equal(broken.type, 'GpuRequired');
    assert.match(broken.message, /NVML mismatch/);
    assert.match(refusalOf({ gpu: { devices: [] } }).message, /no device/);
  });

  test('B-DEVICE-003 B-DEVICE-004: a mask that names an unknown device is refused with the known ones', () => {
    const verdict = refusalOf({ device_mask: '0,5' });
    assert.equal(verdict.type, 'GpuRequired');
    assert.match(verdict.message, /"5".*0 \(NVIDIA H100\), 1 \(NVIDIA H100\)/);
    assert.deepEqual(verdict.cause, {
      cause_code: 'DEVICE_UNKNOWN',
      ...{ requested: '0,5', available: ['0', '1'] },
    });
    assert.deepEqual(judgePreflight(facts({ device_mask: '0,GPU1' })), { ok: true });
    assert.match(
      refusalOf({ device_mask: '0,', gpuTools: ['nvcc'], gpu: undefined }).message,
      /item 2 is empty/,
    );
  });

  test('B-DEVICE-016: a MIG slice passes when it was discovered, and its size is left to the engine', () => {
    const sliced = { devices: [{ ...gpu0, mig_devices: ['MIG-1c2e'], vram_free_bytes: 0 }] };
    assert.deepEqual(judgePreflight(facts({ device_mask: 'MIG-1c2e', gpu: sliced })), { ok: true });
    assert.match(
      refusalOf({ device_mask: 'MIG-9999', gpu: sliced }).message,
      /"MIG-9999" is unknown.*MIG-1c2e/,
    );
  });

  for (const flags of [
    ['--n-gpu-layers', '0'],
    ['--n-gpu-layers=0'],
    ['-ngl', '0'],
    ['--device', 'none'],
    ['--no-kv-offload', '--port', '8001'],
  ]) {
    test(`B-PREFLIGHT-018 B-PROV-008: "${flags.join(' ')}" is refused in a GPU pool and accepted where the CPU was declared`, () => {
      assert.equal(refusalOf({ flags }).type, 'GpuRequired');
      assert.deepEqual(judgePreflight(facts({ flags, backend: 'cpu' })), { ok: true });
    });
  }

  test('a GPU pool may say how many layers go to the GPU', () => {
    assert.deepEqual(judgePreflight(facts({ flags: ['--n-gpu-layers', '99', '--device', 'CUDA0'] })), {
      ok: true,
    });
  });

  for (const backend of ['cpu', 'metal'] as const) {
    test(`B-PREFLIGHT-019: backend "${backend}" needs no CUDA when the pool itself declares it`, () => {
      assert.deepEqual(judgePreflight(facts({ backend, gpuTools: [], gpu: undefined })), { ok: true });
    });
  }

  test('B-PREFLIGHT-016 B-DEVICE-011: a model too large for the mask is refused with the figures, though another GPU had room', () => {
    const verdict = refusalOf({ device_mask: 'GPU1' });
    assert.equal(verdict.type, 'InsufficientVram');
    assert.match(verdict.message, new RegExp(`${Math.ceil(4 * GIB * 1.2)} bytes.*device 1 has ${2 * GIB}`));
    assert.deepEqual(judgePreflight(facts({ device_mask: '0' })), { ok: true });
  });

  test('a GPU that does not tell its memory is no reason to refuse', () => {
    const silent = { ...gpu0, vram_total_bytes: null, vram_free_bytes: null };
    assert.deepEqual(judgePreflight(facts({ gpu: { devices: [silent] } })), { ok: true });
  });

  test('B-PREFLIGHT-017: a model too large for the host is refused with the figures where the CPU runs it', () => {
    const verdict = refusalOf({ backend: 'cpu', ramFreeBytes: 4 * GIB });
    assert.equal(verdict.type, 'InsufficientRam');
    assert.match(verdict.message, new RegExp(`${4 * GIB * 1.5} bytes.*has ${4 * GIB}`));
    assert.deepEqual(judgePreflight(facts({ ramFreeBytes: 4 * GIB })), { ok: true });
  });

  test('B-WPRE-001, B-WPRE-002, B-WPRE-003: the CPU needs one and a half times the model, or as often as is set; a refusal has the figures', () => {
    const onCpu = (ramFreeBytes: number, more: Partial<PreflightFacts> = {}) =>
      judgePreflight(facts({ backend: 'cpu', ramFreeBytes, ...more }));
    assert.deepEqual(onCpu(6 * GIB), { ok: true });
    assert.deepEqual(onCpu(6 * GIB - 1, { ramFactor: 1.25 }), { ok: true });
    assert.deepEqual(onCpu(8 * GIB - 1, { ramFactor: 2 }).ok, false);
    const refused = onCpu(6 * GIB - 1);
    assert.ok(!refused.ok);
    assert.deepEqual(refused.cause, {
      cause_code: 'INSUFFICIENT_RAM',
      ...{ available_mb: 6143, required_mb: 6144, model_size_mb: 4096, multiplier: 1.5 },
      suggested_action: 'close other programs, or take a smaller quantisation or context',
    });
  });

  test('B-WPRE-004: a model of unknown size is not waved through', () => {
    const verdict = refusalOf({ backend: 'cpu', model: { path: '/m.gguf', bytes: 0 } });
    assert.deepEqual(
      [verdict.type, verdict.message.includes('size of the model is unknown')],
      ['ModelUnavailable', true],
    );
  });

  test('B-WPRE-006, B-WPRE-007: a backend that the node may not use is refused, and which it may', () => {
    assert.deepEqual(refusalOf({ backends: [] }).cause, { cause_code: 'NO_BACKENDS_AVAILABLE' });
    assert.deepEqual(refusalOf({ backend: 'cpu', backends: ['cuda'] }).cause, {
      cause_code: 'BACKEND_UNAVAILABLE',
      requested: 'cpu',
      available: ['cuda'],
    });
    assert.deepEqual(judgePreflight(facts({ backends: ['cuda'] })), { ok: true });
  });

  test('B-WPRE-010, B-WPRE-011: without a driver, and without GPU memory, the cause has its code and figures', () => {
    const { cause } = refusalOf({ gpuTools: [], gpu: undefined });
    assert.deepEqual([cause?.cause_code, cause?.['requested']], ['BACKEND_UNAVAILABLE', 'cuda']);
    assert.match(String(cause?.['suggested_action']), /driver/);
    const full = refusalOf({ device_mask: '1' }).cause;
    assert.deepEqual(
      [full?.cause_code, full?.['required_mb'], full?.['available_mb'], full?.['device']],
      ['VRAM_EXHAUSTED', Math.ceil(4096 * 1.2), 2048, '1'],
    );
  });

  test('B-WPRE-013: a GPU that is hotter than it may be gets no engine, and the refusal has both figures', () => {
    const hot = { ...gpu0, temperature_celsius: 81 };
    const warm = { ...gpu0, temperature_celsius: 80 };
    const verdict = refusalOf({ gpu: { devices: [hot] }, device_mask: '0' });
    assert.equal(verdict.type, 'GpuTooHot');
    assert.match(verdict.message, /device 0 has 81 °C, above the 80 °C/);
    const { cause_code, temperature_celsius, limit_celsius, device }: Record<string, unknown> =
      verdict.cause ?? {};
    assert.deepEqual([cause_code, temperature_celsius, limit_celsius, device], ['GPU_TOO_HOT', 81, 80, '0']);
    assert.deepEqual(judgePreflight(facts({ gpu: { devices: [warm] }, device_mask: '0' })), { ok: true });
    assert.equal(refusalOf({ gpu: { devices: [warm] }, gpuMaxCelsius: 79 }).type, 'GpuTooHot');
    const silent = { ...gpu0, temperature_celsius: null };
    assert.deepEqual(judgePreflight(facts({ gpu: { devices: [silent] } })), { ok: true });
    const beside = { devices: [hot, { ...gpu0, index: '1' }] };
    assert.deepEqual(judgePreflight(facts({ gpu: beside, device_mask: '1' })), { ok: true });
  });

  test('B-WPRE-012: a launch without a device gets the GPU with the most free memory of those that will do', () => {
    const gpus = [4, 70, 60, 80].map((gib, at) => ({
      ...gpu0,
      index: String(at),
      vram_free_bytes: gib * GIB,
      temperature_celsius: at === 3 ? 90 : 40,
    }));
    const chosen = (changes: Partial<PreflightFacts> = {}) =>
      chosenGpu(facts({ gpu: { devices: gpus }, ...changes }))?.index;
    assert.equal(chosen(), '1');
    assert.equal(chosen({ takenDevices: ['1'] }), '2', "what is no other pool's comes first");
    assert.equal(chosen({ takenDevices: ['0', '1', '2', '3'] }), '1');
    assert.equal(chosen({ model: { path: '/m.gguf', bytes: 65 * GIB } }), undefined);
    const full = refusalOf({ gpu: { devices: gpus.slice(0, 3) }, model: { path: '/m', bytes: 65 * GIB } });
    assert.deepEqual([full.cause?.['device'], full.cause?.['available_mb']], ['1', 70 * 1024]);
    for (const named of [
      { device_mask: '2' },
      { flags: ['--device', 'CUDA2'] },
      { env: { CUDA_VISIBLE_DEVICES: '2' } },
      { tensor_split: 'auto' as const },
      { engine: 'vllm' },
      { backend: 'cpu' as const },
    ])
      assert.equal(chosen(named), undefined, JSON.stringify(named));
  });

  test('B-WPRE-016: all that is wrong is reported together, and only that may pass which all of it may', () => {
    const port = { wanted: 8001, fixed: true, movable: true, free: undefined, range: RANGE };
    const verdict = refusalOf({
      ...{ port, device_mask: 'GPU1', gpuMaxCelsius: 20 },
      binary: { path: '/opt/nope', problem: 'ENOENT: no such file or directory' },
    });
    assert.deepEqual([verdict.type, verdict.retryable], ['SpawnFailed', false]);
    const reasons = (verdict.cause?.['reasons'] ?? []) as { cause_code: string; message: string }[];
    assert.deepEqual(
      reasons.map(({ cause_code }) => cause_code),
      ['WORKER_BINARY_NOT_FOUND', 'VRAM_EXHAUSTED', 'GPU_TOO_HOT', 'PORT_BIND_FAILED'],
    );
    assert.equal(verdict.message, reasons.map(({ message }) => message).join('; '));
    assert.equal(verdict.cause?.cause_code, 'WORKER_BINARY_NOT_FOUND');
    assert.equal(refusalOf({ port, device_mask: 'GPU1' }).retryable, true);
  });

  test('what rests on a failed check is not judged: no memory of a model, and no GPU, that is not there', () => {
    const model = { path: '/m.gguf', bytes: 0, problem: 'ENOENT: no such file or directory' };
    assert.equal(refusalOf({ model, backend: 'cpu' }).cause?.['reasons'], undefined);
    const unknown = refusalOf({ device_mask: '7,1', gpuMaxCelsius: 20 });
    assert.deepEqual([unknown.type, unknown.cause?.['reasons']], ['GpuRequired', undefined]);
  });

  test('B-WRK-002, B-WRK-003: a binary that is not there is told from one that may not be run', () => {
    const causeOf = (problem: string) => refusalOf({ binary: { path: '/opt/nope', problem } }).cause;
    const missing = causeOf('ENOENT: no such file or directory');
    assert.deepEqual(
      [missing?.cause_code, missing?.['binary_path']],
      ['WORKER_BINARY_NOT_FOUND', '/opt/nope'],
    );
    assert.match(String(missing?.['suggested_action']), /install the engine/);
    const closed = causeOf('EACCES: permission denied');
    assert.equal(closed?.cause_code, 'SPAWN_FAILED');
    assert.match(String(closed['suggested_action']), /chmod/);
  });

  test('the cache of every slot counts where the model tells its size', () => {
    const model = { path: '/m.gguf', bytes: 100, cacheBytesPerToken: 7 };
    assert.equal(estimateMemoryBytes({ model, context_tokens: 1_000 }), 7_120);
    assert.equal(estimateMemoryBytes({ model: { path: '/m.gguf', bytes: 100 }, context_tokens: 1_000 }), 120);
  });

  test('B-PREFLIGHT-022: an unusable binary is named with its path', () => {
    const verdict = refusalOf({
      binary: { path: '/opt/nope', problem: 'ENOENT: no such file or directory' },
    });
    assert.equal(verdict.type, 'SpawnFailed');
    assert.equal(verdict.message, 'binary_path /opt/nope: ENOENT: no such file or directory');
  });

  test('an unusable model is named with its path', () => {
    const verdict = refusalOf({ model: { path: '/m.bin', bytes: 3, problem: 'is not a GGUF file' } });
    assert.equal(verdict.type, 'ModelUnavailable');
    assert.equal(verdict.message, 'model_path /m.bin: is not a GGUF file');
  });

  const nobody = { wanted: 8001, free: undefined, range: RANGE };
  for (const { port, said } of [
    { port: { ...nobody, fixed: true, movable: true }, said: /port 8001 is taken, and port_fixed/ },
    { port: { ...nobody, fixed: false, movable: false }, said: /port 8001 is taken, and no flag names it/ },
    { port: { ...nobody, fixed: false, movable: true }, said: /no port is free from 8001 on \(200 tries\)/ },
  ]) {
    test(`B-PREFLIGHT-023 B-PREFLIGHT-024 B-WRK-016: ${String(said)} may pass, so another try may help`, () => {
      const verdict = refusalOf({ port });
      assert.equal(verdict.type, 'SpawnFailed');
      assert.match(verdict.message, said);
      assert.equal(verdict.retryable, true);
      assert.deepEqual(verdict.cause, { cause_code: 'PORT_BIND_FAILED', port: 8001 });
    });
  }
});
