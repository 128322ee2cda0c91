import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createModels } from '../../store/models.js';
import { openStore } from '../../store/open-store.js';
import { createPoolBoard } from '../tasks/pool-board.js';
import { MemoryNodes, readyPool } from '../testing/memory-nodes.js';
import { createModelFiles } from './model-files.js';
import { createModelRemoval } from './remove-model.js';

const CALL = { correlationId: 'c-1' };

/** A catalogue with these models, a file each, and a node that serves `served`. */
async function catalogue(t: TestContext, ids: readonly string[], served?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'drover-removal-'));
  const root = join(folder, 'cache');
  await mkdir(root);
  const store = await openStore({ folder: ':memory:' });
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  const models = createModels({ db: store.db, now: Date.now });
  const nodes = new MemoryNodes(['node-1']);
  const serves = (state: 'ready' | 'offline' = 'ready') =>
    nodes.poolsOf.set('node-1', [readyPool({ pool_id: 'other', state, model_ref: served ?? 'demo' })]);
  serves();
  for (const id of ids) {
    await models.save({ id });
    await writeFile(join(root, id), 'weights');
  }
  const board = createPoolBoard(nodes, () => 1_000);
  const removal = createModelRemoval({ models, files: createModelFiles(root), board, now: () => 1_000.5 });
  const has = async (id: string) => [(await models.get(id)) !== undefined, existsSync(join(root, id))];
  return { folder, root, models, nodes, board, removal, has, serves };
}

test('B-CP-041, B-CP-043: a model that nobody serves goes with its file; one that a pool serves is kept, unless forced', async (t) => {
  const { removal, has } = await catalogue(t, ['tea', 'milk'], 'tea');
  assert.deepEqual(await removal.purge('milk', false, CALL), {
    model_id: 'milk',
    outcome: 'removed',
    pools: [],
  });
  assert.deepEqual(await has('milk'), [false, false]);
  assert.deepEqual(await removal.purge('tea', false, CALL), {
    model_id: 'tea',
    outcome: 'in_use',
    pools: ['other'],
  });
  assert.deepEqual(await has('tea'), [true, true]);
  assert.equal((await removal.purge('tea', true, CALL)).outcome, 'removed');
  assert.deepEqual(await has('tea'), [false, false]);
});

test('B-CP-042: the nodes are asked anew, so that a pool that has just gone off keeps no model', async (t) => {
  const { removal, board, serves } = await catalogue(t, ['tea'], 'tea');
  await board.reports(CALL);
  serves('offline');
  assert.equal((await removal.purge('tea', false, CALL)).outcome, 'removed');
});

test('B-CP-044: what leads out of the model cache is kept and reported, and so is what it leads to', async (t) => {
  const { folder, root, models, removal } = await catalogue(t, []);
  const outside = join(folder, 'outside');
  await writeFile(outside, 'not ours');
  await models.save({ id: 'link' });
  await symlink(outside, join(root, 'link'));
  assert.equal((await removal.purge('link', true, CALL)).outcome, 'outside_cache');
  assert.ok(existsSync(outside) && (await models.get('link')) !== undefined);
});

test('B-CP-041: a model that is not there is told apart, and a removal that broke off is finished', async (t) => {
  const { root, removal, has } = await catalogue(t, ['tea']);
  await rm(join(root, 'tea'));
  assert.equal((await removal.purge('tea', false, CALL)).outcome, 'removed');
  assert.deepEqual(await has('tea'), [false, false]);
  assert.equal((await removal.purge('tea', false, CALL)).outcome, 'not_found');
});
