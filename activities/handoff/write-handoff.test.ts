import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { handoff } from '../../contracts/handoff.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';

const ENGINE = { pid: 4711, start_ticks: '99', url: 'http://127.0.0.1:8001' };

async function written(node: PoolNode, changes: Partial<PreparedEngine> = {}) {
  const prepared = await node.prepared([], { port: 8001, ...changes });
  const path = await node.run('writeHandoff', { prepared, engine: ENGINE, correlation_id: 'corr-1' });
  return { prepared, path, text: await readFile(path, 'utf8') };
}

test('B-PRELOAD-040 B-PRELOAD-041 B-PRELOAD-042 B-PRELOAD-043: a handoff names engine, address, pool, model and every flag', async (t) => {
  const node = await poolNode(t, { now: () => 1_234 });
  const { prepared, text } = await written(node, { device_mask: '0,1', replica_id: 'r1' });
  assert.deepEqual(handoff.parse(JSON.parse(text)), {
    engine: 'llamacpp',
    engine_version: 'fake-1',
    provisioning_mode: 'binary',
    url: 'http://127.0.0.1:8001',
    pool_id: 'gpu-0',
    replica_id: 'r1',
    model: { id: 'demo', path: prepared.model_path },
    flags: prepared.flags,
    device_mask: '0,1',
    slots_total: 2,
    slots_free: 2,
    pid: 4711,
    port: 8001,
    host: '127.0.0.1',
    written_at_ms: 1_234,
    correlation_id: 'corr-1',
  });
});

test('B-PRELOAD-044: it is valid JSON, indented', async (t) => {
  const { text } = await written(await poolNode(t));
  assert.equal(text, `${JSON.stringify(JSON.parse(text), null, 2)}\n`);
});

test('B-PRELOAD-045 B-PRELOAD-049: engine kind and provisioning mode are those of the launch', async (t) => {
  const { text } = await written(await poolNode(t), { engine: 'vllm', provisioning_mode: 'container' });
  const { engine, provisioning_mode, device_mask } = handoff.parse(JSON.parse(text));
  assert.deepEqual(
    { engine, provisioning_mode, device_mask },
    {
      engine: 'vllm',
      provisioning_mode: 'container',
      device_mask: null,
    },
  );
});

test('B-PRELOAD-007 B-PRELOAD-046 B-API-016: a missing folder is made, with one file a pool and replica', async (t) => {
  const node = await poolNode(t);
  await written(node);
  await written(node, { replica_id: 'r1' });
  const { path } = await written(node, { pool_id: 'gpu-1' });
  assert.equal(dirname(path), node.deps.paths.handoffDir);
  assert.match(path, /\/engines\/gpu-1-r0\.json$/);
  const names = await readdir(node.deps.paths.handoffDir);
  assert.deepEqual(names.sort(), ['gpu-0-r0.json', 'gpu-0-r1.json', 'gpu-1-r0.json']);
});

test('B-PRELOAD-047 B-PDUR-003: it is replaced whole, its owner alone reads it, and no other file stays', async (t) => {
  const node = await poolNode(t);
  await written(node);
  const { path } = await written(node, { engine_version: 'fake-2' });
  assert.equal(handoff.parse(JSON.parse(await readFile(path, 'utf8'))).engine_version, 'fake-2');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(node.deps.paths.handoffDir), ['gpu-0-r0.json']);
});

test('B-PRELOAD-037: a handoff that cannot be written is a failure with the reason of the system', async (t) => {
  const node = await poolNode(t);
  await mkdir(dirname(node.deps.paths.handoffDir), { recursive: true });
  await writeFile(node.deps.paths.handoffDir, 'a file where the folder belongs');
  const prepared = await node.prepared();
  await assert.rejects(node.run('writeHandoff', { prepared, engine: ENGINE, correlation_id: 'c' }), {
    type: 'HandoffWriteFailed',
    message: /gpu-0-r0\.json cannot be written: EEXIST: file already exists/,
  });
  await node.run('removeHandoff', prepared); // Its undo finds nothing to remove, which is no failure.
});

test('B-PRELOAD-048: a removed handoff is gone, and removing it again is no failure', async (t) => {
  const node = await poolNode(t);
  const { path, prepared } = await written(node);
  for (const attempt of [1, 2]) await node.run('removeHandoff', prepared, { attempt });
  await assert.rejects(stat(path), { code: 'ENOENT' });
});
