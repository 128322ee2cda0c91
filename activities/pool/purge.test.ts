import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { workRoot } from '../replica-files.js';

const POOL = 'gpu-0';
const isConflict = (err: unknown) => err instanceof ApplicationFailure && err.type === 'POOL_CONFLICT';

test('OC-POOL-3106, B-REG-083, B-REG-084, B-REG-085: a pool that is off is forgotten; done twice it is done once', async (t) => {
  const node = await poolNode(t);
  node.pools.offline(POOL);
  assert.deepEqual(await node.run('deregisterPool', { pool_id: POOL }), { existed: true });
  assert.equal(node.pools.status(POOL), undefined);
  assert.deepEqual(await node.run('deregisterPool', { pool_id: POOL }, { attempt: 2 }), { existed: false });
  const lines = node.logged.filter(({ event }) => event === 'pool_deregistered');
  assert.deepEqual(
    lines.map(({ pool_id, action }) => [pool_id, action]),
    [[POOL, 'purge']],
  );
});

test('OC-POOL-3106: a pool that serves, or is about to, is not forgotten', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const moves = [
    () => node.pools.starting(prepared),
    () => node.pools.ready({ prepared, url: 'http://127.0.0.1:1', pid: 1, startTicks: '1' }),
    () => node.pools.draining(POOL),
  ];
  for (const move of moves) {
    move();
    await assert.rejects(node.run('deregisterPool', { pool_id: POOL }), isConflict);
    assert.ok(node.pools.status(POOL));
  }
});

test('B-CP-041: what waits for a pool that is forgotten ends with WORKER_RESET', async (t) => {
  const reset: string[] = [];
  const node: PoolNode = await poolNode(t, {
    runs: {
      ...refusing,
      reset: (taskId, why) => {
        reset.push(`${taskId}: ${why}`);
        return Promise.resolve();
      },
    },
  });
  node.pools.ensure(POOL).scheduler.enqueue('waits', 'interactive');
  node.pools.offline(POOL);
  await node.run('deregisterPool', { pool_id: POOL });
  assert.deepEqual(reset, ['waits: the pool was purged']);
});

const refuse = () => Promise.reject(new Error('no run was expected'));
const refusing = {
  attach: refuse,
  waitForEnd: refuse,
  cancel: refuse,
  breakOff: refuse,
  view: () => undefined,
};

test('B-CP-040, B-CP-044: the directories of the pool go, those of others stay, and no link is followed', async (t) => {
  const node = await poolNode(t);
  const root = workRoot(node.deps.paths);
  const elsewhere = await mkdtemp(join(tmpdir(), 'drover-elsewhere-'));
  t.after(() => rm(elsewhere, { recursive: true }));
  await writeFile(join(elsewhere, 'kept'), 'kept');
  for (const name of ['gpu-0-r0', 'gpu-0-r1.next', 'gpu-0-r0-r0', 'gpu-1-r0', 'gpu-0'])
    await mkdir(join(root, name), { recursive: true });
  await writeFile(join(root, 'gpu-0-r0', 'cache'), 'what an engine left');
  await symlink(elsewhere, join(root, 'gpu-0-r0', 'inner'));
  await symlink(elsewhere, join(root, 'gpu-0-r2'));
  const deleted = ['gpu-0-r0', 'gpu-0-r1.next', 'gpu-0-r2'];
  assert.deepEqual(await node.run('deleteEngineDirs', { pool_id: POOL }), { deleted });
  // `gpu-0-r0-r0` is the first engine of the pool `gpu-0-r0`.
  assert.deepEqual((await readdir(root)).sort(), ['gpu-0', 'gpu-0-r0-r0', 'gpu-1-r0']);
  assert.ok(existsSync(join(elsewhere, 'kept')));
  assert.deepEqual(await node.run('deleteEngineDirs', { pool_id: POOL }, { attempt: 2 }), { deleted: [] });
});

test('B-CP-042: directories in which an engine may be at work are kept; where nothing ever ran there is nothing', async (t) => {
  const node = await poolNode(t);
  assert.deepEqual(await node.run('deleteEngineDirs', { pool_id: POOL }), { deleted: [] });
  await mkdir(join(workRoot(node.deps.paths), 'gpu-0-r0'), { recursive: true });
  node.pools.draining(POOL);
  await assert.rejects(node.run('deleteEngineDirs', { pool_id: POOL }), isConflict);
  assert.ok(existsSync(join(workRoot(node.deps.paths), 'gpu-0-r0')));
});
