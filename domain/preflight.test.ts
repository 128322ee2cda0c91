import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { preparedEngine } from '../contracts/pool.js';
import type { GpuDevice } from './gpu.js';
import {
  estimateMemoryBytes,
  judgePreflight,
  moveToPort,
  portCandidates,
  type PreflightFacts,
} from './preflight.js';

const GIB = 1024 ** 3;

const gpu0: GpuDevice = {
  index: '0',
  uuid: null,
  name: 'NVIDIA H100',
  compute_capability: '9.0',
  vram_total_bytes: 80 * GIB,
  vram_free_bytes: 70 * GIB,
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
    ramFreeBytes: 16 * GIB,
    ramFactor: 1.5,
    port: { wanted: 8001, fixed: false, movable: true, free: 8001 },
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

  const nobody = { wanted: 8001, free: undefined };
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

describe('the port', () => {
  test('B-PREFLIGHT-023: candidates go upward from the wanted one, 200 at most and never beyond the last port', () => {
    const candidates = portCandidates(8001, false);
    assert.equal(candidates.length, 200);
    assert.deepEqual(candidates.slice(0, 3), [8001, 8002, 8003]);
    assert.deepEqual(portCandidates(65_534, false), [65_534, 65_535]);
    assert.deepEqual(portCandidates(8001, true), [8001]);
  });

  test('another port is told to the engine by the flag that named the first, and by no other', () => {
    const launch = {
      port: 80,
      flags: ['--ctx-size', '80', '--port', '80', '--http-port=80', '--threads=80'],
    };
    assert.deepEqual(moveToPort(launch, 81), {
      port: 81,
      flags: ['--ctx-size', '80', '--port', '81', '--http-port=81', '--threads=80'],
    });
    assert.equal(moveToPort(launch, 80), launch);
  });

  test('an engine whose flags name no port cannot be moved', () => {
    assert.equal(moveToPort({ port: 80, flags: ['--model', '80'] }, 81), undefined);
  });
});
