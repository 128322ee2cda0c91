import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeRegistration } from '../contracts/node-service.js';
import { onEachDatabase } from '../testing/databases.js';
import { createNodeWorkers } from './node-workers.js';
import { openStore } from './open-store.js';

const NODE: NodeRegistration = {
  ...{ node_id: 'a', machine_id: 'm-1', address: 'http://a.lab:9200', version: '1.0.0', pools: ['p'] },
  capabilities: { gpus: [], cpu_cores: 8, ram_total_bytes: 64_000 },
};
const POOL = {
  ...{ pool_id: 'p', ready: true, draining: false, slots_free: 1, slots_total: 2, vram_free_bytes: null },
  ...{ engine: 'vllm', models_available: ['m'] },
};

onEachDatabase((newDatabase) => {
  test('B-NAPI-003, B-NAPI-008: what a node says last is kept; its id is for another machine once it is silent', async () => {
    const { db, close } = await openStore(newDatabase());
    let atMs = 1_700_000_000_000;
    const workers = createNodeWorkers({ db, now: () => atMs });
    assert.equal((await workers.register(NODE))?.state, 'registering');
    atMs += 5;
    const heard = await workers.heard('a', { timestamp: 1, pools: [POOL] });
    const { pools: _ids, ...told } = NODE;
    const expected = {
      ...{ ...told, pools: [POOL], state: 'online', reason: null, drains: false },
      ...{ registered_ms: atMs - 5, last_heartbeat_ms: atMs },
    };
    assert.deepEqual([heard, await workers.list()], [expected, [expected]]);
    const other = { ...NODE, machine_id: 'm-2' };
    atMs += 30_000;
    assert.equal(await workers.register(other), undefined);
    assert.deepEqual(await workers.list(), [expected]);
    atMs += 1;
    assert.equal((await workers.register(other))?.machine_id, 'm-2');
    assert.equal(await workers.heard('nobody', { timestamp: 1, pools: [] }), undefined);
    await close();
  });

  test('B-NAPI-011, B-WST-017: a node drains through all that it says, until an operator lets it work again', async () => {
    const { db, close } = await openStore(newDatabase());
    const workers = createNodeWorkers({ db, now: () => 1_000 });
    assert.equal(await workers.setDraining('a', true), undefined);
    await workers.register(NODE);
    const [drained] = await Promise.all([
      workers.setDraining('a', true),
      workers.heard('a', { timestamp: 1, pools: [POOL] }),
    ]);
    assert.equal(drained?.drains, true);
    const standing = async () =>
      (await workers.list()).map(({ state, drains, pools }) => [state, drains, pools.length]);
    assert.deepEqual(await standing(), [['online', true, 1]], 'both were kept');
    await workers.register(NODE);
    assert.deepEqual(await standing(), [['registering', true, 0]]);
    assert.equal((await workers.setDraining('a', false))?.drains, false);
    await close();
  });

  test('B-NAPI-007: a node that has left keeps its place, is not heard, and may come again', async () => {
    const { db, close } = await openStore(newDatabase());
    const workers = createNodeWorkers({ db, now: () => 1_000 });
    await workers.register(NODE);
    assert.equal((await workers.leave('a'))?.address, NODE.address);
    assert.deepEqual(
      [await workers.leave('a'), await workers.heard('a', { timestamp: 1, pools: [] })],
      [undefined, undefined],
    );
    assert.equal((await workers.register({ ...NODE, machine_id: 'm-2' }))?.state, 'registering');
    await close();
  });
});
