/** What a handoff of somebody else's engine says, and what comes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLeftEngines } from '../../activities/process/adopt.js';
import { eventually } from '../../testing/changes.js';
import { isAlive } from '../../testing/processes.js';
import { startOthersEngine, watchedFolder } from '../../testing/handoff-folder.js';

const FILE = 'gpu-0-r0.json';

test('B-BG-004 B-REG-101 B-REG-102 B-REG-103 B-REG-104: what a handoff tells is taken over', async (t) => {
  const { scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  const told = { engine_version: 'b9', device_mask: 'GPU0', slots_total: 16, slots_free: 12 };
  await announce(FILE, {
    url,
    pool_id: 'gpu-0',
    replica_id: 'r0',
    model: { id: 'demo', path: '/m' },
    ...told,
  });
  await scan();
  const { engine_version, device_mask, slots_total, slots_free, model_ref } = status() ?? {};
  assert.deepEqual({ engine_version, device_mask, slots_total, slots_free }, told);
  assert.equal(model_ref, 'demo');
});

test('B-BG-004: other spellings of the fields are read too', async (t) => {
  const { scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce(FILE, { http_endpoint: url, pool_id: 'gpu-0', gpu_device: '1', slots: 3 });
  await scan();
  assert.deepEqual([status()?.ready, status()?.device_mask, status()?.slots_total], [true, '1', 3]);
});

test('B-BG-015 B-REG-107: what a handoff leaves out stays unknown, and the replica is r0', async (t) => {
  const { node, scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await scan();
  const { ready, engine_version, device_mask, slots_total, slots_free } = status() ?? {};
  assert.deepEqual(
    { ready, engine_version, device_mask, slots_total, slots_free },
    { ready: true, engine_version: null, device_mask: null, slots_total: null, slots_free: null },
  );
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, url);
  assert.equal(node.pools.get('gpu-0')?.scheduler.slotsFree, 1); // None said is one to work with (C-032).
});

test('B-REG-063 B-REG-064 OC-POOL-3104: free slots of a handoff are kept within 0 and the total', async (t) => {
  const { scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  for (const [given, shown] of [
    [9, 4],
    [-3, 0],
    [2, 2],
  ] as const) {
    await announce(FILE, { url, pool_id: 'gpu-0', slots_total: 4, slots_free: given });
    await scan();
    assert.deepEqual([status()?.slots_total, status()?.slots_free], [4, shown]);
  }
});

for (const { what, told, said } of [
  { what: 'no url', told: { pool_id: 'gpu-0' }, said: /^url: / },
  { what: 'no pool_id', told: { url: 'http://127.0.0.1:1' }, said: /^pool_id: / },
  {
    what: 'a pool_id that is a path',
    told: { url: 'http://127.0.0.1:1', pool_id: '../x' },
    said: /^pool_id: /,
  },
  { what: 'a url of another kind', told: { url: 'file:///etc/passwd', pool_id: 'gpu-0' }, said: /^url: / },
]) {
  test(`B-BG-014: a handoff with ${what} is warned of by the field, and nothing is bound`, async (t) => {
    const { node, scan, announce, skipped } = await watchedFolder(t);
    await announce(FILE, told);
    await scan();
    assert.equal(skipped().length, 1);
    assert.match(String(skipped()[0]?.['problem']), said);
    assert.deepEqual(node.pools.snapshot(), []);
  });
}

test('B-BG-025: an engine beyond this machine and the named networks is refused, and never spoken to', async (t) => {
  const { scan, announce, adapters, processed, node } = await watchedFolder(t);
  await announce(FILE, { url: 'http://10.1.2.3:8001', pool_id: 'gpu-0' });
  await announce('named.json', { url: 'http://engine.example:8001', pool_id: 'gpu-1' });
  await scan();
  assert.deepEqual(adapters, []);
  assert.deepEqual(processed.toSorted(), [
    ['gpu-0', 'refused'],
    ['gpu-1', 'refused'],
  ]);
  assert.deepEqual(node.pools.snapshot(), []);
});

test('B-PROV-002: an external engine is bound where it is once it generates, and nothing is started for it', async (t) => {
  const { node, scan, announce, status } = await watchedFolder(t);
  const { url, pid } = await startOthersEngine(t, ['--ready-after-ms', '300']);
  await announce(FILE, { url, pool_id: 'gpu-0', provisioning_mode: 'external' });
  await eventually(
    () => 'the external engine to be bound',
    async () => {
      await scan();
      return status()?.ready === true || undefined;
    },
  );
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, url);
  assert.equal(node.pools.running('gpu-0', 'r0')?.pid, null);
  const { tasks } = (await (await fetch(`${url}/fake`)).json()) as { tasks: number };
  assert.ok(tasks >= 1, 'the probe');
  assert.deepEqual(await findLeftEngines(node.deps.paths.runtimeDir).catch(() => []), []);
  assert.ok(isAlive(pid));
});
