import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { PreparedEngine } from '../../contracts/pool.js';
import { fakeGpus } from '../../testing/fake-gpus.js';
import { failureOf, resize, takePort } from '../../testing/launch-checks.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { findGpuTools } from './gpu-tools.js';

/** A folder with these programs, to be a PATH. */
async function programs(t: TestContext, scripts: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-path-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}

async function nodeWithPath(t: TestContext, scripts: Record<string, string>): Promise<PoolNode> {
  const PATH = await programs(t, scripts);
  return poolNode(t, { env: () => ({ PATH }) });
}

test('B-PREP-002: a minimal launch passes with its defaults filled in, and nothing is started', async (t) => {
  const node = await poolNode(t);
  const { model_path, binary_path, port } = await node.prepared();
  const minimal = {
    ...{ pool_id: 'gpu-0', engine_version: 'v', binary_path, port, model_path, model_ref: 'demo' },
    ...{ backend: 'cpu', slots_total: 1, ctx_max: 512 },
  } as PreparedEngine;
  const { prepared, serving } = await node.run('preflight', minimal);
  assert.equal(serving, null);
  assert.equal(prepared.replica_id, 'r0');
  assert.equal(prepared.health_path, '/health');
  assert.equal(prepared.engine, 'llamacpp');
});

for (const { field, value } of [
  { field: 'binary_path', value: 'llama-server' },
  { field: 'port', value: 70_000 },
  { field: 'model_path', value: undefined },
  { field: 'pool_id', value: '../gpu' },
]) {
  test(`B-PREP-001: ${field} = ${String(value)} is refused by its name before anything is looked at`, async (t) => {
    const node = await poolNode(t);
    const wrong = { ...(await node.prepared()), [field]: value };
    const failure = await failureOf(node.run('preflight', wrong));
    assert.equal(failure.type, 'INVALID_PARAMS');
    assert.equal(failure.nonRetryable, true);
    assert.match(failure.message, new RegExp(`${field}: `));
  });
}

test('B-PREFLIGHT-001 B-PREFLIGHT-002 B-PREFLIGHT-003: nvcc or nvidia-smi on the PATH make CUDA available', async (t) => {
  const nvcc = await programs(t, { nvcc: '' });
  const smi = await programs(t, { 'nvidia-smi': '' });
  const neither = await programs(t, { 'nvidia-settings': '' });
  assert.deepEqual([...(await findGpuTools({ PATH: `${neither}:${nvcc}` })).keys()], ['nvcc']);
  assert.deepEqual([...(await findGpuTools({ PATH: `${smi}::/nowhere` })).keys()], ['nvidia-smi']);
  assert.equal((await findGpuTools({ PATH: neither })).size, 0);
  assert.equal((await findGpuTools({})).size, 0);
  await chmod(join(nvcc, 'nvcc'), 0o644);
  await mkdir(join(neither, 'nvidia-smi'));
  assert.equal((await findGpuTools({ PATH: `${neither}:${nvcc}` })).size, 0); // No program: a plain file, a folder.
});

test('B-PREFLIGHT-011 B-PREFLIGHT-012 B-PREFLIGHT-013 B-ERROR-023 OC-POOL-3012: a GPU pool on a node without a GPU fails at once and for good', async (t) => {
  const node = await nodeWithPath(t, {});
  const failure = await failureOf(node.run('preflight', await node.prepared([], { backend: 'cuda' })));
  assert.equal(failure.type, 'GpuRequired');
  assert.equal(failure.nonRetryable, true);
  assert.match(failure.message, /GPU-only enforcement/);
  assert.match(failure.message, /nvcc\/nvidia-smi not found/);
});

test('B-PREFLIGHT-004: the PATH is that of the worker when it is asked, not when it started', async (t) => {
  const withTools = await programs(t, { nvcc: '' });
  let PATH = '/nowhere';
  const node = await poolNode(t, { env: () => ({ PATH }) });
  const prepared = await node.prepared([], { backend: 'cuda' });
  assert.equal((await failureOf(node.run('preflight', prepared))).type, 'GpuRequired');
  PATH = withTools;
  assert.equal((await node.run('preflight', prepared)).serving, null);
});

test('B-PREFLIGHT-010 B-PREFLIGHT-014: the driver is asked for its devices, and a GPU pool passes', async (t) => {
  const { PATH } = await fakeGpus(t, [{ index: '0' }, { index: '1', mig: ['MIG-1c2e'] }]);
  const node = await poolNode(t, { env: () => ({ PATH }) });
  for (const device_mask of [null, '0', 'MIG-1c2e,GPU0']) {
    const prepared = await node.prepared([], { backend: 'cuda', device_mask });
    assert.equal((await node.run('preflight', prepared)).serving, null);
  }
});

for (const { title, script, type, said } of [
  {
    title: 'a driver error',
    script: 'echo "NVML mismatch"; exit 9',
    type: 'GpuRequired',
    said: /NVML mismatch/,
  },
  { title: 'no device', script: 'true', type: 'GpuRequired', said: /no device/ },
  {
    title: 'a full GPU',
    script: 'echo "index, name, memory.free [MiB]"; echo "0, NVIDIA H100, 0 MiB"',
    type: 'InsufficientVram',
    said: /device 0 has 0 \(available\)/,
  },
]) {
  test(`B-PREFLIGHT-014 B-PREFLIGHT-016: ${title} is a failure though the tools are there`, async (t) => {
    const node = await nodeWithPath(t, { 'nvidia-smi': script });
    const failure = await failureOf(node.run('preflight', await node.prepared([], { backend: 'cuda' })));
    assert.equal(failure.type, type);
    assert.match(failure.message, said);
  });
}

test('B-DEVICE-003 B-DEVICE-004 B-DEVICE-011: a mask is checked against the devices that are there, and held to them', async (t) => {
  const { PATH } = await fakeGpus(t, [{ index: '0' }, { index: '1', freeMib: 0 }]);
  const node = await poolNode(t, { env: () => ({ PATH }) });
  for (const [device_mask, type, said] of [
    ['0,7', 'GpuRequired', /"7" is unknown; the node has 0 \(NVIDIA H100 80GB HBM3\), 1 /],
    ['0,GPU0', 'GpuRequired', /"GPU0" names device 0 again/],
    ['GPU1', 'InsufficientVram', /device 1 has 0 \(available\)/],
  ] as const) {
    const failure = await failureOf(
      node.run('preflight', await node.prepared([], { backend: 'cuda', device_mask })),
    );
    assert.equal(failure.type, type);
    assert.match(failure.message, said);
  }
});

test('B-HETERO-007 B-HETERO-010: a split that is asked for is planned, told to the engine, logged and kept', async (t) => {
  const { PATH } = await fakeGpus(t, [
    { index: '0', freeMib: 24_000 },
    { index: '1', freeMib: 8_000 },
  ]);
  const node = await poolNode(t, { env: () => ({ ...process.env, PATH: `${PATH}:${process.env['PATH']}` }) });
  const wanted = await node.prepared([], { backend: 'cuda', device_mask: '1,0', tensor_split: 'auto' });
  const { prepared } = await node.run('preflight', wanted);
  assert.deepEqual(prepared.flags.slice(-2), ['--tensor-split', '0.25,0.75']);
  assert.deepEqual(
    prepared.split_plan?.parts.map(({ device, ratio }) => [device, ratio]),
    [
      ['1', 0.25],
      ['0', 0.75],
    ],
  );
  assert.deepEqual(node.logged.find(({ event }) => event === 'split_planned')?.['plan'], prepared.split_plan);
  const engine = await node.run('spawnEngine', prepared);
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  assert.deepEqual(node.pools.status('gpu-0')?.split_plan, prepared.split_plan);
  const again = await node.run('preflight', wanted); // Its own plan makes it no other launch.
  assert.equal(again.serving?.pid, engine.pid);
});

test('B-HETERO-004 B-HETERO-005 B-HETERO-009: a split is capped with a warning, refused with figures, or not valid', async (t) => {
  const smi = await fakeGpus(t, [{ index: '0' }, { index: '1' }]);
  const node = await poolNode(t, { env: () => ({ PATH: smi.PATH }) });
  const halves = await node.prepared([], { backend: 'cuda', device_mask: '0,1', tensor_split: [0.5, 0.5] });
  await resize(halves.model_path, 10);
  await smi.change([{ index: '0' }, { index: '1', freeMib: 3 }]);
  const { prepared } = await node.run('preflight', halves);
  assert.deepEqual(prepared.flags.slice(-2), ['--tensor-split', '0.75,0.25']);
  assert.deepEqual(node.logged.find(({ event }) => event === 'split_planned')?.['level'], 40);
  await smi.change([
    { index: '0', freeMib: 5 },
    { index: '1', freeMib: 3 },
  ]);
  const refused = await failureOf(node.run('preflight', halves));
  assert.equal(refused.type, 'InsufficientVram');
  assert.match(refused.message, /about 12582912 bytes.*1 has 3145728, 0 has 5242880/);
  const invalid = await failureOf(node.run('preflight', { ...halves, tensor_split: [0.5, 0.6] }));
  assert.equal(invalid.type, 'INVALID_PARAMS');
  assert.match(invalid.message, /^tensor_split: the ratios add up to 1\.1/);
});

test('B-HETERO-006: a model that nobody asked to split must fit the first GPU of its mask', async (t) => {
  const { PATH } = await fakeGpus(t, [
    { index: '0', freeMib: 8 },
    { index: '1', freeMib: 20 },
  ]);
  const node = await poolNode(t, { env: () => ({ PATH }) });
  const wanted = await node.prepared([], { backend: 'cuda', device_mask: '0,1' });
  await resize(wanted.model_path, 10);
  const refused = await failureOf(node.run('preflight', wanted));
  assert.match(refused.message, /device 0 has 8388608 \(available\); tensor_split "auto" spreads it/);
  const { prepared } = await node.run('preflight', { ...wanted, device_mask: '1,0' });
  assert.deepEqual([prepared.split_plan, prepared.flags.includes('--tensor-split')], [null, false]);
});

test('B-PREFLIGHT-017 B-PREFLIGHT-024: a model larger than the memory is a shortage, which may pass', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  await resize(prepared.model_path, 2 * 1024 ** 2); // 2 TiB that nobody stores.
  const failure = await failureOf(node.run('preflight', prepared));
  assert.equal(failure.type, 'InsufficientRam');
  assert.equal(failure.nonRetryable, false);
});

test('B-PREFLIGHT-022: a binary that is missing, a folder, not executable or no program is named with its path', async (t) => {
  const node = await poolNode(t);
  const folder = await programs(t, {});
  const [plain, text] = [join(folder, 'plain'), join(folder, 'text')];
  await writeFile(plain, '#!/bin/sh\n', { mode: 0o644 });
  await writeFile(text, 'rm -rf nothing\n', { mode: 0o755 });
  const missing = join(folder, 'missing');
  for (const [binary_path, reason] of [
    [missing, 'ENOENT: no such file or directory'],
    [folder, 'is not a file'],
    [plain, 'EACCES: permission denied'],
    [text, 'ENOEXEC: is not a program'],
  ] as const) {
    const failure = await failureOf(node.run('preflight', await node.prepared([], { binary_path })));
    assert.equal(failure.type, 'SpawnFailed');
    assert.equal(failure.message, `binary_path ${binary_path}: ${reason}`);
  }
});

test('a model that is missing or no GGUF file is named with its path', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  await writeFile(prepared.model_path, 'PK not a model');
  for (const [model_path, reason] of [
    ['/no/model.gguf', 'ENOENT: no such file or directory'],
    [prepared.model_path, 'is not a GGUF file'],
  ] as const) {
    const failure = await failureOf(node.run('preflight', { ...prepared, model_path }));
    assert.equal(failure.type, 'ModelUnavailable');
    assert.equal(failure.message, `model_path ${model_path}: ${reason}`);
  }
});

test('B-PREFLIGHT-023: a taken port is left to whoever has it, and the engine is told the next', async (t) => {
  const node = await poolNode(t);
  const wanted = await node.prepared();
  await takePort(t, wanted.port);
  const { prepared } = await node.run('preflight', wanted);
  assert.ok(prepared.port > wanted.port && prepared.port <= wanted.port + 199, String(prepared.port));
  assert.equal(prepared.flags[prepared.flags.indexOf('--port') + 1], String(prepared.port));
});

test('B-PREFLIGHT-023: a taken port that is fixed, or that no flag names, is a failure', async (t) => {
  const node = await poolNode(t);
  const wanted = await node.prepared();
  await takePort(t, wanted.port);
  for (const changes of [{ port_fixed: true }, { flags: ['--model', wanted.model_path] }]) {
    const failure = await failureOf(node.run('preflight', { ...wanted, ...changes }));
    assert.equal(failure.type, 'SpawnFailed');
    assert.match(failure.message, new RegExp(`port ${wanted.port} is taken`));
    assert.equal(failure.nonRetryable, false);
  }
});

test('B-API-017: two pools that want one port at once are promised two', async (t) => {
  const node = await poolNode(t);
  const wanted = await node.prepared();
  const [one, two] = await Promise.all([
    node.run('preflight', wanted),
    node.run('preflight', { ...wanted, pool_id: 'gpu-1' }),
  ]);
  assert.notEqual(one.prepared.port, two.prepared.port);
  assert.equal((await node.run('preflight', wanted)).prepared.port, one.prepared.port); // Its own promise stands.
});

test('B-PROV-002: an engine of others is not started here, whatever its launch says', async (t) => {
  const node = await poolNode(t);
  const failure = await failureOf(
    node.run('preflight', await node.prepared([], { provisioning_mode: 'external' })),
  );
  assert.deepEqual([failure.type, failure.nonRetryable], ['INVALID_PARAMS', true]);
  assert.match(failure.message, /^provisioning_mode: .*handoff/);
});

test('B-PROV-007, B-API-026: a preload goes on with the flags by their own names, and knows its engine by the old ones', async (t) => {
  const node = await poolNode(t);
  const wanted = await node.prepared(['-ngl', '0']);
  const { prepared } = await node.run('preflight', wanted);
  assert.deepEqual(prepared.flags, [...wanted.flags.slice(0, -2), '--n-gpu-layers', '0']);
  const { pid } = await node.run('spawnEngine', prepared);
  await node.run('markPoolReady', {
    prepared,
    engine: { pid, start_ticks: '1', url: 'http://x' },
    duration_ms: 1,
  });
  assert.equal((await node.run('preflight', wanted)).serving?.pid, pid);
});

test('B-DP-191: a replica of another version is not started beside those that serve; what takes the place of one may be', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared([], { engine_version: 'b1' });
  node.pools.ready({ prepared, url: 'http://127.0.0.1:1', pid: 1, startTicks: '1' });
  const beside = (replica_id: string, engine_version: string) =>
    node.run('preflight', { ...prepared, replica_id, engine_version });
  await assert.rejects(beside('r1', 'b2'), { type: 'POOL_CONFLICT' });
  assert.equal((await beside('r1', 'b1')).serving, null);
  assert.equal((await beside('r0.next', 'b2')).serving, null);
});
